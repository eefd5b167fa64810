"""What a user of the core install meets: every module, the demo, and which extra is named for the rest.

Run by ``check_package.py`` with the Python of an environment that has the core dependencies and nothing more.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import fiqa
from fiqa.errors import MissingExtra
from fiqa.examples import example_paths

NETWORKS = {"torch", "onnx", "onnxscript", "safetensors", "openvino", "nncf"}
SERVER = {"fastapi", "starlette", "uvicorn", "prometheus_client", "python_multipart"}
EXTRAS = NETWORKS | SERVER | {"pyarrow", "huggingface_hub", "mtcnn", "av"}
TORCH, PORTRAIT = "pip install 'fiqa[torch]'", str(example_paths()[0])
IN_PYTHON: dict[str, tuple[Callable[[], object], str]] = {
    "fiqa.ViT": (lambda: fiqa.ViT, TORCH),
    "fiqa.load_checkpoint('model.pt')": (lambda: fiqa.load_checkpoint("model.pt"), TORCH),
    "fiqa.Scorer(engine='torch')": (lambda: fiqa.Scorer(engine="torch"), TORCH),
    "fiqa.faces.default_detector()": (fiqa.faces.default_detector, "pip install 'fiqa[detect]'"),
}
COMMANDS = {
    ("score", PORTRAIT, "--engine", "torch"): TORCH,
    ("bench", "--engine", "torch"): TORCH,
    ("export", "net.onnx"): "pip install 'fiqa[",
    ("score", PORTRAIT, "-o", "scores.parquet"): "pip install 'fiqa[parquet]'",
    ("serve", "--port", "0"): "pip install 'fiqa[serve]'",
    ("best", PORTRAIT, "-o", "best"): "pip install 'fiqa[video]'",
}


def main() -> int:
    faults = [*modules(), *python(), *demo(), *commands()]
    for line in faults:
        print(f"core install: {line}", file=sys.stderr)
    if not faults:
        print(f"core install of fiqa {fiqa.__version__}: modules, demo and the names of extras are right")
    return int(bool(faults))


def modules() -> Iterator[str]:
    """Modules that can't be imported for another reason than a missing extra."""
    for extra in EXTRAS & {module.name for module in pkgutil.iter_modules()}:
        yield f"{extra} is installed, so its absence is not tried"
    for module in pkgutil.walk_packages(fiqa.__path__, "fiqa."):
        if module.name.endswith("__main__"):
            continue
        try:
            importlib.import_module(module.name)
        except MissingExtra:
            pass
        except ImportError as error:
            if error.name is None or error.name.partition(".")[0] not in EXTRAS:
                yield f"import {module.name}: {error}"


def python() -> Iterator[str]:
    """Calls that do not name the extra that they need."""
    for text, (call, expected) in IN_PYTHON.items():
        try:
            call()
        except MissingExtra as error:
            if expected not in str(error):
                yield f"{text} says {error}, not {expected}"
        except Exception as error:
            yield f"{text} raises {error!r}"
        else:
            yield f"{text} works without its extra"


def demo() -> Iterator[str]:
    """What goes wrong in the first command that anybody runs."""
    done = fiqa_command("demo", "--output", "demo")
    if done.returncode or not Path("demo/index.html").is_file():
        yield f"fiqa demo ends with {done.returncode}: {done.stderr}"


def commands() -> Iterator[str]:
    """Commands that do not end with 2 and one line that names the extra."""
    for arguments, expected in COMMANDS.items():
        done = fiqa_command(*arguments)
        lines = done.stderr.strip().splitlines()
        if done.returncode != 2 or not lines or expected not in lines[-1] or "Traceback" in done.stderr:
            yield f"fiqa {' '.join(arguments)} ends with {done.returncode}: {json.dumps(done.stderr[-300:])}"


def fiqa_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-m", "fiqa", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


if __name__ == "__main__":
    raise SystemExit(main())
