"""A URL in → the bytes behind it out, through fsspec; the one place that reads what lies elsewhere."""

from __future__ import annotations

import re
import time
from typing import Any

from ..errors import ImageError, MissingExtra, UsageError, require
from .encoded import EncodedImage
from .limits import Limits

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(://|::)")  # two letters at least: C: is a drive
_PAUSES = (0.5, 2.0)  # seconds before each further attempt; a large store fails now and then


def is_remote(path: str) -> bool:
    """Whether a path is a URL, such as ``s3://faces/a.jpg`` or ``simplecache::https://host/a.jpg``.

    >>> is_remote("memory://a.jpg"), is_remote("C:/a.jpg"), is_remote("a.jpg")
    (True, False, False)
    """
    return _URL.match(path) is not None


def filesystem(url: str) -> tuple[Any, str]:
    """(the fsspec file system of a URL, the path in it).

    Raises:
        MissingExtra: fsspec, or the package behind this kind of URL, is not installed.
        UsageError: fsspec knows no such kind of URL.
    """
    fsspec = require("fsspec", "remote", f"reading {url!r}")
    try:
        fs, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise MissingExtra(f"reading {url!r} needs a package: {error}") from error
    except ValueError as error:
        raise UsageError(f"{url!r} can't be read: {error}") from error
    return fs, path


def fetched(source: Any, limits: Limits | None = None) -> Any:
    """``source``, or if it is a URL its bytes under that name, so that it is fetched once and read twice.

    Raises:
        ImageError: as of :func:`fetch`.
    """
    if isinstance(source, str) and is_remote(source):
        return EncodedImage(source, fetch(source, limits or Limits()))
    return source


def fetch(url: str, limits: Limits) -> bytes:
    """The bytes behind a URL; what fails on the way is tried three times.

    Args:
        url: what to read.
        limits: the most bytes, and the seconds that one attempt may take where the file system can say so.

    Raises:
        ImageError: status ``missing``, ``unreadable`` (forbidden), ``too_large``, or ``failed``.
        FiqaError: as of :func:`filesystem`.
    """
    fs, path = filesystem(url)
    for pause in (*_PAUSES, None):
        try:
            data = _read(fs, path, limits)
            break
        except FileNotFoundError as error:
            raise ImageError("missing", f"{url!r} does not exist") from error
        except (PermissionError, IsADirectoryError) as error:
            raise ImageError("unreadable", f"{url!r} can't be opened: {_reason(error)}") from error
        except MemoryError:
            raise
        except Exception as error:  # each file system raises what it likes
            if 400 <= getattr(error, "status", 0) < 500:  # of HTTP: asking again gives the same answer
                raise ImageError("unreadable", f"{url!r} can't be opened: {_reason(error)}") from error
            if pause is None:
                raise ImageError("failed", f"{url!r} could not be read: {_reason(error)}") from error
            time.sleep(pause)
    if len(data) > limits.max_bytes:
        most = f"at most {limits.max_bytes:,} are read"
        raise ImageError("too_large", f"{url!r} has more bytes than allowed: {most}; raise the limit")
    return data


def _read(fs: Any, path: str, limits: Limits) -> bytes:
    """At most a byte more than the limit, where the file system can read a part."""
    end = limits.max_bytes + 1
    if getattr(fs, "async_impl", False):
        from fsspec.asyn import sync

        data = sync(fs.loop, fs._cat_file, path, start=0, end=end, timeout=limits.timeout)
    else:
        with fs.open(path, "rb") as file:
            data = file.read(end)
    return bytes(data)


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split()).rstrip(".")
    return text or type(error).__name__
