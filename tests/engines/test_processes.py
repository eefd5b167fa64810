"""Engines over processes and threads, and the caller's own network."""

from __future__ import annotations

import multiprocessing
import pickle

import numpy as np
import pytest
import torch

from engines.cases import BATCH, SMALL, WANTED, open_engine, plain_network
from fiqa import engines
from fiqa.engines import TorchEngine


def _in_another_process(connection, engine, wanted):
    connection.send(engine.run(BATCH, wanted)[wanted[0]])


@pytest.mark.slow
@pytest.mark.parametrize("name", engines.ENGINES)
def test_an_engine_can_be_pickled_and_used_after_fork_and_by_spawn(name, make_vit, graph_of):
    vit = make_vit(0, **SMALL)
    engine = open_engine(name, vit, lambda: graph_of("small", vit))
    want = engine.run(BATCH, WANTED)[WANTED[0]]  # and it has threads now
    again = pickle.loads(pickle.dumps(engine))
    np.testing.assert_array_equal(again.run(BATCH, WANTED)[WANTED[0]], want)
    for method in ("fork", "spawn"):
        context = multiprocessing.get_context(method)
        here, there = context.Pipe(duplex=False)
        process = context.Process(target=_in_another_process, args=(there, engine, WANTED))
        process.start()
        assert here.poll(120), f"nothing came back after {method}"
        np.testing.assert_allclose(here.recv(), want, atol=1e-6)
        process.join(30)
        assert process.exitcode == 0


def test_the_caller_s_network_and_threads_stay_as_they_were(make_vit):
    vit = make_vit(0, **SMALL).train().requires_grad_(True)
    state = {key: tensor.clone() for key, tensor in vit.state_dict().items()}
    threads = torch.get_num_threads()
    engine = TorchEngine(vit, threads=threads + 1)
    engine.run(BATCH, WANTED)
    assert torch.get_num_threads() == threads
    assert all(module.training for module in vit.modules())
    assert all(parameter.requires_grad for parameter in vit.parameters())
    assert all(torch.equal(tensor, state[key]) for key, tensor in vit.state_dict().items())
    with torch.no_grad():
        vit.quality_head.project.weight += 1  # the weights are shared, not copied
    assert not np.array_equal(engine.run(BATCH, WANTED)["exit/3"], plain_network(make_vit)["exit/3"])
