"""Fixtures shared by the tests: reference material, small random networks, crops, and graphs made once."""

from __future__ import annotations

import gzip
import json
import math
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

MAX_SKIPS = "--max-skips"
FIXTURES = Path(__file__).resolve().parent / "fixtures"
SHARED = Path(__file__).resolve().parents[2] / "shared"
GOLDEN_HEADS = 4  # of every reference network


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(MAX_SKIPS, type=int, help="fail if more tests than this are skipped")


def pytest_configure(config: pytest.Config) -> None:
    """One cache for all processes of a run, empty at first: what one has exported, no other exports again."""
    if not hasattr(config, "workerinput"):
        folder = tempfile.mkdtemp(prefix="fiqa-test-cache-")
        os.environ["FIQA_CACHE"] = folder
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A run that skips more than it may has not proved what it says."""
    limit, reasons = session.config.getoption(MAX_SKIPS), _skips(session.config)
    if limit is not None and len(reasons) > limit and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """How many tests were skipped, and why."""
    reasons, limit = _skips(config), config.getoption(MAX_SKIPS)
    allowed = "" if limit is None else f", {limit} allowed"
    terminalreporter.write_sep("-", f"{len(reasons)} tests skipped{allowed}")
    for reason, n in Counter(reasons).most_common():
        terminalreporter.write_line(f"{n:>4}  {reason}")


def _skips(config: pytest.Config) -> list[str]:
    """The reason of every skipped test; [] in a worker of pytest-xdist, whose parent counts."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    reports = reporter.stats.get("skipped", []) if reporter is not None else []
    # of a skip, longrepr is (file, line, "Skipped: reason")
    return [str(report.longrepr[2]).removeprefix("Skipped: ") for report in reports]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of research material beside the checkout; the test is skipped where there is none."""
    if not SHARED.is_dir():
        pytest.skip("needs research pictures or networks, which do not ship with the code")
    return SHARED


@pytest.fixture(scope="session")
def golden() -> Callable[[str], dict[str, np.ndarray]]:
    """name → arrays of the reference numbers of that name, without the weights behind them."""

    def arrays(name: str) -> dict[str, np.ndarray]:
        with np.load(FIXTURES / f"{name}.npz") as file:
            return {key: file[key] for key in file.files if not key.startswith("weights.")}

    return arrays


@pytest.fixture(scope="session")
def golden_config() -> Callable[[str], dict[str, Any]]:
    """name → the config that the reference network of that name was published with."""

    def config(name: str) -> dict[str, Any]:
        with np.load(FIXTURES / f"{name}.npz") as file:
            return json.loads(str(file["weights.config"]))

    return config


@pytest.fixture(scope="session")
def golden_path(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """name → a checkpoint of the reference network of that name, in its published layout."""
    folder = tmp_path_factory.mktemp("golden")

    def path(name: str) -> Path:
        file = folder / f"{name}.pt"
        if not file.exists():
            torch = pytest.importorskip("torch", reason="checkpoints need the extra torch")
            torch.save({key: torch.from_numpy(value) for key, value in _weights(name).items()}, file)
        return file

    return path


def _weights(name: str) -> dict[str, np.ndarray]:
    """The state dict that ``tools/make_fixtures.py`` packed."""
    with np.load(FIXTURES / f"{name}.npz") as file:
        flat = np.ascontiguousarray(file["weights.bytes"].T).view(np.float32).ravel()
        state, begin = {}, 0
        for key, shape, dtype in json.loads(str(file["weights.index"])):
            end = begin + math.prod(shape)
            state[key] = flat[begin:end].reshape(shape).astype(dtype)
            begin = end
    return state


@pytest.fixture(scope="session")
def golden_vit(golden_path: Callable[[str], Path]) -> Callable[[str], Any]:
    """name → the network behind the reference numbers, loaded from its published layout."""
    from fiqa.network import load_checkpoint

    return lambda name: load_checkpoint(golden_path(name), heads=GOLDEN_HEADS)


@pytest.fixture(scope="session")
def published_layouts() -> dict[str, dict[str, Any]]:
    """Name of a published checkpoint → its ``keys`` (key → shape) and, of a ViT, its ``config``."""
    return json.loads(gzip.decompress((FIXTURES / "checkpoint_layouts.json.gz").read_bytes()))


@pytest.fixture(scope="session")
def graph_of() -> Callable[..., bytes]:
    """(key, network, wanted) → its evidence graph; exporting takes seconds, so each key is exported once."""
    made: dict[str, bytes] = {}

    def graph(key: str, vit: Any, wanted: Any = None) -> bytes:
        if key not in made:
            pytest.importorskip("onnxscript", reason="exporting needs the export extra")
            from fiqa.graph.exporter import full_request
            from fiqa.graph.storage import stored_export

            made[key] = stored_export(vit, full_request(vit) if wanted is None else wanted)
        return made[key]

    return graph


@pytest.fixture(scope="session")
def make_vit() -> Callable[..., Any]:
    """(seed, **config) → a small network whose every weight, bias and running statistic is random."""

    def make(seed: int = 0, **config: Any) -> Any:
        import torch

        from fiqa.network import ViT, ViTConfig

        settings = {"width": 16, "depth": 3, "heads": 2, "mlp_width": 24, "patch_size": 16, **config}
        vit = ViT(ViTConfig(**settings))
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for name, tensor in vit.state_dict().items():
                if not tensor.is_floating_point():
                    continue
                noise = torch.randn(tensor.shape, generator=generator)
                if name.endswith("running_var"):
                    tensor.copy_(0.5 + noise.abs())
                elif name.endswith(("running_mean", ".bias")):
                    tensor.copy_(0.2 * noise)
                elif tensor.dim() == 1:
                    tensor.copy_(1 + 0.2 * noise)
                elif name in ("pos_embed", "quality_token"):
                    tensor.copy_(0.5 * noise)
                else:  # twice the neutral size, so that attention is far from uniform
                    tensor.copy_(2 * noise * tensor[0].numel() ** -0.5)
        return vit.eval().requires_grad_(False)

    return make


@pytest.fixture(scope="session")
def crops() -> np.ndarray:
    """(5, 112, 112, 3) uint8: noise, smooth ramps, a dark and a uniform one."""
    rng = np.random.default_rng(7)
    images = rng.integers(0, 256, (5, 112, 112, 3), dtype=np.uint8)
    across, down = np.meshgrid(np.linspace(0, 255, 112), np.linspace(0, 255, 112))
    images[1] = np.stack([across, down, 255 - across], axis=-1)
    images[2] //= 8
    images[3] = 127
    return images
