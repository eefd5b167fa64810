"""Graphs that took long to make, from the cache if they were made before (:mod:`fiqa.cache`)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..cache import kept

if TYPE_CHECKING:
    from ..network.vit import ViT


def stored_export(vit: ViT, wanted: Sequence[str]) -> bytes:
    """What :func:`fiqa.graph.export_graph` gives; a network of modules from elsewhere is exported every time.

    Args:
        vit: the network.
        wanted: names of evidence.
    """
    from .exporter import export_graph

    if not _is_ours(vit):
        return export_graph(vit, wanted)
    return kept("graph", _network_parts(vit, wanted), lambda: export_graph(vit, wanted))


def stored_onnx_int8(graph: bytes) -> bytes:
    """What :func:`fiqa.graph.onnx_int8` gives."""
    from .quantizer import onnx_int8

    parts: list[str | bytes] = ["onnxruntime", *_versions("onnx", "onnxruntime"), graph]
    return kept("int8", parts, lambda: onnx_int8(graph))


def stored_openvino_int8(core: Any, graph: bytes) -> Any:
    """The ``openvino.Model`` that :func:`fiqa.graph.openvino_int8` makes of a graph.

    Args:
        core: an ``openvino.Core``.
        graph: the evidence graph, cut to what is wanted.
    """
    from .quantizer import openvino_int8

    def make() -> bytes:
        import openvino

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "int8.xml"
            openvino.save_model(openvino_int8(core.read_model(graph)), path, compress_to_fp16=False)
            model, weights = path.read_bytes(), path.with_suffix(".bin").read_bytes()
        return len(model).to_bytes(8, "little") + model + weights

    parts: list[str | bytes] = ["openvino", *_versions("openvino", "nncf"), graph]
    both = kept("int8", parts, make)
    end = 8 + int.from_bytes(both[:8], "little")
    return core.read_model(both[8:end], both[end:])


def _is_ours(vit: ViT) -> bool:
    """Whether weights, structure and this package's code decide what the network computes."""
    return all(
        type(module).__module__.startswith(("fiqa.", "torch.nn."))
        and not (module._forward_hooks or module._forward_pre_hooks)
        for module in vit.modules()
    )


def _network_parts(vit: ViT, wanted: Sequence[str]) -> Iterator[str | bytes]:
    from ..network.card import describe

    yield from _versions("torch", "onnx", "onnxscript")
    yield from (*wanted, describe(vit).to_json(), repr(vit.config), repr(vit))
    for name, tensor in (*vit.named_parameters(), *vit.named_buffers()):
        yield f"{name} {tensor.dtype} {tuple(tensor.shape)}"
        yield tensor.detach().cpu().contiguous().numpy().tobytes()


def _versions(*packages: str) -> Iterator[str]:
    yield from (f"{name} {version(name)}" for name in packages)
    yield from (__version__, _code())


@cache
def _code() -> str:
    """Digest of the code that decides a graph: between two releases the version alone tells nothing."""
    import hashlib

    root = Path(__file__).parents[1]
    digest = hashlib.sha256()
    sources = [root / "evidence.py", root / "degradations.py"]
    sources += [*sorted(root.glob("network/*.py")), *sorted(root.glob("graph/*.py"))]
    for path in sources:
        digest.update(path.read_bytes())
    return digest.hexdigest()
