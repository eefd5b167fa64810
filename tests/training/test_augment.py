"""The degradations on tensors against those on images, family by family."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from augment import KINDS, AugmentConfig, augment, degrade, degrade_part, to_float, to_uint8, warp
from fiqa import degradations as synthetic


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    rng = np.random.default_rng(3)
    small = Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8))
    return np.asarray(small.resize((112, 112), Image.Resampling.BICUBIC))


def on_tensors(image: np.ndarray, kind: str, severity: float) -> np.ndarray:
    g = torch.Generator().manual_seed(0)
    batch = to_float(torch.from_numpy(image[None].copy()))
    return to_uint8(degrade(batch, kind, torch.tensor([severity]), g))[0].numpy()


def test_the_families_are_the_same() -> None:
    assert set(KINDS) == set(synthetic.DEGRADATIONS)


@pytest.mark.parametrize("severity", [0.3, 0.8])
@pytest.mark.parametrize(
    ("kind", "tolerance"), [("blur", 2), ("downsample", 4), ("jpeg", 7), ("overexposed", 2)]
)
def test_deterministic_families_agree_with_the_images(
    face: np.ndarray, kind: str, tolerance: float, severity: float
) -> None:
    ours = on_tensors(face, kind, severity).astype(float)
    theirs = synthetic.degrade(face, kind, severity, seed=0).astype(float)
    assert np.abs(ours - theirs).mean() < tolerance
    assert np.abs(theirs - face).mean() > 2 * np.abs(ours - theirs).mean()  # not because nothing happens


@pytest.mark.parametrize("kind", ["noise", "dark", "occlusion", "motion"])
def test_random_families_change_an_image_as_much(face: np.ndarray, kind: str) -> None:
    def change(images: list[np.ndarray]) -> float:
        return float(np.mean([np.abs(i.astype(float) - face).mean() for i in images]))

    g = torch.Generator().manual_seed(0)
    many = to_float(torch.from_numpy(np.stack([face] * 48)))
    ours = list(to_uint8(degrade(many, kind, torch.full((48,), 0.6), g)).numpy())
    theirs = [synthetic.degrade(face, kind, 0.6, seed=s) for s in range(48)]
    assert change(ours) == pytest.approx(change(theirs), rel=0.2)


def test_augment_depends_on_the_generator_alone(face: np.ndarray) -> None:
    crops = torch.from_numpy(np.stack([face] * 16))
    runs = [augment(crops, AugmentConfig(), torch.Generator().manual_seed(s)) for s in (1, 1, 2)]
    assert torch.equal(runs[0][0], runs[1][0])
    assert not torch.equal(runs[0][0], runs[2][0])
    share = (torch.cat([r[1] for r in runs]) > 0).float().mean()
    assert 0.2 < share < 0.9


def test_a_part_is_spoilt_inside_a_rectangle_alone(face: np.ndarray) -> None:
    crops = to_float(torch.from_numpy(np.stack([face] * 64)))
    out, inside = degrade_part(crops, AugmentConfig(local=0.5), torch.Generator().manual_seed(0))
    changed = (out != crops).any(1)
    assert not (changed & ~inside.bool()).any()
    chosen = inside.flatten(1).any(1)
    assert 16 < chosen.sum() < 48
    assert changed[chosen].flatten(1).any(1).all()
    share = inside[chosen].mean((1, 2))
    assert share.min() > 0.05
    assert share.max() < 0.55


def test_a_warp_of_nothing_only_mirrors(face: np.ndarray) -> None:
    crops = to_float(torch.from_numpy(np.stack([face] * 16)))
    out = warp(crops, AugmentConfig(), torch.Generator().manual_seed(0), ramp=0.0)
    same = (out - crops).abs().amax((1, 2, 3)) < 1e-4
    mirrored = (out - crops.flip(3)).abs().amax((1, 2, 3)) < 1e-4
    assert same.any()
    assert mirrored.any()
    assert (same | mirrored).all()
