"""The best shots of each person in → a page out that shows them with time, score and advice."""

from __future__ import annotations

from collections.abc import Sequence

from ..pages.markup import Html, join, render
from ..pages.page import page
from .results import Best, Shot


def gallery(cards: Sequence[Html]) -> Html:
    """The page of all persons, made of what :func:`card` gave of each."""
    n_persons = "1 person" if len(cards) == 1 else f"{len(cards):,} persons"
    return page(
        "The best shots of each person", [render("<p>{}, the best shot first.</p>", n_persons), *cards]
    )


def card(best: Best) -> Html:
    """A person with the shots, as a part of the page; the pictures are those of the folder ``crops``."""
    return render(
        '<article class="card"><h2>Person {} <small>seen from {} to {}</small></h2>'
        '<div class="faces large shots">{}</div></article>',
        *(best.person, clock(best.first), clock(best.last), join(map(_figure, best.shots))),
    )


def _figure(shot: Shot) -> Html:
    quality, where = shot.quality, shot.name or f"frame {shot.frame}"
    score = Html() if quality.score is None else render("<strong>{:.0f}</strong><br>", quality.score)
    said = [where, shot.remark, *(reason.advice for reason in quality.reasons)]
    shown = (
        render(
            '<img src="crops/{}" alt="person {}, {}" width="112" height="112" loading="lazy">',
            *(crop_name(shot), shot.person, where),
        )
        if quality.crop is not None
        else Html('<div class="lost">no crop</div>')
    )
    return render(
        "<figure>{}<figcaption>{}{}{}</figcaption></figure>",
        *(shown, score, clock(shot.time), join(render("<br>{}", one) for one in said if one)),
    )


def crop_name(shot: Shot) -> str:
    """The file name of a shot's crop."""
    return f"person-{shot.person:04d}-{shot.rank}.png"


def clock(seconds: float) -> str:
    """Minutes, seconds and tenths, as a player shows them."""
    minutes, rest = divmod(round(seconds, 1), 60)
    return f"{int(minutes)}:{rest:04.1f}"
