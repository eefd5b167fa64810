"""Names that packages hand on: each means one thing, whatever was imported, and nothing else is shown."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from types import ModuleType

import pytest

import fiqa

PACKAGES = ["fiqa", *(found.name for found in pkgutil.walk_packages(fiqa.__path__, "fiqa.") if found.ispkg)]
READ_TWICE = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
first = {name: getattr(package, name) for name in package.__all__}
for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if not found.name.endswith("__main__"):
        importlib.import_module(found.name)
print([name for name, value in first.items() if getattr(package, name) is not value])
"""


def _python(code: str, *arguments: str) -> str:
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _hands_on(package: str) -> bool:
    return hasattr(importlib.import_module(package), "__all__")


@pytest.mark.parametrize("package", [name for name in PACKAGES if _hands_on(name)])
def test_a_name_means_the_same_after_every_submodule_was_imported(package):
    pytest.importorskip("torch", reason="networks need the extra torch")
    assert _python(READ_TWICE, package) == "[]"


@pytest.mark.parametrize("package", [name for name in PACKAGES if _hands_on(name)])
def test_no_public_name_is_a_module(package):
    pytest.importorskip("torch", reason="networks need the extra torch")
    module = importlib.import_module(package)
    assert len(set(module.__all__)) == len(module.__all__)
    assert [name for name in module.__all__ if isinstance(getattr(module, name), ModuleType)] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_dir_shows_public_names_and_submodules_only(package):
    module = importlib.import_module(package)
    shown = {name for name in dir(module) if not name.startswith("_")}
    submodules = {found.name for found in pkgutil.iter_modules(module.__path__)}
    assert shown <= {*getattr(module, "__all__", ()), *submodules}


@pytest.mark.parametrize(
    "name",
    ["faces.align", "images.load", "methods.parse", "pages.overlay", "evaluation.edc", "engines.choose"],
)
def test_a_package_s_function_needs_no_import_by_hand(name):
    code = "import fiqa, operator, sys; print(callable(operator.attrgetter(sys.argv[1])(fiqa)))"
    assert _python(code, name) == "True"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"module 'fiqa' has no attribute 'Scorrer'"):
        fiqa.Scorrer  # noqa: B018
