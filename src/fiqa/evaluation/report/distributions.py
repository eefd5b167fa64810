"""The scores of a data set → worst and best faces and how scores spread, as parts of a page."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterator, Mapping, Sequence

from PIL import Image

from ...pages.charts import Box, box_plot, histogram
from ...pages.markup import Html, join, render
from ...pages.page import chart_grid, number, table
from ...types import ImageArray
from ..datasets import Dataset
from ..measurement import Align, crops_at
from ..results import Distribution, Evaluation

THUMBNAIL = 80  # pixels: enough to see blur and pose, and a few kB a face

Faces = Mapping[tuple[str, int], str]
"""(data set, row) → data URI of the face."""


def scores_of(
    own: Sequence[Distribution], styles: Mapping[str, int], faces: Faces, key: str
) -> Iterator[Html]:
    """The part of a page on one data set; ``styles``: method → its style, ``key``: makes ids unique."""
    yield from _extremes(own, faces)
    yield from _scores(own, styles, key)


def _scores(own: Sequence[Distribution], styles: Mapping[str, int], key: str) -> Iterator[Html]:
    yield Html("<h3>How the scores spread</h3>")
    figures = []
    for one in own:
        refused = f", {one.n_refused} without a score" if one.n_refused else ""
        figures.append(
            (
                f"{one.method} ({one.n_images:,} images{refused})",
                histogram(
                    f"{key}-{styles[one.method]}",
                    f"Scores of {one.method} on {one.dataset}",
                    f"Histogram of raw scores from {one.edges[0]:.4g} to {one.edges[-1]:.4g}.",
                    one.edges,
                    [(one.method, styles[one.method], one.counts)],
                    "raw score",
                ),
            )
        )
    yield chart_grid(figures)
    known = [one for one in own if not math.isnan(one.label_spearman)]
    if known:
        yield table(
            "Rank correlation with the quality that the data set itself gives",
            ["method", "Spearman"],
            [("", [one.method, number(one.label_spearman)]) for one in known],
        )
    if own and own[0].groups:
        yield Html("<h3>By group</h3>")
        yield chart_grid(
            (
                one.method,
                box_plot(
                    f"{key}-{styles[one.method]}-g",
                    f"Scores of {one.method} by group",
                    "Boxes from 25 to 75 %, whiskers at 5 and 95 %: "
                    + ", ".join(
                        f"{label or 'none'} median {g.quantiles[2]:.3g}" for label, g in one.groups.items()
                    ),
                    [Box(label or "none", group.quantiles) for label, group in one.groups.items()],
                    ("group", "raw score"),
                    styles[one.method],
                ),
            )
            for one in own
        )


def _extremes(own: Sequence[Distribution], faces: Faces) -> Iterator[Html]:
    shown = [one for one in own if any((one.dataset, row) in faces for row, _, _ in (*one.worst, *one.best))]
    if not shown:
        return
    yield Html("<h3>Worst and best faces</h3>")
    for one in shown:
        rows = (("worst first", one.worst), ("best first", one.best))
        yield render(
            '<details open><summary>{}</summary><div class="pair">{}</div></details>',
            *(one.method, join(_row(title, one.dataset, some, faces) for title, some in rows)),
        )


def _row(title: str, dataset: str, some: Sequence[tuple[int, str, float]], faces: Faces) -> Html:
    items = (
        render(
            '<figure><img src="{src}" alt="{name}" width="{side}" height="{side}">'
            "<figcaption>{score}<br>{name}</figcaption></figure>",
            **{"src": faces[dataset, row], "name": name, "side": THUMBNAIL, "score": _score(score)},
        )
        for row, name, score in some
    )
    return render('<div><p class="muted">{}</p><div class="faces">{}</div></div>', title, join(items))


def _score(value: float) -> str:
    return "no score" if math.isinf(value) else f"{value:.4g}".replace("-", "−")


def faces_of(
    evaluation: Evaluation, datasets: Sequence[Dataset], align: Align | None
) -> dict[tuple[str, int], str]:
    """The worst and best faces of every data set, as small pictures."""
    out = {}
    for dataset in datasets:
        rows = sorted(
            {
                row
                for one in evaluation.distributions
                if one.dataset == dataset.name
                for row, _, _ in (*one.worst, *one.best)
            }
        )
        for row, crop in zip(rows, crops_at(dataset, rows, align) if rows else (), strict=True):
            out[dataset.name, row] = _data_uri(crop)
    return out


def _data_uri(crop: ImageArray) -> str:
    file = io.BytesIO()
    size = (THUMBNAIL, THUMBNAIL)
    Image.fromarray(crop).resize(size, Image.Resampling.LANCZOS).save(file, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
