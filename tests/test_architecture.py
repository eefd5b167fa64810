"""The house: the layers hold, the picture shows them as they are, and every room is described."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("grimp", reason="reads the imports")
from docs.architecture_picture import PICTURE, imports, layers, picture, reduced

ROOT = Path(__file__).resolve().parents[1]
LINT = "import sys; from importlinter.cli import lint_imports_command as run; sys.argv[1:] = []; run()"


def test_the_picture_shows_the_imports_as_they_are():
    drawn = picture(layers(), reduced(imports()))
    assert PICTURE.read_text(encoding="utf-8") == drawn, "draw it again: python docs/architecture_picture.py"


def test_every_room_is_in_the_picture_and_described():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert len(page.splitlines()) <= 80
    table = "\n".join(line for line in page.splitlines() if line.startswith("|"))
    rooms = {room for row in layers() for room in row}
    assert rooms == set(re.findall(r">(\w+)</text>", PICTURE.read_text(encoding="utf-8")))
    assert rooms == {
        name for cell in re.findall(r"^\| (`.+?) \|", table, re.M) for name in re.findall(r"`(\w+)`", cell)
    }


def test_what_follows_is_left_out():
    edges = {"a": {"b", "c"}, "b": {"c"}, "c": {"d"}}
    assert reduced(edges) == {"a": {"b"}, "b": {"c"}, "c": {"d"}}


@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        ("methods/attn.py", "from .. import scorer as scorer", "fiqa.methods.attn -> fiqa.scorer"),
        ("scorer.py", "from .evaluation import results as results", "fiqa.evaluation"),
        ("methods/base.py", "import torch", "torch"),
    ],
)
def test_an_import_from_above_breaks_the_contract(module, line, broken, tmp_path):
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__", "*.onnx"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    file = tmp_path / "src" / "fiqa" / module
    text = file.read_text(encoding="utf-8")
    file.write_text(
        text.replace("import annotations\n", f"import annotations\n\n{line}\n", 1), encoding="utf-8"
    )
    done = subprocess.run(
        [sys.executable, "-c", LINT],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "src"), "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "BROKEN" in done.stdout
    assert broken in done.stdout
