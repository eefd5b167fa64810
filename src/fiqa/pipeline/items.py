"""What there is to score, one by one: a path or URL, a tar of images, a row of a list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One entry of what is to be scored; a plain image may stand as its path alone.

    Attributes:
        path: of the image, or of the tar that holds images; a path or URL.
        is_tar: whether it is a tar.
        carried: further columns of the list that named it, JSON values.
    """

    path: str
    is_tar: bool = False
    carried: Mapping[str, Any] = field(default_factory=dict)


def path_of(item: Item | str) -> str:
    """The path of an item."""
    return item if isinstance(item, str) else item.path
