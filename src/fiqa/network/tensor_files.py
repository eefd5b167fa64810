"""A tensor file in → its tensors by name and its metadata out (torch)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from ..errors import CheckpointMismatch, DataError, require
from .pickles import check_pickle

WRAPPERS = ("state_dict", "model", "model_state_dict")
PREFIXES = ("module.", "model.", "net.", "backbone.", "_orig_mod.")


def read_state_dict(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read a tensor file: (key → tensor, metadata), wrappers opened and common prefixes stripped.

    ``.safetensors`` goes through safetensors; anything else through ``torch.load(weights_only=True)``, which
    runs no code from the file. Tensors are mapped, not copied, where the format allows.

    Raises:
        DataError: the file is missing, damaged, or holds no tensors.
        CheckpointMismatch: a few keys lack the prefix that the others have.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"no checkpoint at {str(path)!r}")
    metadata: dict[str, str] = {}
    if path.suffix == ".safetensors":
        found, metadata = _safetensors(path)
    else:
        check_pickle(path)
        found = _torch_load(path)
    for wrapper in WRAPPERS:
        if isinstance(found, Mapping) and isinstance(found.get(wrapper), Mapping):
            found = found[wrapper]
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
        raise DataError(
            f"{str(path)!r} holds no state dict of tensors; expected one, bare or under {WRAPPERS}"
        )
    if not found:
        raise DataError(f"{str(path)!r} holds no tensors")
    for key in found:
        if not isinstance(key, str):
            raise DataError(
                f"the keys of {str(path)!r} must be names, but it has the {type(key).__name__} {key!r:.60}"
            )
    for key, tensor in found.items():
        _check_stored(path, key, tensor)
    return _strip(dict(found)), metadata


def _safetensors(path: Path) -> tuple[Any, dict[str, str]]:
    safetensors = require("safetensors", "torch", "reading .safetensors")
    require("safetensors.torch", "torch", "reading .safetensors")
    try:
        with safetensors.safe_open(str(path), framework="pt") as file:
            # safe_open is no mapping, so it has no items
            return {key: file.get_tensor(key) for key in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except (safetensors.SafetensorError, OSError, ValueError, TypeError, RuntimeError) as error:
        raise DataError(f"{str(path)!r} is no readable safetensors file: {error}") from error


def _torch_load(path: Path) -> Any:
    # What torch raises for a damaged file depends on where the damage is; all of it means the same here.
    try:
        try:
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError:  # a file in torch's old format can't be mapped
            return torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:  # torch's own text would advise to run what the file holds
        raise DataError(
            f"{str(path)!r} is no torch checkpoint of plain tensors: save the network's state_dict() alone"
        ) from error
    except Exception as error:
        reason = str(error).partition(". ")[0] or "it ends too early"
        raise DataError(f"{str(path)!r} can't be read as a torch checkpoint: {reason}") from error


def _check_stored(path: Path, key: str, tensor: Tensor) -> None:
    """Refuse what is no plain array, such as a sparse tensor, or a number repeated to fill the memory."""
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.device.type != "cpu":
        raise DataError(f"{key!r} in {str(path)!r} is no plain tensor: save the network's state_dict() alone")


def _strip(state: dict[str, Tensor]) -> dict[str, Tensor]:
    while prefix := next((p for p in PREFIXES if all(key.startswith(p) for key in state)), ""):
        state = {key[len(prefix) :]: value for key, value in state.items()}
    for prefix in PREFIXES:
        stray = [key for key in state if not key.startswith(prefix)]
        if len(stray) <= len(state) // 10:
            raise CheckpointMismatch(
                f"of {len(state)} keys {len(stray)} lack the prefix {prefix!r} that the others have, "
                f"first {stray[0]!r}: remove what is no part of the network"
            )
    return state
