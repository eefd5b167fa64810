"""The page's own sources: their types, their tests in Node, and their strings."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.web.browser import ROOT

from fiqa.reasons import ADVICE, CODES

WEB = ROOT / "web"
STRINGS = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in (WEB / "page/assets/strings").glob("*.json")
}


@pytest.fixture(scope="module")
def npm() -> str:
    npm = shutil.which("npm")
    if npm is None or not (WEB / "node_modules").is_dir():
        pytest.skip("needs Node and the packages of web, which 'make page' installs")
    return npm


@pytest.mark.parametrize("script", ["check", "test"])
def test_scripts_are_checked_and_tested(npm: str, script: str) -> None:
    done = subprocess.run([npm, "run", "--silent", script], cwd=WEB, capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


def test_every_language_says_the_same_things() -> None:
    english = STRINGS.pop("en")
    assert set(STRINGS) == {"de", "es", "fr"}
    marks = re.compile(r"\{\w+\}")
    for language, strings in STRINGS.items():
        assert set(strings) - {"advice"} == set(english), language
        assert set(strings["advice"]) == set(ADVICE), language
        for name, text in english.items():
            assert sorted(marks.findall(strings[name])) == sorted(marks.findall(text)), f"{language}: {name}"


def test_every_reason_has_a_name() -> None:
    english = json.loads((WEB / "page/assets/strings/en.json").read_text(encoding="utf-8"))
    assert {f"reason.{code}" for code in (*CODES, "motion")} == {
        name for name in english if name.startswith("reason.")
    }


def test_every_text_that_is_asked_for_is_there() -> None:
    english = json.loads((WEB / "page/assets/strings/en.json").read_text(encoding="utf-8"))
    sources = [*(WEB / "page/assets/app").glob("*.js"), WEB / "page/index.html"]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    asked = set(re.findall(r'(?:\bt\(|data-t=)"([a-z_.]+)"', text))
    assert len(asked) > 30
    assert asked <= set(english)


def test_nothing_foreign_is_committed() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "web", "src/fiqa/web"], cwd=ROOT, capture_output=True, text=True
    )
    if listed.returncode:
        pytest.skip("not a clone")
    names = listed.stdout.split()
    assert not [name for name in names if Path(name).suffix in (".wasm", ".onnx", ".gz", ".mjs")]
    assert not [name for name in names if "node_modules" in name]


def test_the_lock_names_no_registry() -> None:
    lock = json.loads((WEB / "package-lock.json").read_text(encoding="utf-8"))
    assert len(lock["packages"]) > 10
    for name, entry in lock["packages"].items():
        assert "resolved" not in entry, name
        assert name == "" or entry["integrity"].startswith("sha512-"), name
