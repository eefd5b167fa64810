"""The refiner's training: what it sees, what it is to say, and that the exported graph says the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import torch

import refiner
from fiqa.faces import TEMPLATE
from refiner import SIDE, TOP, RefinerNet, corrected, error, export, fit, jitter, views


def test_a_jitter_needs_nothing_from_outside_the_source() -> None:
    drawn = jitter(500, torch.Generator().manual_seed(0))
    x, y = torch.meshgrid(torch.arange(16.0, 96), torch.arange(22.0, 102), indexing="xy")
    at = corrected(torch.stack([x, y], -1).flatten(0, 1), drawn)
    assert at.min() >= 0
    assert at.max() <= 111
    assert (drawn.std(0) > 0.5 * RefinerNet().unit).all()


def test_a_view_is_the_source_seen_through_the_correction(monkeypatch) -> None:
    plain = refiner.AugmentConfig(light=0, colour=0, grey=0, degraded=0, local=0)
    monkeypatch.setattr(refiner, "AUGMENT", plain)
    ramp = np.broadcast_to(np.arange(112, dtype=np.uint8)[None, :, None], (1, 112, 112, 3)).copy()
    crops = torch.from_numpy(ramp)  # the value of a pixel is its x
    g = torch.Generator().manual_seed(0)
    correction = torch.tensor([[2.0, -1.0, 0.1, 0.05]])
    seen = views(crops, correction, g)[0, 0] * 64 + 127.5
    points = torch.tensor([[16.0, 22.0], [95.0, 22.0], [40.0, 80.0]])
    want = corrected(points, correction)[0, :, 0]
    at = (points - torch.tensor([16.0, 22.0])).long()
    torch.testing.assert_close(seen[at[:, 1], at[:, 0]], want, atol=1e-2, rtol=0)
    unmoved = views(crops, torch.zeros(1, 4), g)[0, 0] * 64 + 127.5
    torch.testing.assert_close(unmoved, crops[0, TOP : TOP + SIDE, 16:96, 0].float(), atol=1e-3, rtol=0)


def test_the_error_is_in_pixels_at_the_template() -> None:
    moved = torch.tensor([[3.0, 4.0, 0.0, 0.0]])
    torch.testing.assert_close(error(moved, torch.zeros(1, 4)), torch.tensor([5.0]))
    turned = torch.tensor([[0.0, 0.0, 0.1, 0.0]])
    radius = np.linalg.norm(TEMPLATE - 55.5, axis=1)
    np.testing.assert_allclose(
        error(turned, torch.zeros(1, 4)), [2 * np.sin(0.05) * radius.mean()], rtol=1e-4
    )


def test_a_fit_goes_on_and_its_export_says_the_same(packed: Path, tmp_path: Path) -> None:
    crops = np.load(packed / "crops.npy")
    rows = np.arange(len(crops))

    def trained(steps: int, file: Path) -> RefinerNet:
        torch.manual_seed(0)
        net = RefinerNet()
        fit(net, crops, rows, rows[:8], steps=steps, batch=8, lr=1e-3, checkpoint=file)
        return net

    net, again = trained(4, tmp_path / "a.pt"), trained(4, tmp_path / "a.pt")
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), again.parameters(), strict=True))
    assert sum(p.numel() for p in net.parameters()) <= 150_000
    export(net, tmp_path / "refiner.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "refiner.onnx")
    with torch.no_grad():
        want = net.eval()(torch.from_numpy(crops[:3]))
    np.testing.assert_allclose(session.run(None, {"crops": crops[:3]})[0], want, atol=1e-4)
