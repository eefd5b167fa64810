from __future__ import annotations

import doctest
import inspect
import subprocess
import sys

import pytest

import fiqa.calibration.gates
import fiqa.calibration.profile
import fiqa.evaluation
import fiqa.evaluation.metrics.protocols


@pytest.mark.parametrize("name", fiqa.evaluation.__all__)
def test_every_public_name_is_there(name):
    first = getattr(fiqa.evaluation, name)
    assert not inspect.ismodule(first)
    assert first is getattr(fiqa.evaluation, name)
    assert name in dir(fiqa.evaluation)


def test_no_more_names_than_the_public_ones():
    assert dir(fiqa.evaluation) == sorted(fiqa.evaluation.__all__)


def test_edc_is_the_function_and_nothing_heavy_comes_with_it():
    code = (
        "import sys; from fiqa.evaluation import edc; "
        "print(callable(edc), [m for m in ('torch', 'matplotlib', 'PIL', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True []\n"


@pytest.mark.parametrize(
    "module",
    [fiqa.calibration.gates, fiqa.calibration.profile, fiqa.evaluation.metrics.protocols],
    ids=lambda module: module.__name__,
)
def test_the_examples_in_the_docstrings(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


def test_an_unknown_name():
    with pytest.raises(AttributeError, match="no attribute 'edcc'"):
        fiqa.evaluation.edcc  # noqa: B018
