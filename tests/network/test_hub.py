"""Names on the hub, from a local cache only."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch
from tests.network.checkpoint_files import HEADS, same

from fiqa.errors import DataError, UsageError
from fiqa.network import load_checkpoint
from fiqa.network.hub import fetch

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def hub_cache(tmp_path, monkeypatch, state):
    """A cache of the hub's client that holds owner/face with one file, and no way to the network."""
    constants = pytest.importorskip("huggingface_hub.constants")
    cache = tmp_path / "hub"
    snapshot = cache / "models--owner--face" / "snapshots" / COMMIT
    (snapshot / "pretrained_model").mkdir(parents=True)
    refs = cache / "models--owner--face" / "refs"
    refs.mkdir()
    (refs / "main").write_text(COMMIT)
    torch.save(state, snapshot / "pretrained_model" / "model.pt")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))
    return snapshot


@pytest.mark.parametrize(
    "name",
    [
        "hf-hub:owner/face",
        "hf-hub:owner/face@main",
        f"hf-hub:owner/face@{COMMIT}",
        "hf-hub:owner/face/pretrained_model/model.pt",
    ],
)
def test_a_hub_model_loads_from_the_local_cache(name, hub_cache, golden_vit):
    assert fetch(name) == hub_cache / "pretrained_model" / "model.pt"
    vit = load_checkpoint(name, heads=HEADS)
    assert same(vit, golden_vit("fr_vit"))
    assert vit.card.name == name


@pytest.mark.parametrize("name", ["hf-hub:owner/other", "hf-hub:owner/face@v2", "hf-hub:owner/face/other.pt"])
def test_what_neither_cache_nor_hub_has_is_a_data_error(name, hub_cache):
    with pytest.raises(DataError, match="is not in the cache"):
        fetch(name)


@pytest.mark.parametrize("name", ["hf-hub:", "hf-hub:owner", "hf-hub:owner/", "hf-hub:/face"])
def test_a_hub_name_has_owner_and_model(name, hub_cache):
    with pytest.raises(UsageError, match=r"hf-hub:owner/name\[/file\]\[@revision\], but got"):
        fetch(name)


def test_a_hub_name_that_the_hub_would_refuse_is_a_usage_error(hub_cache):
    with pytest.raises(UsageError, match=r"'hf-hub:own er/na..me' is no name"):
        fetch("hf-hub:own er/na..me")


def test_the_hub_is_really_read_offline_in_a_process_of_its_own(hub_cache):
    code = "from fiqa import load_checkpoint as l; print(l('hf-hub:owner/face', heads=4).depth)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "6", done.stderr
