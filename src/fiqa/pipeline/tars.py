"""A tar of images, such as a WebDataset shard, in → its images one after another, with their names, out."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import ExitStack
from typing import BinaryIO

from ..errors import ImageError
from ..images import EncodedImage
from ..images.formats import SUFFIXES, is_image_name
from ..images.reader import open_regular
from ..images.remote import filesystem, is_remote

_PACK = "pack the file itself, as tar --dereference --hard-dereference does"
_ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


def is_tar(path: str) -> bool:
    """Whether a path or URL ends like a tar."""
    return path.partition("?")[0].lower().endswith(_ENDINGS)


def members(path: str, *, most: int) -> Iterator[EncodedImage]:
    """The images in a tar, in its order, read from front to end; other members are passed over.

    Each is named ``shard.tar/member``. A name that comes twice counts once. A link that ends like an image is
    one that can't be read. What is wrong with the tar is a last member, of the tar's own name, that can't be
    read.

    Args:
        path: a path or URL, compressed or not.
        most: bytes of the largest member that is read.
    """
    seen: set[str] = set()
    n_given = 0
    with ExitStack() as stack:
        try:
            file = stack.enter_context(_opened(path))
            # r|*: forward only, so that it may be a stream from elsewhere
            tar = stack.enter_context(tarfile.open(fileobj=file, mode="r|*", tarinfo=_Strict))
            while (info := tar.next()) is not None:
                tar.members.clear()  # type: ignore[attr-defined]  # it would keep a record of each
                is_link = info.islnk() or info.issym()
                if not (info.isreg() or is_link) or info.name in seen or not is_image_name(info.name):
                    continue
                seen.add(info.name)
                name = f"{path}/{info.name}"
                if is_link:
                    where = info.linkname[:80]
                    says = f"{name!r} is a link to {where!r}, and a tar is read forward only: {_PACK}"
                    yield EncodedImage(name, error=ImageError("unreadable", says))
                    continue
                if info.size > most:
                    says = f"{name!r} has {info.size:,} bytes, and at most {most:,} are read; raise the limit"
                    yield EncodedImage(name, error=ImageError("too_large", says))
                    continue
                content = tar.extractfile(info)
                data = b"" if content is None else content.read()
                n_given += 1
                yield EncodedImage(name, data)
        except ImageError as error:
            yield EncodedImage(path, error=error)
        except MemoryError:
            raise
        except Exception as error:  # tarfile, the decompressors and the file systems raise what they like
            yield EncodedImage(path, error=_unusable(path, error, n_given))
        else:
            if not seen:
                says = f"{path!r} holds no images: they end in {' '.join(sorted(SUFFIXES))}"
                yield EncodedImage(path, error=ImageError("unreadable", says))


class _Strict(tarfile.TarInfo):
    """A damaged header is an error wherever it stands; tarfile takes it for the end."""

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> _Strict:
        try:
            return super().fromtarfile(tarfile_)
        except (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError) as error:  # type: ignore[attr-defined]
            raise tarfile.ReadError(str(error)) from error


def _opened(path: str) -> BinaryIO:
    if not is_remote(path):
        return open_regular(path, repr(path))
    fs, inside = filesystem(path)
    file: BinaryIO = fs.open(inside, "rb")
    return file


def _unusable(path: str, error: Exception, n_before: int) -> ImageError:
    if isinstance(error, FileNotFoundError):
        return ImageError("missing", f"{path!r} does not exist")
    reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return ImageError("unreadable", f"{path!r} is damaged after {n_before} images: {reason}")
