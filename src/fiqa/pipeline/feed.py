"""Items in → images for a scorer's stream, and beside each result what its row carries, out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ..images import EncodedImage, Limits
from ..scorer import Scorer
from ..types import Quality
from .items import Item, path_of
from .tars import members


class Feed:
    """What ``Scorer.stream`` takes; iterated once, while results are asked what they carry in its order.

    Args:
        items: what there is to score.
        limits: what one image may cost; None: the defaults.
        wanted: of the images, by their path, those that are given; None: all.
    """

    def __init__(
        self,
        items: Iterable[Item | str],
        limits: Limits | None = None,
        *,
        wanted: Callable[[str], bool] | None = None,
    ) -> None:
        self._items, self._wanted = items, wanted
        self._most = (limits or Limits()).max_bytes
        self._waiting: deque[Mapping[str, Any]] = deque()
        self._current: Mapping[str, Any] = {}
        self.n_begun = 0

    @classmethod
    def of(
        cls, scorer: Scorer, items: Iterable[Item | str], *, wanted: Callable[[str], bool] | None = None
    ) -> Feed:
        """A feed within the limits of a scorer."""
        return cls(items, scorer.limits, wanted=wanted)

    def __iter__(self) -> Iterator[str | EncodedImage]:
        for item in self._items:
            if isinstance(item, Item) and item.is_tar:
                images: Iterable[str | EncodedImage] = members(item.path, most=self._most)
            else:
                images = (path_of(item),)
            carried = {} if isinstance(item, str) else item.carried
            for image in images:
                if self._wanted is None or self._wanted(image if isinstance(image, str) else image.path):
                    self._waiting.append(carried)
                    yield image

    def carried(self, quality: Quality) -> Mapping[str, Any]:
        """What the row of the next result carries; the faces of an image carry the same."""
        if quality.face_index == 0:
            self._current = self._waiting.popleft()
            self.n_begun += 1
        return self._current
