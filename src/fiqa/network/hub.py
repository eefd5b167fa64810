"""Checkpoints from the Hugging Face hub, through its own client and cache (extra ``hub``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import DataError, UsageError, require
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
    repository: dict[str, Any] = {"repo_id": f"{owner}/{rest[0]}", "revision": revision or None}
    try:
        for file in files:  # what is in the cache is taken without asking the hub
            try:
                return Path(hub.hf_hub_download(filename=file, local_files_only=True, **repository))
            except errors.LocalEntryNotFoundError:
                continue
        for file in files:
            try:
                return Path(hub.hf_hub_download(filename=file, **repository))
            except errors.LocalEntryNotFoundError:
                raise  # the hub can't be reached; a kind of EntryNotFoundError in its own terms
            except errors.EntryNotFoundError:
                continue
    except errors.HFValidationError as error:
        raise UsageError(f"{name!r} is no name that the hub allows: {_one_line(error)}") from error
    except (errors.HfHubHTTPError, errors.LocalEntryNotFoundError, OSError) as error:
        raise DataError(
            f"{name} is not in the cache and the hub gives no such file: {_cause(error)}"
        ) from error
    raise DataError(f"{name} holds none of {', '.join(files)}; name the file: {name}/FILE")


def _one_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0][:160] if str(error).strip() else type(error).__name__


def _cause(error: BaseException) -> str:
    """What lies under the hub client's own, long message: no connection, no such file, …"""
    return _one_line(error.__cause__ or error)
