"""The checkout in → wheel and sdist out, and the wheel proved in a fresh environment outside the checkout.

``python tools/check_package.py [FOLDER]`` (default: dist) needs the package ``build``. What is tried in the
fresh environment, which has the core dependencies and nothing more, stands in ``check_core.py``.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
IN_THE_WHEEL = (
    "fiqa/py.typed",
    "fiqa/models/default.onnx",
    "fiqa/examples/landmarks.csv",
    "fiqa/pages/style.css",
)


def main() -> int:
    out = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "dist").resolve()
    for old in [*out.glob("fiqa-*.whl"), *out.glob("fiqa-*.tar.gz")]:
        old.unlink()
    # the wheel is made from the sdist, so the sdist is known to be whole
    _run(sys.executable, "-m", "build", "--outdir", out, ROOT)
    wheel, sdist = next(out.glob("fiqa-*.whl")), next(out.glob("fiqa-*.tar.gz"))
    wrong = wheel_faults(wheel) + description_faults(wheel) + sdist_faults(sdist)
    for line in wrong:
        print(f"package: {line}", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        return int(bool(wrong)) or core_faults(wheel, Path(folder))


def wheel_faults(wheel: Path) -> list[str]:
    """What the wheel lacks, or holds beside the package."""
    names = zipfile.ZipFile(wheel).namelist()
    built = [path for path in (ROOT / "src" / "fiqa" / "web" / "page").rglob("*") if path.is_file()]
    needed = [*IN_THE_WHEEL, *(path.relative_to(ROOT / "src").as_posix() for path in built)]
    faults = [f"{wheel.name} lacks {name}" for name in needed if name not in names]
    tops = {name.partition("/")[0] for name in names}
    return faults + [
        f"{wheel.name} holds {top}" for top in tops if top != "fiqa" and not top.endswith(".dist-info")
    ]


def description_faults(wheel: Path) -> list[str]:
    """Pictures and links of the description that lead beside it, where an index has nothing."""
    with zipfile.ZipFile(wheel) as packed:
        name = next(name for name in packed.namelist() if name.endswith(".dist-info/METADATA"))
        text = packed.read(name).decode()
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    return [f"the description links to {link}" for link in links if not link.startswith(("http", "#"))]


def sdist_faults(sdist: Path) -> list[str]:
    """Files of the repository that the sdist lacks; its tests read training, benchmarks and docs too."""
    with tarfile.open(sdist) as tar:
        packed = {name.partition("/")[2] for name in tar.getnames()}
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:  # not a clone: an unpacked sdist has nothing to compare with
        return []
    lost = [name for name in listed.stdout.splitlines() if name not in packed and (ROOT / name).exists()]
    return [f"{sdist.name} lacks {name}" for name in lost]


def core_faults(wheel: Path, folder: Path) -> int:
    """The exit code of ``check_core.py`` in an environment with the wheel and its core dependencies."""
    venv.create(folder / "env", with_pip=True)
    python = folder / "env" / "bin" / "python"
    _run(
        python, "-m", "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt", wheel, cwd=folder
    )
    # -I: neither this checkout nor PYTHONPATH is in sight
    return subprocess.run([python, "-I", ROOT / "tools" / "check_core.py"], cwd=folder).returncode


def _run(*command: str | Path, cwd: Path = ROOT) -> None:
    done = subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        print(done.stdout + done.stderr, file=sys.stderr)
        raise SystemExit(f"package: {' '.join(map(str, command))} failed")


if __name__ == "__main__":
    raise SystemExit(main())
