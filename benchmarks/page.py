"""The page in a browser beside the same work in Python: time a photo as a ratio, and a first visit's bytes.

``python benchmarks/page.py`` needs the built page (``make page``), Chromium and the dev extra. Browser and
Python take turns, photo by photo, with one thread each: the ratio of their medians says more than either
time, which belongs to the machine and what else it does.
"""

from __future__ import annotations

import argparse
import base64
import io
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

from tests.web.browser import Visit, chromium, served  # noqa: E402

from fiqa import Scorer, web  # noqa: E402
from fiqa.examples import example_crops, example_paths  # noqa: E402

# the page's own engine, asked from a script of this benchmark
_OPEN = """async () => {
  const { Engine } = await import("./assets/app/engine.js");
  globalThis.engine = new Engine();
  await globalThis.engine.open();
}"""
_JUDGE = """async (encoded) => {
  const bytes = Uint8Array.from(atob(encoded), (one) => one.charCodeAt(0));
  const began = performance.now();
  const { score } = await globalThis.engine.judge(new Blob([bytes]));
  return [performance.now() - began, score];
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=15, help="how often each photo is scored on either side"
    )
    rounds = parser.parse_args().rounds
    with (
        tempfile.TemporaryDirectory() as folder,
        served(web.write(Path(folder) / "site")) as address,
        chromium() as browser,
    ):
        context = browser.new_context(bypass_csp=True, service_workers="block")
        visit = Visit(context.new_page())
        answers: list[Any] = []
        context.on("response", lambda answer: answers.append(answer))
        began = time.perf_counter()
        visit.open(address)
        seconds = time.perf_counter() - began
        sizes = {answer.url.removeprefix(address): len(answer.body()) for answer in answers}
        print(
            f"first visit: {len(sizes)} files, {sum(sizes.values()) / 1e6:.2f} MB, ready in {seconds:.1f} s"
        )
        for name, size in sorted(sizes.items(), key=lambda item: -item[1])[:5]:
            print(f"  {size / 1e6:6.2f} MB  {name}")
        visit.page.evaluate(_OPEN)
        compare(lambda encoded: visit.page.evaluate(_JUDGE, encoded), rounds)


def compare(judge: Callable[[str], Any], rounds: int) -> None:
    """Medians of both sides, in turns, for each photo."""
    scorer = Scorer(engine="onnxruntime", threads=1, methods=("exit-depth", "attn"), reasons=True)
    print(f"{'photo':<28}{'browser':>10}{'Python':>10}{'ratio':>8}{'scores':>16}")
    for name, data in photos().items():
        encoded = base64.b64encode(data).decode("ascii")
        there, here = [], []
        for _ in range(rounds + 1):
            milliseconds, score = judge(encoded)
            there.append(milliseconds)
            began = time.perf_counter()
            quality = scorer.score(data)
            here.append((time.perf_counter() - began) * 1e3)
        slow, quick = (statistics.median(times[1:]) for times in (there, here))
        scores = f"{score:.2f} {quality.score:.2f}"
        print(f"{name:<28}{slow:>7.0f} ms{quick:>7.0f} ms{slow / quick:>8.2f}{scores:>16}")


def photos() -> dict[str, bytes]:
    """The portraits, one of them as a photo of a phone would be large, and a crop that needs no detector."""
    found = {f"{path.name}, {_size(path)}": path.read_bytes() for path in map(Path, example_paths())}
    large = Image.open(example_paths()[0]).resize((1280, 1280), Image.Resampling.BICUBIC)
    found["astronaut, 1280×1280"] = _encoded(large, "jpeg")
    found["crop, 112×112"] = _encoded(Image.fromarray(example_crops()[0]), "png")
    return found


def _size(path: Path) -> str:
    return "×".join(map(str, Image.open(path).size))


def _encoded(picture: Image.Image, kind: str) -> bytes:
    file = io.BytesIO()
    picture.convert("RGB").save(file, kind)
    return file.getvalue()


if __name__ == "__main__":
    main()
