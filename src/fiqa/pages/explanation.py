"""The page of ``fiqa explain``: each face with its crop, its maps, its score and what to do about it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from PIL import Image

from ..scorer import Scorer
from ..types import Quality, Reason
from .contrast import Contrast, Scale, contrast_of, has_maps, scales
from .heatmap import scale_end
from .markup import Html, join, render
from .page import number, page
from .palette import OPACITY, levels, tinted

SIDE = 336  # of a map's picture, in pixels


def write_page(
    qualities: Sequence[Quality],
    scorer: Scorer,
    folder: str | os.PathLike[str],
    *,
    contrast: Contrast | None = None,
) -> Path:
    """Write a PNG of each face's crop and of each of its maps, and ``index.html`` that shows them.

    Args:
        qualities: what the scorer gave, with maps and crops.
        scorer: the one that gave them.
        folder: is made where it is missing.
        contrast: ``face`` or ``page``; None: as :func:`fiqa.pages.contrast.contrast_of` chooses.

    Returns:
        Path of the page.

    Raises:
        OSError: the folder can't be written.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    chosen = contrast_of(qualities, contrast)
    cards = [
        _card(quality, number_, of_maps, target)
        for number_, (quality, of_maps) in enumerate(zip(qualities, scales(qualities, chosen), strict=True))
    ]
    path = target / "index.html"
    title = f"Which part of the face counts: {scorer.card.name}"
    path.write_text(page(title, [*_introduction(qualities, scorer, chosen), *cards]), encoding="utf-8")
    return path


def _introduction(qualities: Sequence[Quality], scorer: Scorer, contrast: Contrast) -> Iterator[Html]:
    drawn = [quality for quality in qualities if has_maps(quality)]
    if not drawn:
        return
    said = (
        "Each map has a scale of its own, so compare places within a face, not faces."
        if contrast == "face"
        else "One scale per method over all faces of this page, so faces can be compared."
    )
    yield render(
        "<p>Orange patches of a map count more, blue ones less; light and dark are the photo's own. {}</p>",
        said,
    )
    specs = [spec for spec in scorer.specs if any(spec in quality.maps for quality in drawn)]
    items = join(render("<dt>{}</dt><dd>{}</dd>", spec, scorer.map_notes[spec]) for spec in specs)
    yield render("<details><summary>What the maps are</summary><dl>{}</dl></details>", items)
    if scorer.calibration is not None:
        yield render('<p class="muted">The score, from 0 to 100: {}.</p>', scorer.calibration.meaning)


def _card(quality: Quality, number_: int, of_maps: Mapping[str, Scale], folder: Path) -> Html:
    return render(
        '<article class="card explained"><div><h2>{}{}</h2>{}{}{}</div>{}</article>',
        quality.path or "image",
        render(" <small>face {}</small>", quality.face_index + 1) if quality.face_index else Html(),
        _verdict(quality),
        _reasons(quality),
        _numbers(quality),
        _pictures(quality, number_, of_maps, folder) if has_maps(quality) else Html(),
    )


def _verdict(quality: Quality) -> Html:
    if not quality.ok:
        return render(
            '<p><span class="status">{}</span> {}</p>', quality.status.replace("_", " "), quality.reason
        )
    if quality.score is None:
        return Html()
    return render(
        '<p class="score"><strong>{score:.0f}</strong> of 100</p>'
        '<span class="meter" aria-hidden="true"><i style="--value:{score:.1f}"></i></span>{remark}',
        score=quality.score,
        remark=render("<p>{}</p>", quality.reason) if quality.reason else Html(),
    )


def _pictures(quality: Quality, number_: int, of_maps: Mapping[str, Scale], folder: Path) -> Html:
    assert quality.crop is not None
    stem = f"{number_:04d}-{_slug(quality.path)}"
    Image.fromarray(quality.crop).save(folder / f"{stem}-crop.png")
    figures = [_figure(f"{stem}-crop.png", "the face as it was scored", Html("the crop that was scored"))]
    for spec, (low, high) in of_maps.items():
        name = f"{stem}-{_slug(spec)}.png"
        level = levels(quality.maps[spec], low, high)
        tinted(quality.crop, level, size=SIDE, opacity=OPACITY).save(folder / name)
        label = f"{spec} {quality.raw[spec]:.4f}"
        caption = render(
            '<strong>{}</strong> {}<div class="scale"><span>{}<br>counts less</span>'
            "<span>{}<br>counts more</span></div>",
            *(spec, number(quality.raw[spec], 4)),
            *(scale_end(value, high - low).replace("-", "−") for value in (low, high)),
        )
        figures.append(_figure(name, label, caption))
    return render('<div class="maps">{}</div>', join(figures))


def _figure(source: str, alt: str, caption: Html) -> Html:
    return render(
        '<figure><img src="{}" alt="{}" width="{side}" height="{side}" loading="lazy">'
        "<figcaption>{}</figcaption></figure>",
        *(source, alt, caption),
        side=SIDE,
    )


def _numbers(quality: Quality) -> Html:
    """The raw numbers of methods that have no map."""
    others = [f"{spec} {number(value, 4)}" for spec, value in quality.raw.items() if spec not in quality.maps]
    return render('<p class="muted">{}</p>', ", ".join(others)) if others else Html()


def _reasons(quality: Quality) -> Html:
    """What to do, the most likely cause first, each with what was measured."""
    if not quality.reasons:
        return Html()
    items = join(
        render(
            "<li><strong>{}</strong>{} <small>{}</small></li>",
            *(reason.advice, reason.code.replace("_", " "), _value(reason)),
        )
        for reason in quality.reasons
    )
    return render('<ul class="reasons">{}</ul>', items)


def _value(reason: Reason) -> str:
    """What was measured beside its limit."""
    if reason.value is None or reason.limit is None:
        return ""
    return f"{reason.value:.3g} {reason.unit}, limit {reason.limit:.3g}"


def _slug(text: str | None) -> str:
    stem = Path(text).stem if text else "image"
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in stem)[:60]
