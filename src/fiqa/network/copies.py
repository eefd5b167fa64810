"""A network in → a copy in evaluation mode out, on a device; the one given stays as it was (torch)."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def evaluation_copy(network: Network, device: str | torch.device | None = None) -> Network:
    """A copy of the modules, in evaluation mode, that shares the weights where their device allows it.

    Args:
        network: is not touched: its mode, device and gradients stay.
        device: of the copy; None: where each weight is. Weights that are elsewhere are copied there.
    """
    tensors = [*network.parameters(), *network.buffers()]
    here = device is None or all(tensor.device == torch.empty(0, device=device).device for tensor in tensors)
    shared = {id(tensor): tensor for tensor in tensors} if here else {}
    copied = copy.deepcopy(network, shared)
    return (copied if here else copied.to(device)).eval()
