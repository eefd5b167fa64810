"""A source of faces from one line of text, as on the command line: ``name`` or ``name:option=value,…``.

One of one's own, also of another package, is a frozen dataclass below :class:`FaceSourceSpec`, decorated with
``@FACE_SOURCES.register``: its fields are its options (:func:`fiqa.specs.option`), and ``open`` makes it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, ClassVar

from .. import specs
from ..registry import Registry
from .detectors import MAX_SIDE, Detector, default_detector

if TYPE_CHECKING:
    from .sources import FaceSource


@dataclass(frozen=True, kw_only=True)
class FaceSourceSpec:
    """One kind of source and its options, which are the fields of a dataclass below this.

    Its ``str`` is its canonical text, which tables of scores are written with.

    Attributes:
        name: as in texts.
        summary: one line on what it is.
        source: the paper or the project.
    """

    name: ClassVar[str]
    summary: ClassVar[str] = ""
    source: ClassVar[str] = ""

    def __str__(self) -> str:
        options = ",".join(f"{f.name}={specs.as_text(getattr(self, f.name))}" for f in fields(self))
        return self.name + (f":{options}" if options else "")

    def open(self) -> FaceSource | Detector:
        """The source, or a detector, which then looks twice and at turned faces as the default does."""
        raise NotImplementedError


FACE_SOURCES: Registry[type[FaceSourceSpec]] = Registry(
    "source of faces", "fiqa.face_sources", FaceSourceSpec
)


def read_source(text: str) -> FaceSourceSpec:
    """The source that ``name`` or ``name:option=value,…`` names, not yet opened.

    >>> str(read_source("mtcnn:min_face=40"))
    'mtcnn:min_face=40,max_side=1280'

    Raises:
        UnknownName: there is no such source or option.
        UsageError: an option lacks or is not allowed.
        DataError: it is of another package, and can't be loaded.
    """
    name, options = specs.split(text)
    return specs.make(name, FACE_SOURCES.find(name), options)


@FACE_SOURCES.register
@dataclass(frozen=True, kw_only=True)
class MtcnnSpec(FaceSourceSpec):
    """The default detector; see :func:`default_detector`."""

    name: ClassVar[str] = "mtcnn"
    summary: ClassVar[str] = "the default: three small networks in a cascade; extra detect"
    source: ClassVar[str] = "MTCNN, IEEE SPL 2016"

    min_face: int = specs.option(20, read=specs.whole, expects="a whole number of pixels")
    max_side: int = specs.option(MAX_SIDE, read=specs.whole, expects="a whole number of pixels")

    def open(self) -> Detector:
        return default_detector(min_face=self.min_face, max_side=self.max_side)
