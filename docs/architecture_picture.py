"""The imports of ``src/fiqa`` and the layers of ``pyproject.toml`` in → ``docs/images/architecture.svg`` out.

``python docs/architecture_picture.py`` draws it; a test fails when it is out of date. An arrow is an import;
imports that follow from others, and those of the ground, are left out.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parents[1]
PICTURE = Path(__file__).parent / "images" / "architecture.svg"
GROUND = ("specs", "registry", "cache", "types", "errors", "lazy")

# Narrow enough for a telephone, where 360 units are 360 pixels; a line holds three rooms.
WIDTH, HIGH, GAP = 360, 36, 18
STYLE = """
svg { color-scheme: light dark; font: 13px system-ui, sans-serif; }
.page { fill: #ffffff; } .band { fill: #f2f4f7; } .room { fill: #ffffff; stroke: #5b7fb5; }
.ground { fill: #e4e9f1; stroke: #8a94a3; } text { fill: #1d2733; text-anchor: middle; }
.note { fill: #5a6675; font-size: 9.5px; }
.import { fill: none; stroke: #5b7fb5; stroke-width: 1.2; opacity: .75; } .head { fill: #5b7fb5; }
@media (prefers-color-scheme: dark) {
  .page { fill: #12161c; } .band { fill: #1b212a; } .room { fill: #232c38; stroke: #7fa3da; }
  .ground { fill: #2c3644; stroke: #8a94a3; } text { fill: #e6ebf2; } .note { fill: #a3aebc; }
  .import { stroke: #7fa3da; } .head { fill: #7fa3da; }
}"""

Edges = dict[str, set[str]]


def layers() -> list[list[str]]:
    """The rooms of each layer of the contract, the highest first, without those not yet built."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    contract = next(each for each in contracts["contracts"] if each["type"] == "layers")
    there = {path.stem for path in (ROOT / "src" / "fiqa").iterdir()}
    rows = [[name.strip(" ()") for name in layer.split("|")] for layer in contract["layers"]]
    return [kept for row in rows if (kept := [room for room in row if room in there])]


def imports() -> Edges:
    """Room → the rooms that it imports, read from the code."""
    graph = grimp.build_graph("fiqa", exclude_type_checking_imports=True)
    edges: Edges = {}
    for module in graph.modules:
        for other in graph.find_modules_directly_imported_by(module):
            ours, theirs = (name.split(".")[1:2] for name in (module, other))
            if ours and theirs and ours != theirs:
                edges.setdefault(ours[0], set()).update(theirs)
    return edges


def reduced(edges: Edges) -> Edges:
    """The same without what follows: of a → b, b → c and a → c, the last goes."""

    def reach(room: str) -> set[str]:
        direct = edges.get(room, set())
        return direct.union(*(reach(other) for other in direct))

    return {room: others - set().union(*(reach(other) for other in others)) for room, others in edges.items()}


@dataclass(frozen=True)
class Box:
    """A room in the picture, by its middle and its size, in units of the view box."""

    room: str
    x: float
    y: float
    wide: float

    def svg(self, kind: str, note: str = "") -> str:
        """A box with its name and, smaller, the rooms further down that it imports."""
        left, top, line = self.x - self.wide / 2, self.y - HIGH / 2, self.y + (-1 if note else 5)
        rect = f'<rect class="{kind}" x="{left:g}" y="{top:g}" width="{self.wide:g}" height="{HIGH}" rx="6"/>'
        below = f'<text class="note" x="{self.x:g}" y="{self.y + 13:g}">{note}</text>' if note else ""
        return f'{rect}<text x="{self.x:g}" y="{line:g}">{self.room}</text>{below}'


def picture(rows: Sequence[Sequence[str]], edges: Edges) -> str:
    """The SVG: a band for each layer; arrows to the next layer, longer ways as words in the box."""
    above = [row for row in rows if row[0] not in GROUND]
    ground = [room for row in rows for room in row if room in GROUND]
    boxes, bands = _placed(above, edges)
    end = bands[-1][0] + bands[-1][1] + 30
    page = f'<rect class="page" width="{WIDTH}" height="{end + 56:g}"/>'
    shades = [
        f'<rect class="band" x="2" y="{y:g}" width="{WIDTH - 4}" height="{h:g}" rx="6"/>' for y, h in bands
    ]
    arrows, rooms = [], []
    for box in boxes.values():
        others = [boxes[other] for other in sorted(edges.get(box.room, ())) if other in boxes]
        arrows += [_arrow(box, other) for other in others if _is_next(box, other)]
        far = [other.room for other in others if not _is_next(box, other)]
        rooms.append(box.svg("room", f"→ {', '.join(far)}" if far else ""))
    caption = f'<text class="note" x="{WIDTH / 2:g}" y="{end:g}">the ground, which every room may use</text>'
    wide = (WIDTH - 4) / len(ground)
    floor = [
        Box(room, 2 + wide * (k + 0.5), end + 30, wide - 6).svg("ground") for k, room in enumerate(ground)
    ]
    return "\n".join([_head(end + 56), page, *shades, *arrows, *rooms, caption, *floor, "</svg>", ""])


def _placed(rows: Sequence[Sequence[str]], edges: Edges) -> tuple[dict[str, Box], list[tuple[float, float]]]:
    """Room → its box, and (top, height) of each layer's band."""
    boxes: dict[str, Box] = {}
    bands, y = [], 4.0
    for row in rows:
        ordered = _ordered(row, edges, boxes)
        lines = [ordered[i : i + 3] for i in range(0, len(ordered), 3)]
        for number, line in enumerate(lines):
            step = min((WIDTH - 4) / len(line), 200)
            for k, room in enumerate(line):
                x = WIDTH / 2 + (k - (len(line) - 1) / 2) * step
                boxes[room] = Box(room, x, y + 6 + HIGH / 2 + number * (HIGH + 6), step - 10)
        bands.append((y, 6 + len(lines) * (HIGH + 6)))
        y += bands[-1][1] + GAP
    return boxes, bands


def _ordered(row: Sequence[str], edges: Edges, boxes: dict[str, Box]) -> list[str]:
    """Rooms of a layer, each near those above that import it, so that few arrows cross."""

    def middle(room: str) -> float:
        users = [boxes[other].x for other, needs in edges.items() if room in needs and other in boxes]
        return sum(users) / len(users) if users else WIDTH / 2

    return sorted(row, key=middle)


def _is_next(box: Box, other: Box) -> bool:
    """Whether nothing lies between, so that an arrow may run from the one down to the other."""
    return 0 < other.y - box.y <= HIGH + 12 + GAP


def _arrow(box: Box, other: Box) -> str:
    begin, end = box.y + HIGH / 2, other.y - HIGH / 2 - 1
    half = (begin + end) / 2
    curve = f"M{box.x:g} {begin:g}C{box.x:g} {half:g} {other.x:g} {half:g} {other.x:g} {end:g}"
    return f'<path class="import" marker-end="url(#head)" d="{curve}"/>'


def _head(height: float) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" viewBox="0 0 {WIDTH} {height:g}" '
        'role="img">\n'
        "<title>The rooms of fiqa by layer; what a room imports lies below it</title>\n"
        f"<style>{STYLE}</style>\n"
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" '
        'orient="auto"><path class="head" d="M0 0 8 4 0 8z"/></marker></defs>'
    )


def main() -> None:
    PICTURE.write_text(picture(layers(), reduced(imports())), encoding="utf-8")
    print(PICTURE)


if __name__ == "__main__":
    main()
