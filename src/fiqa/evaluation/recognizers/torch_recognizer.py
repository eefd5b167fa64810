"""Recognisers from published PyTorch checkpoints, and the two looks inside that quality methods need."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ...errors import UsageError, unknown
from ...network.checkpoints import read_state_dict
from ...types import FloatArray, ImageArray
from .iresnet import IResNet, network_from_state
from .types import Preprocess, preprocess_named

LEVELS = ("image", "block1", "block2", "block3", "block4")
"""Where gradients can be read: at the input, or at one of the four stages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """What a checkpoint's keys don't tell: the input's range and BatchNorm's epsilon."""

    layout: str
    preprocess: str
    has_quality: bool = False
    epsilon: float = 1e-5


FAMILIES = {
    "arcface": Family(layout="iresnet", preprocess="half"),
    "elasticface": Family(layout="iresnet", preprocess="half"),
    "magface": Family(layout="iresnet", preprocess="unit", epsilon=2e-5),
    "curricularface": Family(layout="ir", preprocess="half"),
    "cr-fiqa": Family(layout="iresnet", preprocess="half", has_quality=True),
}


class TorchRecognizer:
    """An IResNet or IR recogniser with its published weights.

    Args:
        checkpoint: a ``.pt``, ``.pth`` or ``.safetensors`` file, or the state dict itself.
        family: a key of ``FAMILIES``. ArcFace's and MagFace's files have the same keys and another input
            range, so this can't be read from the file and is never guessed.
        channels: ``"rgb"`` or ``"bgr"``, the order the network was trained on.
        device: ``"auto"`` (CUDA if there is one), ``"cpu"``, ``"cuda"`` …
        name: by default the family and depth, as ``arcface-iresnet100``.

    Raises:
        DataError: the file is missing or damaged.
        CheckpointMismatch: its keys or shapes are not those of the family.
        UnknownName: there is no such family.
    """

    def __init__(
        self,
        checkpoint: str | Path | Mapping[str, Tensor],
        family: str,
        *,
        channels: str = "rgb",
        device: str = "auto",
        name: str | None = None,
    ) -> None:
        if family not in FAMILIES:
            raise unknown("recogniser family", family, FAMILIES)
        is_file = isinstance(checkpoint, str | Path)
        state = read_state_dict(checkpoint)[0] if isinstance(checkpoint, str | Path) else checkpoint
        loaded = network_from_state(state)
        wanted = FAMILIES[family]
        if (loaded.layout, loaded.has_quality) != (wanted.layout, wanted.has_quality):
            fitting = [
                name
                for name, other in FAMILIES.items()
                if (other.layout, other.has_quality) == (loaded.layout, loaded.has_quality)
            ]
            raise UsageError(
                f"{checkpoint if is_file else 'the state dict'} is not of family {family!r}: "
                f"its keys fit {', '.join(fitting)}"
            )
        self.preprocess: Preprocess = preprocess_named(wanted.preprocess, channels)
        self.has_quality = loaded.has_quality
        self.name = name or f"{family}-{loaded.layout}{loaded.depth}"
        self.identity = f"torch:{_digest(state)}:{self.preprocess}"
        self.device = torch.device(_default_device() if device == "auto" else device)
        self.network = loaded.network.to(self.device)
        for module in self.network.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.eps = wanted.epsilon

    @torch.inference_mode()
    def embed(self, crops: ImageArray) -> FloatArray:
        """Embeddings (B, D) float32, not normalised, of crops (B, 112, 112, 3) uint8 RGB."""
        return _numpy(self.network(self._input(crops)))

    @torch.inference_mode()
    def quality(self, crops: ImageArray) -> FloatArray:
        """CR-FIQA's quality (B,), higher = better; a UsageError if the checkpoint has no quality head."""
        if not isinstance(self.network, IResNet) or not self.has_quality:
            raise UsageError(f"{self.name} has no quality head (key qs.weight): use a CR-FIQA checkpoint")
        return _numpy(self.network.quality(self._input(crops)))

    @torch.inference_mode()
    def dropout_embeddings(
        self, crops: ImageArray, n_samples: int = 100, rate: float = 0.5, seed: int = 0
    ) -> FloatArray:
        """Embeddings (B, n_samples, D) under dropout before the last fully connected layer.

        The network runs once; the sub-networks share all but that layer. The masks depend on ``seed`` only,
        so that an image's result does not depend on the images beside it.
        """
        if n_samples < 2 or not 0 < rate < 1:
            raise UsageError(
                f"n_samples must be at least 2 and rate in (0, 1), but got {n_samples} and {rate}"
            )
        flat = self.network.flat_features(self._input(crops))  # (B, F)
        rng = torch.Generator().manual_seed(seed)
        kept = torch.rand(n_samples, flat.shape[1], generator=rng) >= rate
        masks = kept.to(flat) / (1 - rate)  # (n, F)
        return np.stack([_numpy(self.network.project(row * masks)) for row in flat])

    def statistics_gradient(
        self, crops: ImageArray, level: str = "block2", wrt: str = "weights"
    ) -> FloatArray:
        """Sum of absolute gradients (B,) of GraFIQs' BatchNorm-statistics loss (Kolf et al., CVPRW 2024).

        For each BatchNorm layer over feature maps, the loss is the mean over channels of
        (μ − μ_train)² + (σ² − σ²_train)², where μ and σ² are of one image's activations entering the layer,
        and the others what training recorded; the layers' losses are summed. 0 = just as in training.
        ``level`` is a member of ``LEVELS``; ``wrt`` is ``"weights"`` (the parameters of that stage) or
        ``"output"`` (the activations leaving it; the only choice at ``"image"``, where it means the input).
        """
        if level not in LEVELS:
            raise unknown("level", level, LEVELS)
        if wrt not in ("weights", "output") or (level == "image" and wrt == "weights"):
            raise UsageError(
                f"wrt must be 'weights' or 'output', and 'output' at level 'image', but got {wrt!r}"
            )
        images = self._input(crops)
        if wrt == "output":  # the images of a batch do not mix, so one backward pass gives each its own
            loss, target = self._statistics_loss(images, level)
            (gradient,) = torch.autograd.grad(loss, target)
            return _numpy(gradient.abs().flatten(1).sum(1))
        stage = self.network.stages()[LEVELS.index(level) - 1]
        weights = [weight for block in stage for weight in block.parameters()]
        try:
            for weight in weights:
                weight.requires_grad_(True)
            sums = []
            for image in images:  # the gradient of a shared weight must not add up over images
                loss, _ = self._statistics_loss(image[None], "image")
                gradients = torch.autograd.grad(loss, weights, allow_unused=True)
                sums.append(sum(float(g.abs().sum()) for g in gradients if g is not None))
        finally:
            for weight in weights:
                weight.requires_grad_(False)
        return np.array(sums, dtype=np.float32)

    def _statistics_loss(self, images: Tensor, level: str) -> tuple[Tensor, Tensor]:
        losses: list[Tensor] = []
        target: list[Tensor] = []

        def compare(layer: nn.BatchNorm2d, inputs: tuple[Tensor, ...]) -> None:
            mean = inputs[0].mean((2, 3))  # (B, C)
            variance = inputs[0].var((2, 3), correction=0)
            error = (mean - layer.get_buffer("running_mean")) ** 2
            error += (variance - layer.get_buffer("running_var")) ** 2
            losses.append(error.mean(1).sum())

        def keep(_: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> Tensor:
            target.append(output.detach().requires_grad_(True))
            losses.clear()  # layers before the target do not depend on it
            return target[0]

        with ExitStack() as hooks, torch.enable_grad():
            for module in self.network.modules():
                if isinstance(module, nn.BatchNorm2d):
                    hooks.callback(module.register_forward_pre_hook(compare).remove)
            if level == "image":
                images = images.clone().requires_grad_(True)
                target.append(images)
            else:
                last = self.network.stages()[LEVELS.index(level) - 1][-1]
                hooks.callback(last.register_forward_hook(keep).remove)
            self.network.flat_features(images)
            return torch.stack(losses).sum(), target[0]

    def _input(self, crops: ImageArray) -> Tensor:
        return torch.from_numpy(self.preprocess(crops)).to(self.device)


def _default_device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def _numpy(tensor: Tensor) -> FloatArray:
    return tensor.float().cpu().numpy()


def _digest(state: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for key in sorted(state):
        digest.update(key.encode())
        digest.update(state[key].detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:32]
