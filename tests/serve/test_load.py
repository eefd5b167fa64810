"""A short version of ``benchmarks/serve.py``: many clients at once, and a memory that stays as it is."""

from __future__ import annotations

import os
import sys

import pytest
from benchmarks.serve import attack, engine_rate

from fiqa import Scorer

METHOD = "attn:block=0"  # one block of the network: what HTTP costs shows all the more
N_REQUESTS = int(os.environ.get("FIQA_TEST_LOAD", "300"))  # 20000: the full check


@pytest.fixture(scope="module")
def server(start):
    return start("--method", METHOD)


def test_64_clients_get_answers_or_a_time_to_come_again(server):
    load = attack(server.port, clients=64, seconds=2)
    assert set(load.statuses) <= {200, 503}
    assert load.statuses[200] > 64
    assert load.unsaid == 0


def test_more_clients_than_places_are_told_so(start):
    small = start("--method", METHOD, "--max-in-flight", "2")
    load = attack(small.port, clients=64, seconds=2)
    assert set(load.statuses) == {200, 503}
    assert load.unsaid == 0


@pytest.mark.slow
def test_the_server_keeps_up_with_the_engine():
    """With the whole network; the share is higher on a machine that does nothing else."""
    from tests.serve.conftest import running

    scorer = Scorer(engine="onnxruntime", threads=1)
    with running() as whole:
        before = engine_rate(scorer, 1)
        load = attack(whole.port, clients=16, seconds=4)
        alone = (before + engine_rate(scorer, 1)) / 2
    assert load.rate > 0.5 * alone


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of a process as Linux tells it")
def test_memory_stays_flat(server):
    attack(server.port, clients=16, n_requests=N_REQUESTS)
    before = server.memory
    attack(server.port, clients=16, n_requests=N_REQUESTS)
    assert server.memory < before + 5
