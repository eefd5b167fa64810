"""The page that explains: one overlay a face and map, one colour scale a method, and true statements."""

from __future__ import annotations

import html.parser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fiqa import Quality, Scorer
from fiqa.examples import example_crops
from fiqa.pages import colours, overlay
from fiqa.pages.explanation import write_page

SPECS = ("attn:block=0", "vitnt:blocks=0,1,weighting=last", "attn:reduce=max", "attn:reduce=median")
MAPPED = SPECS[:3]


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer(methods=SPECS, engine="onnxruntime", threads=1)


@pytest.fixture(scope="module")
def qualities(scorer, tmp_path_factory) -> list[Quality]:
    folder = tmp_path_factory.mktemp("explain")
    names = ["first.png", "<b>&<script>second.png"]
    for name, crop in zip(names, example_crops(), strict=True):
        Image.fromarray(crop).save(folder / name)
    (folder / "text.jpg").write_text("no image")
    return list(
        scorer.stream([folder / names[0], folder / "text.jpg", folder / names[1], example_crops()[0]])
    )


class Page(html.parser.HTMLParser):
    """What a browser would show of a page: its text and its pictures."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.text, self.tags = "", []
        self.images: list[dict[str, str | None]] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_data(self, data: str) -> None:
        self.text += data + " "

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "img":
            self.images.append(dict(attrs))


def test_every_face_has_an_overlay_of_every_map_on_one_scale(qualities, scorer, tmp_path):
    path = write_page(qualities, scorer, tmp_path / "new" / "page")
    assert path == tmp_path / "new" / "page" / "index.html"
    page = Page(path)
    scored = [quality for quality in qualities if quality.ok]
    assert len(scored) == 3
    expected = [(quality, spec) for quality in scored for spec in MAPPED]
    assert len(page.images) == len(expected) == len(list(path.parent.glob("*.png")))
    for shown, (quality, spec) in zip(page.images, expected, strict=True):
        assert shown["alt"] == f"{spec} {quality.raw[spec]:.4f}"  # the number is on the picture too
        maps = [other.patch_map(spec) for other in scored]
        low, high = float(np.min(maps)), float(np.max(maps))
        wanted = overlay(quality.crop, quality.patch_map(spec), vmin=low, vmax=high, label=shown["alt"])
        with Image.open(path.parent / shown["src"]) as found:
            np.testing.assert_array_equal(np.asarray(found), np.asarray(wanted))
        assert f"colours from {low:.3g} to {high:.3g}" in page.text
    assert "one colour scale per method" in page.text.lower()


def test_the_greatest_patch_of_all_faces_is_the_palest(qualities, scorer, tmp_path):
    write_page(qualities, scorer, tmp_path)
    scored = [quality for quality in qualities if quality.ok]
    spec = MAPPED[0]
    best = max(scored, key=lambda quality: quality.patch_map(spec).max())
    rows, columns = best.patch_map(spec).shape
    row, column = divmod(int(best.patch_map(spec).argmax()), columns)
    name = Page(tmp_path / "index.html").images[scored.index(best) * len(MAPPED)]["src"]
    with Image.open(tmp_path / name) as picture:
        x, y = (int((i + 0.5) * 448 / n) for i, n in ((column, columns), (row, rows)))
        pixel = np.array(picture.getpixel((x, y)), dtype=float)
    crop = Image.fromarray(best.crop).resize((448, 448), Image.Resampling.BICUBIC)
    face = np.array(crop.getpixel((x, y)), dtype=float)
    np.testing.assert_allclose(pixel, 0.45 * face + 0.55 * colours(1.0, 0.0, 1.0), atol=1.5)


def test_what_the_page_says_of_each_map_is_true(qualities, scorer, tmp_path):
    text = Page(write_page(qualities, scorer, tmp_path)).text
    sentences = {
        SPECS[0]: "the map averages exactly to the score",
        SPECS[1]: "attention weighs it in the score",
        SPECS[2]: "the greatest of all is the score",
    }
    for spec, sentence in sentences.items():
        after = text.partition(f"{spec} ")[2]
        assert sentence in after.partition("colours from")[0]
    for quality in qualities:
        if quality.ok:
            mean, greatest = quality.patch_map(SPECS[0]).mean(), quality.patch_map(SPECS[2]).max()
            assert mean == pytest.approx(quality.raw[SPECS[0]], rel=1e-5, abs=1e-6)
            assert greatest == pytest.approx(quality.raw[SPECS[2]], rel=1e-6)
            stable = quality.patch_map(SPECS[1])
            assert 0 < stable.min() <= quality.raw[SPECS[1]] <= stable.max() <= 1
    uniform = Scorer(methods=["vitnt:blocks=0,1,weighting=uniform"], engine="onnxruntime", threads=1)
    found = uniform.qualities(example_crops())
    assert "the map averages to the score" in Page(write_page(found, uniform, tmp_path)).text
    for quality in found:
        assert quality.patch_map(uniform.specs[0]).mean() == pytest.approx(quality.raw[uniform.specs[0]])


def test_an_image_without_a_score_says_why_and_names_can_t_break_the_page(qualities, scorer, tmp_path):
    page = Page(write_page(qualities, scorer, tmp_path))
    assert "unreadable" in page.text
    assert "text.jpg' is not an image of a known format" in page.text
    assert "<b>&<script>second.png" in page.text
    assert not {"b", "script"} & set(page.tags)
    assert all("<" not in name.name for name in tmp_path.iterdir())


def test_names_that_are_no_text(scorer, tmp_path):
    (quality,) = scorer.qualities(example_crops()[:1])
    strange = Quality(
        **{name: getattr(quality, name) for name in ("status", "raw", "maps", "crop")}, path="caf\udce9\n.png"
    )
    page = Page(write_page([strange], scorer, tmp_path))
    assert "caf\ufffd" in page.text
    assert (tmp_path / page.images[0]["src"]).is_file()


def test_nothing_scored_is_still_a_page(scorer, tmp_path):
    failed = [Quality(status="missing", reason="it does not exist", path="a.jpg")]
    page = Page(write_page(failed, scorer, tmp_path))
    assert "it does not exist" in page.text
    assert not page.images


def test_a_method_without_a_map_makes_no_picture(tmp_path):
    scorer = Scorer(methods=["exit:1"], engine="onnxruntime", threads=1)
    page = Page(write_page(scorer.qualities(example_crops()), scorer, tmp_path))
    assert not page.images
    assert "exit:1" in page.text
