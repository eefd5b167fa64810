"""The page of the best shots: a card a person, in a browser on every screen; names are text."""

from __future__ import annotations

import pytest
from tests.browser import SCREENS, browser, visit  # noqa: F401  (a fixture)

from fiqa import Quality
from fiqa.examples import example_crops
from fiqa.types import Reason
from fiqa.video.album import Album
from fiqa.video.gallery import clock
from fiqa.video.results import Best, Shot

ADVICE = Reason(code="yaw", advice="Turn the face to the camera.")


def person(number: int, n_shots: int) -> Best:
    shots = tuple(
        Shot(
            person=number,
            rank=rank + 1,
            frame=10 * rank,
            time=61.25 + rank,
            name="<b>one & two.png" if rank else "",
            quality=Quality(
                status="ok",
                score=90.0 - rank,
                raw={"attn": 1.0},
                crop=example_crops()[number % 2],
                reasons=(ADVICE,) * rank,
            ),
            remark="at the edge of the frame" * (rank == 2),
        )
        for rank in range(n_shots)
    )
    return Best(person=number, tracks=(number,), first=60.0, last=70.0, n_seen=20, shots=shots)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    target = tmp_path_factory.mktemp("album") / "best"
    with Album(target, ("attn",), reasons=True) as album:
        for number, n_shots in ((1, 12), (2, 1), (3, 0)):
            album.add(person(number, n_shots))
    return target


def test_it_says_who_was_seen_when_and_what_each_shot_is_like(folder):
    text = (folder / "sheet.html").read_text(encoding="utf-8")
    assert "2 persons, the best shot first." in text  # the third has no shot
    assert text.count("seen from 1:00.0 to 1:10.0") == 2
    for said in ("<strong>90</strong><br>1:01.2<br>frame 0", ADVICE.advice, "at the edge of the frame"):
        assert said in text, said
    assert "&lt;b&gt;one &amp; two.png" in text
    assert "<b>" not in text


def test_nobody_has_no_page(tmp_path):
    Album(tmp_path / "best", ("attn",)).close()
    assert not (tmp_path / "best" / "sheet.html").exists()


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_in_a_browser(browser, folder, width, scheme):  # noqa: F811
    with visit(browser, folder / "sheet.html", width, scheme) as page:
        page.evaluate("document.querySelectorAll('img').forEach(i => i.loading = 'eager')")
        page.wait_for_function("[...document.images].every(i => i.complete && i.naturalWidth === 112)")
        assert page.locator("img").count() == 13


def test_a_clock_counts_minutes():
    assert [clock(seconds) for seconds in (0, 59.96, 3599.9)] == ["0:00.0", "1:00.0", "59:59.9"]
