"""The one style sheet: text can be read on both grounds in both themes, and nothing is fetched."""

from __future__ import annotations

import re
from importlib import resources

import pytest

STYLE = (resources.files("fiqa.pages") / "style.css").read_text(encoding="utf-8")
LIGHT, DARK = re.findall(r":root \{(.*?)\}", STYLE, re.S)
WORDS = ("fg", "muted", "accent", "good", "warn", "bad", *(f"c{number}" for number in range(8)))


def tokens(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]+)\b", block))


THEMES = {"light": tokens(LIGHT), "dark": tokens(LIGHT) | tokens(DARK)}


def luminance(colour: str) -> float:
    """Relative, in [0, 1], as of WCAG 2.2."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted(map(luminance, (one, other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", THEMES)
def test_every_colour_of_text_can_be_read(theme):
    found = THEMES[theme]
    for word in WORDS:
        for ground in ("bg", "surface"):
            assert contrast(found[word], found[ground]) >= 4.5, f"{word} on {ground}"
    assert contrast(found["on-accent"], found["accent"]) >= 4.5


def test_dark_names_what_light_does_but_the_scale_of_the_maps_which_are_pictures():
    assert set(tokens(LIGHT)) - set(tokens(DARK)) == {"low", "mid", "high"}


def test_no_colour_stands_outside_the_tokens_and_nothing_is_fetched():
    rules = re.sub(r"/\*.*?\*/|:root \{.*?\}", "", STYLE, flags=re.S)
    assert not re.search(r"#[0-9a-f]{3,8}\b|rgb|hsl", rules)
    assert "url(" not in STYLE
    assert "@import" not in STYLE
    used = set(re.findall(r"var\(--([\w-]+)", rules))
    known = set(re.findall(r"--([\w-]+):", LIGHT))
    assert used - {"value"} <= known
