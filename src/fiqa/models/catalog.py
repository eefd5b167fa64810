"""The embedded model, and how any model is named and opened.

A model is ``"default"`` (embedded), a path (.onnx evidence graph, .safetensors, .pt), ``preset=path``,
``"hf-hub:owner/name"``, the name of a preset that the hub has, or a network object.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .. import engines
from ..engines.base import Engine
from ..errors import DataError, UsageError, require, unknown
from ..graph.checker import check, read_card
from ..network.presets import HUB, PRESETS
from ..types import ModelCard

if TYPE_CHECKING:
    from ..calibration import Profile
    from ..network.vit import ViT

Keep = Literal["all", "exits", "blocks"]
DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A network before it is opened on an engine.

    Attributes:
        card: what is known of it.
        graph: its evidence graph, if there is one already.
        network: loads it for torch; None if there is only a graph.
        profile: its calibration, if one ships with it.
    """

    card: ModelCard
    graph: bytes | None = None
    network: Callable[[], ViT] | None = None
    profile: Profile | None = None

    def open(
        self,
        engine: str,
        wanted: Sequence[str],
        *,
        threads: int | None = None,
        precision: str = "fp32",
        device: str = "auto",
    ) -> Engine:
        """Open on an engine; ``wanted`` names the evidence that will be asked for.

        Raises:
            UsageError: engine, precision, model or evidence do not go together.
            MissingExtra: what the engine needs is not installed.
        """
        kind = engines.choose(engine, sources=self._sources(), precision=precision, device=device)
        source = self._as_graph(wanted) if kind.reads == "graph" else self._as_network(kind.name)
        opened = kind(source, threads=threads, precision=precision, device=device)
        if isinstance(opened, engines.GraphEngine):
            opened.offers(wanted)  # now rather than at the first image, when an output may have been begun
        return opened

    def _sources(self) -> list[str]:
        exportable = engines.installed("onnx") and engines.installed("onnxscript")
        has_graph = self.graph is not None or (self.network is not None and exportable)
        return ["graph"] * has_graph + ["network"] * (self.network is not None)

    def _as_graph(self, wanted: Sequence[str]) -> bytes:
        if self.graph is not None:
            return self.graph
        from ..graph.storage import stored_export

        return stored_export(self._as_network("export"), wanted)

    def _as_network(self, reader: str) -> ViT:
        if self.network is None:
            raise UsageError(f"{self.card.name} is an ONNX graph, which engine {reader!r} can't run")
        require("torch", "torch", f"{self.card.name} as a network")
        return self.network()


def find(model: Any = DEFAULT, *, heads: int | None = None, keep: Keep = "all") -> Model:
    """Find a model by name, path or object, without opening it on an engine.

    Args:
        model: see the module.
        heads: number of attention heads, for a checkpoint that is no preset.
        keep: how much of a checkpoint's recognition head to load, as in ``load_checkpoint``.

    Raises:
        UnknownName, DataError, CheckpointMismatch, UsageError: one sentence on what is wrong.
    """
    if not isinstance(model, (str, os.PathLike)):
        _refuse_heads(heads, f"a {type(model).__name__}")
        return _from_object(model)
    name = os.fspath(model)
    if name == DEFAULT:
        _refuse_heads(heads, "the embedded model")
        return embedded()
    if name.endswith(".onnx"):
        _refuse_heads(heads, f"the graph {name!r}")
        path = Path(name)
        if not path.is_file():
            raise DataError(f"no model at {name!r}")
        graph = path.read_bytes()
        return Model(card=_with_digest(check(graph, repr(name)), [graph]), graph=graph)
    return _from_checkpoint(name, heads, keep)


def _refuse_heads(heads: int | None, model: str) -> None:
    if heads is not None:
        raise UsageError(f"{model} knows its number of attention heads: leave out heads={heads}")


def embedded() -> Model:
    """The model that ships with the package: runs without torch, calibrated."""
    from ..calibration import Profile

    folder = resources.files(__package__)
    graph = (folder / "default.onnx").read_bytes()
    profile = Profile.from_json((folder / "default.json").read_text(encoding="utf-8"))

    def network() -> ViT:
        from ..network import load_checkpoint

        with resources.as_file(folder / "default.safetensors") as path:
            return load_checkpoint(path)

    return Model(
        card=_with_digest(read_card(graph), [graph]),
        graph=graph,
        network=network,
        profile=profile,
    )


def _from_object(model: Any) -> Model:
    require("torch", "torch", f"a model of type {type(model).__name__}")
    from ..network.adapters import adapt
    from ..network.card import describe

    vit = adapt(model)
    return Model(card=describe(vit), network=lambda: vit)


def _from_checkpoint(name: str, heads: int | None, keep: Keep) -> Model:
    preset, _, path = name.rpartition("=") if name.partition("=")[0] in PRESETS else ("", "", name)
    if not path.startswith(HUB) and not Path(path).exists():
        if path in PRESETS:
            preset, path = path, PRESETS[path].source
            if not path.startswith(HUB):
                raise UsageError(f"get {preset} from {path}, then name it as {preset}=FILE")
        elif Path(path).suffix or os.sep in path:
            raise DataError(f"no model at {path!r}")
        else:
            raise unknown("model", path, (DEFAULT, *PRESETS))
    require("torch", "torch", f"loading the checkpoint {path!r}")
    from ..network.card import describe
    from ..network.checkpoints import load_checkpoint

    vit = load_checkpoint(path, heads=heads, preset=preset or None, keep=keep)
    card = describe(vit)
    if Path(path).is_file():
        with open(path, "rb") as file:
            card = _with_digest(card, iter(lambda: file.read(1 << 20), b""))
    return Model(card=card, network=lambda: vit)


def _with_digest(card: ModelCard, chunks: Iterable[bytes]) -> ModelCard:
    """The card with the sha256 of the file at hand, which tells two models of one name apart."""
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return replace(card, sha256=digest.hexdigest())
