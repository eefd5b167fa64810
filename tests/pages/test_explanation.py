"""The page that explains: crop and maps of each face on a scale that is named, and true statements."""

from __future__ import annotations

import html.parser
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.browser import SCREENS, browser, visit  # noqa: F401  (a fixture)
from typer.testing import CliRunner

from fiqa import Quality, Scorer
from fiqa.cli.main import app
from fiqa.examples import example_crops, example_paths
from fiqa.pages.contrast import contrast_of
from fiqa.pages.explanation import SIDE, write_page
from fiqa.pages.heatmap import scale_end
from fiqa.pages.palette import OPACITY, levels, oklab, tinted
from fiqa.pages.slide import MOST, write_slide
from fiqa.types import Reason

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


def scored_of(qualities: list[Quality]) -> list[Quality]:
    return [quality for quality in qualities if quality.ok]


@pytest.mark.parametrize("contrast", ["face", "page"])
def test_every_face_has_its_crop_and_every_map_on_the_scale_it_says(qualities, scorer, tmp_path, contrast):
    path = write_page(qualities, scorer, tmp_path / "new" / "page", contrast=contrast)
    assert path == tmp_path / "new" / "page" / "index.html"
    page, scored = Page(path), scored_of(qualities)
    assert len(scored) == 3
    assert len(page.images) == 3 * (1 + len(MAPPED)) == len(list(path.parent.glob("*.png")))
    for place, quality in enumerate(scored):
        crop, *maps = page.images[place * (1 + len(MAPPED)) :][: 1 + len(MAPPED)]
        with Image.open(path.parent / crop["src"]) as found:
            np.testing.assert_array_equal(np.asarray(found), quality.crop)
        for spec, shown in zip(MAPPED, maps, strict=True):
            assert shown["alt"] == f"{spec} {quality.raw[spec]:.4f}"
            own = quality.patch_map(spec)
            of = [own] if contrast == "face" else [other.patch_map(spec) for other in scored]
            low, high = float(np.min(of)), float(np.max(of))
            wanted = tinted(quality.crop, levels(own, low, high), size=SIDE, opacity=OPACITY)
            with Image.open(path.parent / shown["src"]) as found:
                np.testing.assert_array_equal(np.asarray(found), np.asarray(wanted))
            ends = [scale_end(value, high - low).replace("-", "−") for value in (low, high)]
            assert re.search(rf"{ends[0]}\s+counts less\s+{ends[1]}\s+counts more", page.text)
    said = {"face": "a scale of its own", "page": "One scale per method over all faces"}
    assert said[contrast] in page.text


def test_one_face_has_its_own_scale_and_several_share_one(qualities):
    scored = scored_of(qualities)
    assert contrast_of(qualities) == "page"
    assert contrast_of([scored[0], qualities[1]]) == "face"  # the other can't be drawn
    assert contrast_of(scored[:1], "page") == "page"
    assert contrast_of(scored, "face") == "face"
    assert contrast_of([]) == "face"


def test_the_greatest_patch_of_all_faces_is_the_most_orange(qualities, scorer, tmp_path):
    write_page(qualities, scorer, tmp_path)
    scored, spec = scored_of(qualities), MAPPED[0]
    best = max(scored, key=lambda quality: quality.patch_map(spec).max())
    rows, columns = best.patch_map(spec).shape
    row, column = divmod(int(best.patch_map(spec).argmax()), columns)
    name = Page(tmp_path / "index.html").images[scored.index(best) * (1 + len(MAPPED)) + 1]["src"]
    with Image.open(tmp_path / name) as picture:
        lab = oklab(np.asarray(picture).astype(float))
    patches = lab.reshape(rows, SIDE // rows, columns, SIDE // columns, 3).mean(axis=(1, 3))
    assert (row, column) in {divmod(int(at), columns) for at in np.argsort(patches[..., 2].ravel())[-6:]}
    assert patches[row, column, 2] > 0.1


def test_what_the_page_says_of_each_map_is_true(qualities, scorer, tmp_path):
    text = Page(write_page(qualities, scorer, tmp_path)).text
    sentences = {
        SPECS[0]: "the map averages exactly to the score",
        SPECS[1]: "attention weighs it in the score",
        SPECS[2]: "the greatest of all is the score",
    }
    for spec, sentence in sentences.items():
        assert re.search(rf"{re.escape(spec)} [^.]*{sentence}", text)
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


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_in_a_browser(browser, qualities, scorer, tmp_path, width, scheme):  # noqa: F811
    advised = replace(qualities[0], reasons=(Reason(code="yaw", advice="Turn the face " + "on " * 60),))
    path = write_page([*qualities, advised, replace(advised, path="w" * 300)], scorer, tmp_path)
    with visit(browser, path, width, scheme) as page:
        sizes = page.evaluate(
            """[...document.images].map(i => {
                 i.loading = 'eager';
                 const box = i.getBoundingClientRect(), card = i.closest('.card').getBoundingClientRect();
                 return [box.left - card.left, card.right - box.right, box.width, box.height];
               })"""
        )
        assert len(sizes) == 5 * (1 + len(MAPPED))
        for left, right, across, high in sizes:
            assert min(left, right) >= 0  # inside its card
            assert 140 <= across <= 300
            assert across == pytest.approx(high, abs=1)
        crops = page.evaluate(
            "[...document.querySelectorAll('.maps')].map(m => [...m.children].slice(0, 2).map("
            "f => f.getBoundingClientRect().top))"
        )
        assert all(crop == first for crop, first in crops)  # the crop stands beside the first map
        page.wait_for_function("[...document.images].every(i => i.complete && i.naturalWidth)")


def test_a_slide_has_a_row_a_face_and_the_crop_beside_its_maps(qualities, tmp_path):
    one = write_slide(qualities[:1], tmp_path / "one.png")
    with Image.open(one) as picture:
        assert picture.width > 1500  # crop and three maps, large
        face = np.asarray(picture.convert("RGB"))[16 : 16 + 448, 16 : 16 + 448]
    wanted = Image.fromarray(qualities[0].crop).resize((448, 448), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(face, np.asarray(wanted))
    sizes = []
    for n_faces in (2, MOST, MOST + 1):
        some = [replace(qualities[0], maps={MAPPED[0]: qualities[0].maps[MAPPED[0]]})] * n_faces
        with Image.open(write_slide(some, tmp_path / "many.png", contrast="page")) as picture:
            sizes.append(picture.size)
    assert sizes[0][1] < sizes[1][1] == sizes[2][1]
    with Image.open(write_slide([qualities[1]], tmp_path / "none.png")) as picture:
        assert np.asarray(picture.convert("L")).min() < 100  # it says why there is no score


def test_the_command_takes_every_face_its_contrast_and_a_slide(tmp_path):
    pair = [Image.open(path).convert("RGB").resize((512, 512)) for path in example_paths()]
    both = Image.new("RGB", (1024, 512))
    for place, one in enumerate(pair):
        both.paste(one, (512 * place, 0))
    both.save(tmp_path / "both.png")
    command = ["explain", str(tmp_path / "both.png"), "-o", str(tmp_path / "out"), "-m", "attn"]
    command += ["--engine", "onnxruntime", "--threads", "1"]
    done = CliRunner().invoke(app, [*command, "--all-faces", "--contrast", "face", "--png"])
    assert done.exit_code == 0, done.output
    assert done.stdout.split() == [str(tmp_path / "out" / name) for name in ("index.html", "explanation.png")]
    page = Page(tmp_path / "out" / "index.html")
    assert len(page.images) == 4
    assert "a scale of its own" in page.text
    assert page.text.count("face 2") == 1
    wrong = CliRunner().invoke(app, [*command, "--contrast", "picture"])
    assert wrong.exit_code == 2 or "face, page" in str(wrong.exception)
