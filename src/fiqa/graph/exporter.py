"""A network as an ONNX evidence graph: uint8 RGB crops in, named evidence out, checked against torch."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .. import evidence as names
from ..errors import FiqaError, require
from ..evidence import Name
from ..network.card import describe
from ..network.copies import evaluation_copy
from ..network.recorder import record
from ..network.vit import ViT
from ..types import CROP_SIZE
from .trial import INPUT

TOLERANCE = 1e-4


class ExportMismatch(FiqaError):
    """The exported graph gives other numbers than the network; nothing was written."""


def full_request(vit: ViT) -> tuple[Name, ...]:
    """Names of all the evidence from which every method setting of ``vit`` can be answered."""
    card, last = describe(vit), vit.depth - 1
    wanted: list[Name] = [names.step(b, b + 1, norm) for norm in names.NORMS for b in range(last)]
    wanted += [names.state(b, norm) for norm in names.NORMS for b in range(vit.depth)]
    wanted += [names.received(b) for b in range(vit.depth)]
    wanted += [names.logits(b, reduce) for b in range(vit.depth) for reduce in names.REDUCTIONS]
    if card.exits:
        wanted += [names.exit_(number) for number in range(1, vit.depth + 1)]
    if card.embedding:
        wanted.append(names.EMBEDDING)
    return tuple(wanted)


class _Graph(nn.Module):
    def __init__(self, vit: ViT, wanted: Sequence[str]) -> None:
        super().__init__()
        self.vit, self.wanted = vit, tuple(wanted)

    def forward(self, crops: Tensor) -> tuple[Tensor, ...]:
        return tuple(record(self.vit, crops, self.wanted).values())


def export_graph(vit: ViT, wanted: Sequence[str] | None = None, *, half: bool = False) -> bytes:
    """Serialise ``vit`` as an ONNX model that gives the ``wanted`` evidence (all of it by default).

    Input ``crops`` is uint8 (batch, 112, 112, 3) RGB with a dynamic batch; normalisation is inside, outputs
    are float32 and named as in :mod:`fiqa.evidence`. The model's card travels as metadata ``fiqa.card``.

    Args:
        vit: the network.
        wanted: names of evidence.
        half: store weights as float16 (arithmetic stays float32); the comparison is then with a network
            whose weights were rounded the same way.

    Raises:
        ExportMismatch: an output differs from torch by more than 1e-4 of its largest magnitude.
        MissingExtra: onnx or onnxscript is not installed.
    """
    require("onnx", "export", "exporting to ONNX")
    require("onnxscript", "export", "exporting to ONNX")
    wanted = names.read_names(wanted if wanted is not None else full_request(vit), vit.depth)
    if half:
        vit = _rounded(vit)
    vit = evaluation_copy(vit, "cpu")
    example = torch.zeros(2, CROP_SIZE, CROP_SIZE, 3, dtype=torch.uint8)
    with _quiet(), torch.no_grad():
        record(vit, example, wanted)  # what the network can't give is said here, not inside the exporter
        program = torch.onnx.export(
            _Graph(vit, wanted),
            (example,),
            input_names=[INPUT],
            output_names=list(wanted),
            dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=65536)},),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    _forget_origin(model)
    entry = model.metadata_props.add()
    entry.key, entry.value = "fiqa.card", describe(vit).to_json()
    if half:
        _store_half(model)
    graph = bytes(model.SerializeToString())
    _check_parity(vit, graph, wanted)
    return graph


def export(
    vit: ViT, path: str | os.PathLike[str], wanted: Sequence[str] | None = None, *, half: bool = False
) -> None:
    """Write the graph of :func:`export_graph` to ``path``, whole or not at all.

    Args:
        vit: the network; it stays as it is.
        path: of the ONNX file.
        wanted, half: as of :func:`export_graph`.
    """
    graph = export_graph(vit, wanted, half=half)
    temporary = Path(f"{os.fspath(path)}.part")
    temporary.write_bytes(graph)
    temporary.replace(path)


def _forget_origin(model: Any) -> None:
    """Take out the exporter's notes on where each node came from: they hold paths of this machine."""
    graph = model.graph
    values = (*graph.value_info, *graph.input, *graph.output, *graph.initializer)
    for noted in (model, graph, *graph.node, *values):
        del noted.metadata_props[:]


def _check_parity(vit: ViT, graph: bytes, wanted: Sequence[Name]) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 256, (3, CROP_SIZE, CROP_SIZE, 3), dtype=np.uint8)
    crops[0] = np.linspace(0, 255, CROP_SIZE, dtype=np.uint8)[:, None]  # a smooth one beside the noise
    with torch.inference_mode():
        expected = record(vit, torch.from_numpy(crops), wanted)
    for name, got in zip(wanted, session.run(list(wanted), {INPUT: crops}), strict=True):
        want = expected[name].float().numpy()
        error = np.abs(got - want).max() / max(np.abs(want).max(), 1e-6)
        if not error <= TOLERANCE:
            raise ExportMismatch(
                f"the exported {name!r} differs from torch by {error:.1e} of its largest value, "
                f"more than {TOLERANCE:.0e}: nothing was written"
            )


def _rounded(vit: ViT) -> ViT:
    import copy

    vit = copy.deepcopy(vit)
    for tensor in (*vit.parameters(), *vit.buffers()):
        if tensor.is_floating_point() and tensor.numel() >= _HALF_FROM:
            tensor.data = tensor.data.half().float()
    return vit


_HALF_FROM = 1024  # smaller tensors (epsilons, biases, scales) stay float32: they weigh nothing


def _store_half(model: object) -> None:
    """Replace large float32 weights by float16 ones and a Cast, which run times fold at load."""
    import onnx

    graph = model.graph  # type: ignore[attr-defined]
    casts = []
    for weight in graph.initializer:
        if weight.data_type != onnx.TensorProto.FLOAT:
            continue
        values = onnx.numpy_helper.to_array(weight)
        if values.size < _HALF_FROM:
            continue
        halved = values.astype(np.float16)
        if not np.array_equal(halved.astype(np.float32), values):
            continue  # a constant that the exporter derived, not a rounded weight
        name = weight.name
        weight.CopyFrom(onnx.numpy_helper.from_array(halved, name + "/half"))
        casts.append(onnx.helper.make_node("Cast", [name + "/half"], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter's notes about its own internals; errors still come through."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
