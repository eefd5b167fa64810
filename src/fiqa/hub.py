"""Checkpoints from the Hugging Face hub, through its own client and cache (extra ``hub``)."""

from __future__ import annotations

from pathlib import Path

from .errors import DataError, UsageError, require
from .presets import HUB

HUB_FILES = ("model.safetensors", "pretrained_model/model.pt", "model.pt", "pytorch_model.bin")


def fetch(name: str) -> Path:
    """Local path of ``hf-hub:owner/name[/file][@revision]``, downloaded if it is not in the cache.

    Raises:
        MissingExtra: huggingface_hub is not installed.
        UsageError: the name is not of that form.
        DataError: neither cache nor hub has such a file.
    """
    hub = require("huggingface_hub", "hub", "loading from the Hugging Face hub")
    errors = require("huggingface_hub.errors", "hub", "loading from the Hugging Face hub")
    target, _, revision = name.removeprefix(HUB).partition("@")
    owner, *rest = target.split("/")
    if not owner or not rest or not rest[0]:
        raise UsageError(f"a hub model is hf-hub:owner/name[/file][@revision], but got {name!r}")
    files = ["/".join(rest[1:])] if rest[1:] else list(HUB_FILES)
    reasons = []
    for file in files:
        try:
            return Path(hub.hf_hub_download(f"{owner}/{rest[0]}", file, revision=revision or None))
        except errors.HFValidationError as error:
            raise UsageError(f"{name!r} is no name of a hub model: {_one_line(error)}") from error
        except (errors.HfHubHTTPError, errors.LocalEntryNotFoundError, OSError) as error:
            reasons.append(f"{file}: {_one_line(error)}")
    raise DataError(f"{name} gave no checkpoint; tried {'; '.join(reasons)}")


def _one_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:160] if str(error).strip() else type(error).__name__
