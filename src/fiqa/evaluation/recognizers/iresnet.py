"""IResNet and IR recognisers from published checkpoints, built from the keys and shapes of the file.

ArcFace (Deng et al., CVPR 2019), ElasticFace, MagFace and CR-FIQA share one IResNet; CurricularFace (Huang et
al., CVPR 2020) has an IR network with key names of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from ...errors import CheckpointMismatch

State = Mapping[str, Tensor]


class Bottleneck(nn.Module):
    """IResNet's block: BN, 3×3, BN, PReLU, 3×3 with the stride, BN, plus the shortcut."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(n_in)
        self.conv1 = nn.Conv2d(n_in, n_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(n_out)
        self.prelu = nn.PReLU(n_out)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, stride, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(n_out)
        changes = stride != 1 or n_in != n_out
        self.downsample = _projection(n_in, n_out, stride) if changes else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:  # (B, n_in, h, w) -> (B, n_out, h/stride, w/stride)
        y = self.prelu(self.bn2(self.conv1(self.bn1(x))))
        return self.bn3(self.conv2(y)) + self.downsample(x)


def _projection(n_in: int, n_out: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out))


class IResNet(nn.Module):
    """IResNet with the given blocks a stage and widths (stem, then one a stage), on 112×112 input."""

    def __init__(self, n_blocks: list[int], widths: list[int], n_features: int, has_quality: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, widths[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.prelu = nn.PReLU(widths[0])
        for stage, (n_in, n_out) in enumerate(pairwise(widths), 1):
            blocks = [Bottleneck(n_in, n_out, 2)]
            blocks += [Bottleneck(n_out, n_out, 1) for _ in range(n_blocks[stage - 1] - 1)]
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))
        self.bn2 = nn.BatchNorm2d(widths[-1])
        self.fc = nn.Linear(widths[-1] * 7 * 7, n_features)
        self.features = nn.BatchNorm1d(n_features)
        if has_quality:
            self.qs = nn.Linear(n_features, 1)  # CR-FIQA's quality head, on the embedding

    def stages(self) -> list[list[nn.Module]]:
        """The blocks of each of the four stages, in order."""
        return [list(getattr(self, f"layer{stage}")) for stage in range(1, 5)]

    def flat_features(self, x: Tensor) -> Tensor:
        """What enters the last fully connected layer, where training has its dropout: (B, 25088)."""
        x = self.prelu(self.bn1(self.conv1(x)))
        for stage in self.stages():
            for block in stage:
                x = block(x)
        return self.bn2(x).flatten(1)

    def project(self, flat: Tensor) -> Tensor:
        """The embedding (B, D) from ``flat_features``."""
        return self.features(self.fc(flat))

    def forward(self, x: Tensor) -> Tensor:
        return self.project(self.flat_features(x))

    def quality(self, x: Tensor) -> Tensor:
        """CR-FIQA's quality (B,), higher = better."""
        return self.qs(self(x))[:, 0]


class IRBlock(nn.Module):
    """CurricularFace's block: as IResNet's without the middle BN; an unchanged width needs no projection."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.shortcut_layer = nn.MaxPool2d(1, stride) if n_in == n_out else _projection(n_in, n_out, stride)
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(n_in),
            nn.Conv2d(n_in, n_out, 3, padding=1, bias=False),
            nn.PReLU(n_out),
            nn.Conv2d(n_out, n_out, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(n_out),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut_layer(x) + self.res_layer(x)


class IRNet(nn.Module):
    """CurricularFace's IR network with the given blocks a stage and widths (stem, then one a stage)."""

    def __init__(self, n_blocks: list[int], widths: list[int], n_features: int) -> None:
        super().__init__()
        self.input_layer = nn.Sequential(
            nn.Conv2d(3, widths[0], 3, padding=1, bias=False), nn.BatchNorm2d(widths[0]), nn.PReLU(widths[0])
        )
        blocks = []
        for count, (n_in, n_out) in zip(n_blocks, pairwise(widths), strict=True):
            blocks += [IRBlock(n_in, n_out, 2)] + [IRBlock(n_out, n_out, 1) for _ in range(count - 1)]
        self.body = nn.Sequential(*blocks)
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(widths[-1]),
            nn.Dropout(),
            nn.Flatten(),
            nn.Linear(widths[-1] * 7 * 7, n_features),
            nn.BatchNorm1d(n_features, affine=False),
        )
        self._n_blocks = n_blocks

    def stages(self) -> list[list[nn.Module]]:
        """The blocks of each of the four stages, in order."""
        blocks = iter(self.body)
        return [[next(blocks) for _ in range(count)] for count in self._n_blocks]

    def flat_features(self, x: Tensor) -> Tensor:
        """What enters the last fully connected layer, where training has its dropout: (B, 25088)."""
        return self.output_layer[0](self.body(self.input_layer(x))).flatten(1)

    def project(self, flat: Tensor) -> Tensor:
        """The embedding (B, D) from ``flat_features``."""
        return self.output_layer[4](self.output_layer[3](flat))

    def forward(self, x: Tensor) -> Tensor:
        return self.project(self.flat_features(x))


Network = IResNet | IRNet


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A network and what its keys tell: ``layout`` is ``"iresnet"`` or ``"ir"``."""

    network: Network
    layout: str
    depth: int
    has_quality: bool


def network_from_state(state: State) -> Loaded:
    """Build the network that these tensors belong to, and fill it, strictly, in evaluation mode.

    Raises CheckpointMismatch when no layout fits, or names the first missing and unexpected keys.
    """
    state = _without_training_parts(state)
    network: Network
    if "layer1.0.bn1.weight" in state:
        layout, network = "iresnet", _empty_iresnet(state)
    elif "body.0.res_layer.1.weight" in state:
        layout, network = "ir", _empty_ir(state)
    else:
        first = ", ".join(list(state)[:3])
        raise CheckpointMismatch(
            "this is no recogniser known here: expected the keys of an IResNet (layer1.0.bn1.weight …) or of "
            f"CurricularFace's IR (body.0.res_layer.1.weight …), but it begins with {first}"
        )
    _check(network, state)
    network.load_state_dict({key: _as_float(value) for key, value in state.items()}, assign=True)
    depth = {"iresnet": 2, "ir": 3}[layout] + 2 * sum(map(len, network.stages()))
    network.eval().requires_grad_(False)
    return Loaded(network=network, layout=layout, depth=depth, has_quality="qs.weight" in state)


def _without_training_parts(state: State) -> dict[str, Tensor]:
    # MagFace's files hold the backbone below 'features.' and the classifier of its training beside it
    for prefix in ("features.module.", "features."):
        if f"{prefix}conv1.weight" in state:
            inside = {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}
            outside = [key for key in state if not key.startswith(prefix)]
            if any(re.fullmatch(r"(module\.)?fc\.weight", key) is None for key in outside):
                raise CheckpointMismatch(
                    f"unexpected key {outside[0]!r} beside the network {prefix}*: expected at most fc.weight"
                )
            return inside
    return dict(state)


def _as_float(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value


def _empty_iresnet(state: State) -> IResNet:
    blocks = [re.match(r"layer(\d)\.(\d+)\.", key) for key in state]
    n_blocks = [1 + max((int(m[2]) for m in blocks if m and m[1] == str(s)), default=0) for s in range(1, 5)]
    firsts = ["conv1.weight", *(f"layer{stage}.0.conv1.weight" for stage in range(1, 5))]
    widths = [_rows(state, key) for key in firsts]
    with torch.device("meta"):
        return IResNet(n_blocks, widths, _rows(state, "fc.weight"), "qs.weight" in state)


def _empty_ir(state: State) -> IRNet:
    found = {int(m[1]) for key in state if (m := re.match(r"body\.(\d+)\.res_layer\.1\.weight", key))}
    outs = [_rows(state, f"body.{index}.res_layer.1.weight") for index in range(max(found) + 1)]
    stage_widths = list(dict.fromkeys(outs))  # a stage is a run of blocks of one width
    n_blocks = [outs.count(width) for width in stage_widths]
    widths = [_rows(state, "input_layer.0.weight"), *stage_widths]
    with torch.device("meta"):
        return IRNet(n_blocks, widths, _rows(state, "output_layer.3.weight"))


def _rows(state: State, key: str) -> int:
    if key not in state:
        raise CheckpointMismatch(f"the checkpoint lacks {key!r}: the file is cut, or of another network")
    return int(state[key].shape[0])


def _check(network: Network, state: State) -> None:
    expected = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    missing = [key for key in expected if key not in state]
    unexpected = [key for key in state if key not in expected]
    if missing or unexpected:
        raise CheckpointMismatch(
            f"the checkpoint lacks {len(missing)} keys (first: {missing[:1]}) and has {len(unexpected)} "
            f"unexpected ones (first: {unexpected[:1]}): it is not the network that its other keys describe"
        )
    for key, shape in expected.items():
        if tuple(state[key].shape) != shape:
            raise CheckpointMismatch(
                f"{key} is {tuple(state[key].shape)} in the checkpoint, but the network that its other keys "
                f"describe needs {shape}"
            )
