"""A URL of a file, a folder or a pattern in → the URLs of the images that it stands for out."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

from ..errors import DataError, FiqaError
from ..images.formats import is_image_name
from ..images.remote import filesystem
from .tars import is_tar

_MAGIC = "*["  # a question mark begins the query of an http URL


def below(url: str) -> Iterator[str]:
    """The URLs that ``url`` stands for, sorted.

    Raises:
        DataError: the place can't be listed.
        FiqaError: nothing installed can read it.
    """
    fs, path = filesystem(url)
    path_of_url = url.partition("?")[0]
    try:
        if any(sign in url for sign in _MAGIC):
            place = _Place(fs, _above(url))
            for match in sorted(fs.glob(path)):
                yield from _images_below(fs, match, place) if fs.isdir(match) else (place.url(match),)
        elif not url.endswith("/") and (is_image_name(path_of_url) or is_tar(path_of_url) or "?" in url):
            yield url  # without asking, which would cost a request for each
        elif fs.isdir(path):
            yield from _images_below(fs, path, _Place(fs, url))
        else:
            yield url
    except FiqaError:
        raise
    except Exception as error:  # each file system raises what it likes
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise DataError(f"{url!r} can't be listed: {reason}") from error


def _images_below(fs: Any, path: str, place: _Place) -> Iterator[str]:
    return (place.url(found) for found in sorted(fs.find(path)) if is_image_name(os.path.basename(found)))


class _Place:
    """A folder, so that what is found below it has a URL of the same kind: fsspec's paths lack the host."""

    def __init__(self, fs: Any, url: str) -> None:
        self._links = url.split("::")
        self._number = next((i for i, link in enumerate(self._links) if "://" in link), 0)
        self._root = str(filesystem(url)[1]).rstrip("/")

    def url(self, path: str) -> str:
        """The URL of a path of the file system, below this place."""
        links, here = list(self._links), self._links[self._number]
        inside = path[len(self._root) :] if path.startswith(self._root) else path
        links[self._number] = (here if here.endswith("/") else here + "/") + inside.lstrip("/")
        return "::".join(links)


def _above(url: str) -> str:
    """The folder that a pattern begins in, as a URL."""
    links = url.split("::")
    for number, link in enumerate(links):
        if any(sign in link for sign in _MAGIC):
            plain = re.split(r"[*\[]", link)[0]
            links[number] = plain[: plain.rfind("/") + 1]
    return "::".join(links)
