"""What a missing, a broken and an interrupted import look like."""

from __future__ import annotations

import sys

import pytest

from fiqa.errors import FiqaError, MissingExtra, require, unknown


def test_a_missing_package_is_the_pip_line():
    with pytest.raises(MissingExtra, match=r"^faces needs nowhere\.inside: pip install 'fiqa\[detect\]'$"):
        require("nowhere.inside", "detect", "faces")


def test_a_hidden_package_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"needs pyarrow: pip install 'fiqa\[parquet\]'"):
        require("pyarrow", "parquet", "writing .parquet")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import nowhere_at_all", "installed but broken: No module named 'nowhere_at_all'"),
        ("raise ImportError('initialization failed')", "installed but broken: initialization failed"),
        ("from os import nothing", "installed but broken: cannot import name 'nothing'"),
    ],
)
def test_a_package_that_does_not_import_is_not_called_missing(source, message, tmp_path, monkeypatch):
    (tmp_path / "broken_package.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(FiqaError, match=message) as caught:
        require("broken_package", "torch", "it")
    assert not isinstance(caught.value, MissingExtra)


@pytest.mark.parametrize("chain", ["from interrupt", ""], ids=["cause", "context"])
def test_an_interrupted_import_stays_an_interrupt(chain, tmp_path, monkeypatch):
    """Compiled modules turn Ctrl-C while they load into a nameless ImportError."""
    (tmp_path / "stopped_package.py").write_text(
        "try:\n    raise KeyboardInterrupt\nexcept KeyboardInterrupt as interrupt:\n"
        f"    raise ImportError('initialization failed') {chain}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        require("stopped_package", "torch", "it")


def test_the_nearest_name_is_suggested():
    assert "Did you mean 'vitnt'?" in str(unknown("method", "vitt", ["vitnt", "attn"]))
