"""What is imported: nothing heavy for help, and no torch for scoring."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from tests.cli.runs import environment


def python(code: str, *, expect: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(), timeout=300
    )
    assert done.returncode == expect, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "code",
    [
        "import sys, fiqa",
        "import sys, typer.testing, fiqa.cli.main as cli;"
        "assert typer.testing.CliRunner().invoke(cli.app, ['--help']).exit_code == 0",
    ],
)
def test_import_and_help_load_nothing_heavy(code):
    heavy = "{'torch', 'numpy', 'PIL', 'onnxruntime', 'openvino', 'matplotlib', 'pyarrow', 'scipy'}"
    started = time.monotonic()
    assert python(f"{code}; print(sorted({heavy} & set(sys.modules)))") == "[]\n"
    assert time.monotonic() - started < 60  # 0.3 s on a machine that does nothing else


def test_scoring_needs_no_torch():
    assert "ok" in python(
        "import sys\n"
        "for name in ('torch', 'onnx', 'onnxscript', 'matplotlib', 'pyarrow', 'transformers'):\n"
        "    sys.modules[name] = None\n"
        "import fiqa\n"
        "from fiqa.examples import example_crops\n"
        "scorer = fiqa.Scorer(threads=1)\n"
        "found = list(scorer.stream(example_crops()))\n"
        "assert all(q.ok and 0 <= q.score <= 100 for q in found)\n"
        "print('ok', scorer.engine)\n"
    )


def test_without_torch_a_checkpoint_asks_for_it_by_the_pip_line(tmp_path):
    (tmp_path / "net.pt").write_bytes(b"weights")
    text = python(
        "import sys\n"
        "sys.modules['torch'] = None\n"
        f"sys.argv = ['fiqa', 'score', 'x.jpg', '--model', {str(tmp_path / 'net.pt')!r}]\n"
        "sys.stderr = sys.stdout\n"
        "from fiqa.cli.main import main\n"
        "main()\n",
        expect=2,
    )
    assert "pip install 'fiqa[torch]'" in text
    assert "Traceback" not in text
