"""The sources in ``web`` in → the page that ``fiqa serve`` and ``fiqa page`` give, in ``src/fiqa/web/page``.

``python tools/make_page.py`` (``make page``) needs Node's packages: ``npm ci`` in ``web``. Nothing of what it
writes is committed: the scripts are those of ``web/page``, the runtime is onnxruntime-web's, the networks are
cut from what ships with fiqa.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.metadata
import json
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from page_models import networks, settings
from PIL import Image, ImageDraw

from fiqa import pages
from fiqa.reasons import ADVICE

ROOT = Path(__file__).resolve().parents[1]
SOURCE, OUT = ROOT / "web" / "page", ROOT / "src" / "fiqa" / "web" / "page"
RUNTIME = ROOT / "web" / "node_modules" / "onnxruntime-web" / "dist"
MACHINE_CODE, FOR_GPU = "ort-wasm-simd-threaded.wasm", "ort-wasm-simd-threaded.asyncify.wasm"
SCRIPTS = (
    *("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs"),
    *("ort.webgpu.min.mjs", "ort-wasm-simd-threaded.asyncify.mjs"),
)
NOT_AHEAD = ("service-worker.js", "server.json", "licences.txt", "webgpu", "asyncify")
"""In the names of files that are not fetched ahead: the page works offline without them."""


def main() -> int:
    if not (RUNTIME / MACHINE_CODE).is_file():
        raise SystemExit("page: onnxruntime-web is missing: run 'npm ci' in web, or 'make page', which does")
    OUT.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=OUT.parent) as folder:
        page = Path(folder) / "page"
        shutil.copytree(SOURCE, page, ignore=shutil.ignore_patterns("*.d.mts"))
        fill(page)
        shutil.rmtree(OUT, ignore_errors=True)
        page.rename(OUT)
    size = sum(path.stat().st_size for path in OUT.rglob("*") if path.is_file())
    print(f"page: {OUT.relative_to(ROOT)}, {size / 1e6:.1f} MB")
    return 0


def fill(page: Path) -> None:
    """Add to the sources what is made: style, strings, runtime, networks, the list of what to keep."""
    assets = page / "assets"
    shutil.copy(Path(pages.__file__).with_name("style.css"), assets / "style" / "base.css")
    for side in (192, 512):
        _draw_icon(side).save(page / f"icon-{side}.png", optimize=True)
    _add_advice(assets / "strings" / "en.json")
    for script in SCRIPTS:
        shutil.copy(RUNTIME / script, assets / "runtime" / script)
    for code in (MACHINE_CODE, FOR_GPU):
        _pack(assets / "runtime" / f"{code}.gz", (RUNTIME / code).read_bytes())
    for name, graph in networks().items():
        _pack(assets / "models" / f"{name}.onnx.gz", graph)
    _write(assets / "models" / "settings.json", json.dumps(settings(), ensure_ascii=False))
    _write(page / "server.json", json.dumps({"api": None}))
    _write(page / "licences.txt", "\n\n".join(_licences()))
    _say_size(page)
    _list_files(page)


def _draw_icon(side: int) -> Image.Image:
    """What ``icon.svg`` shows, to its edges: a system cuts its own shape out of it."""
    picture = Image.new("RGB", (4 * side, 4 * side), "#0b629c")
    unit, draw = 4 * side / 48, ImageDraw.Draw(picture)
    width = round(2.4 * unit)
    draw.ellipse([18.5 * unit, 16 * unit, 29.5 * unit, 32 * unit], outline="white", width=width)
    for x, y, dx, dy in ((13, 13, 1, 1), (35, 13, -1, 1), (35, 35, -1, -1), (13, 35, 1, -1)):
        points = [(x + 5 * dx, y), (x, y), (x, y + 5 * dy)]
        draw.line([(px * unit, py * unit) for px, py in points], fill="white", width=width, joint="curve")
    return picture.resize((side, side), Image.Resampling.LANCZOS)


def _add_advice(path: Path) -> None:
    """Advice in English has one source, which is Python's; other languages have theirs in their file."""
    strings = json.loads(path.read_text(encoding="utf-8"))
    _write(path, json.dumps({**strings, "advice": ADVICE}, ensure_ascii=False, indent=1))


def _pack(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content, 9, mtime=0))  # the same bytes from the same sources


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _licences() -> list[str]:
    """The notices of what the page is made of."""
    ours = [(ROOT / name).read_text(encoding="utf-8") for name in ("LICENSE", "NOTICE")]
    return [*ours, _licence_of("onnxruntime"), _licence_of("mtcnn")]


def _licence_of(package: str) -> str:
    """The licence of an installed package; onnxruntime-web is one project with onnxruntime."""
    distribution = importlib.metadata.distribution(package)
    for file in distribution.files or ():
        if file.name in ("LICENSE", "LICENSE.txt"):
            return f"{package}\n\n{file.locate().read_text(encoding='utf-8')}"
    raise SystemExit(f"page: the licence of {package} is not among its files")


def _say_size(page: Path) -> None:
    """The page says how much it loads."""
    index = page / "index.html"
    size = sum(path.stat().st_size for path in _files_ahead(page))
    mark, text = 'data-megabytes=""', index.read_text(encoding="utf-8")
    if mark not in text:
        raise SystemExit(f"page: {index.name} has no {mark!r}")
    _write(index, text.replace(mark, f'data-megabytes="{size / 1e6:.0f}"'))


def _files_ahead(page: Path) -> list[Path]:
    """The files that a first visit fetches, or that are kept for a visit without a network."""
    files = (path for path in sorted(page.rglob("*")) if path.is_file())
    return [path for path in files if not any(part in path.name for part in NOT_AHEAD)]


def _list_files(page: Path) -> None:
    """Tell the service worker which files to keep, under a name that changes when any of them does."""
    digest, names = hashlib.sha256(), []
    for path in _files_ahead(page):
        name = path.relative_to(page).as_posix()
        names.append(name)
        digest.update(name.encode() + path.read_bytes())
    script = page / "service-worker.js"
    text = script.read_text(encoding="utf-8")
    for mark, value in (("VERSION", digest.hexdigest()[:16]), ("FILES", names)):
        before = f"const {mark} = /* filled in by tools/make_page.py */"
        if before not in text:
            raise SystemExit(f"page: {script.name} has no line {before!r}")
        head, _, rest = text.partition(before)
        after = rest.partition("\n")[2]
        text = f"{head}const {mark} = {json.dumps(value)};\n{after}"
    _write(script, text)


if __name__ == "__main__":
    raise SystemExit(main())
