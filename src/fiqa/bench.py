"""What a pass costs at each depth, on this machine, beside what its matrix products must cost."""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib import resources

import numpy as np

from . import evidence as names
from .budget import milliseconds
from .engines.base import available_threads
from .models.catalog import find


@dataclass(frozen=True, slots=True)
class Line:
    """One depth: ``blocks`` run, their GFLOPs a face (None if unknown), and measured milliseconds a face."""

    blocks: int
    gflops: float | None
    ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All depths of a model on an engine; ``gemm_gflops`` is the machine's float32 rate, GFLOP/s."""

    model: str
    engine: str
    threads: int
    gemm_gflops: float
    lines: tuple[Line, ...]


def measure(
    model: str, engine: str, precision: str, threads: int | None, batch_size: int, heads: int | None
) -> Report:
    """Time every depth of ``model``, reading the attention logits or the exit of its last block."""
    found = find(model, heads=heads, keep="exits")
    card = found.card
    wanted = [names.exit_(n + 1) if card.exits else names.received(n) for n in range(card.depth)]
    opened = found.open(engine, wanted, threads=threads, precision=precision)
    lines = tuple(
        Line(
            n + 1,
            card.gflops[n] if card.gflops else None,
            milliseconds(opened, [wanted[n]], batch_size=batch_size),
        )
        for n in range(card.depth)
    )
    n_threads = available_threads(threads)
    return Report(
        model=card.name,
        engine=f"{opened.name} {opened.precision}",
        threads=n_threads,
        gemm_gflops=gemm_rate(n_threads),
        lines=lines,
    )


def gemm_rate(threads: int, size: int = 2048, repeats: int = 3) -> float:
    """Float32 GFLOP/s of this machine: ONNX Runtime on two size × size matrices."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    graph = (resources.files("fiqa") / "gemm.onnx").read_bytes()  # a @ b, made by benchmarks/gemm.py
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    a = np.random.default_rng(0).standard_normal((size, size), dtype=np.float32)
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        session.run(None, {"a": a, "b": a})
        times.append(time.perf_counter() - start)
    return 2 * size**3 / min(times[1:]) / 1e9
