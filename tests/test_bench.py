"""What ``fiqa bench`` measures and prints."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest

from fiqa import bench
from fiqa.errors import UnknownName
from fiqa.models import embedded


def test_a_line_for_every_depth_with_its_own_time(monkeypatch):
    card = embedded().card
    asked = []

    def milliseconds(engine, wanted, *, batch_size):
        asked.append((tuple(wanted), batch_size, engine.precision))
        return float(len(asked))

    monkeypatch.setattr(bench, "milliseconds", milliseconds)
    monkeypatch.setattr(bench, "gemm_rate", lambda threads: 100.0 * threads)
    report = bench.measure("default", "onnxruntime", "fp32", 1, 3, None)
    assert (report.model, report.engine, report.threads) == (card.name, "onnxruntime fp32", 1)
    assert report.gemm_gflops == 100
    assert [line.blocks for line in report.lines] == list(range(1, card.depth + 1))
    assert [line.gflops for line in report.lines] == list(card.gflops)
    assert [line.ms for line in report.lines] == list(range(1, card.depth + 1))
    assert asked == [((f"exit/{n}",), 3, "fp32") for n in range(1, card.depth + 1)]


def test_a_network_without_exits_is_timed_by_its_attention(monkeypatch, make_vit, tmp_path):
    pytest.importorskip("torch", reason="checkpoints need the extra torch")
    from fiqa import save_checkpoint

    save_checkpoint(make_vit(0), tmp_path / "net.safetensors")
    monkeypatch.setattr(bench, "gemm_rate", lambda threads: 1.0)
    report = bench.measure(str(tmp_path / "net.safetensors"), "torch", "fp32", 1, 2, None)
    assert [line.blocks for line in report.lines] == [1, 2, 3]
    assert all(line.ms > 0 for line in report.lines)
    costs = [line.gflops for line in report.lines]
    assert costs == sorted(costs)
    assert costs[0] > 0


def test_the_rate_is_that_of_the_matrix_product(monkeypatch):
    ticks = iter(range(100))
    monkeypatch.setattr(bench, "time", SimpleNamespace(perf_counter=lambda: float(next(ticks))))
    assert bench.gemm_rate(1, size=64) == pytest.approx(2 * 64**3 / 1e9)  # each product takes one second
    monkeypatch.undo()
    assert bench.gemm_rate(1, size=256) > 0.1


def test_an_unknown_engine_is_said_before_anything_is_timed():
    with pytest.raises(UnknownName, match="onnxruntime"):
        bench.measure("default", "onnx", "fp32", 1, 8, None)


def test_the_printed_table_is_consistent():
    options = ["--engine", "onnxruntime", "--threads", "1", "--batch-size", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "fiqa", "bench", *options],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    card = embedded().card
    first, second, header, *lines = done.stdout.splitlines()
    assert first == f"{card.name} on onnxruntime fp32, 1 threads, batch 1"
    rate = float(re.search(r"at (\d+) GFLOP/s", second)[1])
    assert rate > 0
    assert header.split("  ")[0].strip() == "blocks"
    assert len(lines) == card.depth
    for number, line in enumerate(lines):
        blocks, gflops, ms, per_second, share = line.replace("%", "").split()
        assert int(blocks) == number + 1
        assert float(gflops) == pytest.approx(card.gflops[number], abs=0.006)
        assert float(per_second) == pytest.approx(1e3 / float(ms), rel=0.02, abs=1)
        expected = 100 * card.gflops[number] / float(ms) * 1e3 / rate
        assert float(share) == pytest.approx(expected, rel=0.1, abs=1.5)
