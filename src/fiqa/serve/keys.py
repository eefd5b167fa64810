"""A file of hashes → who may call: compared in constant time, read again when it changes.

A line is the SHA-256 of a key in hexadecimal digits, then anything, such as whose it is. Keys are random and
long, so that a plain hash is enough; :func:`new_key` makes one.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
from hashlib import sha256

from ..errors import DataError

_DIGEST = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)


class Keys:
    """The keys that a file allows.

    Args:
        path: of the file.

    Raises:
        DataError: it can't be read, a line begins with no hash, or it allows nobody.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.fspath(path)
        self._digests = self._read()

    def __len__(self) -> int:
        return len(self._digests)

    def reload(self) -> None:
        """Read the file again; what was allowed stays so if it can't be read.

        Raises:
            DataError: as of the class.
        """
        self._digests = self._read()

    def allow(self, key: bytes) -> bool:
        """Whether ``key`` is one of them, in a time that does not tell how nearly it is."""
        digest, found = sha256(key).digest(), False
        for known in self._digests:
            found |= hmac.compare_digest(digest, known)
        return found

    def _read(self) -> tuple[bytes, ...]:
        try:
            with open(self._path, encoding="utf-8") as file:
                lines = [line.split() for line in file]
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"the keys {self._path!r} can't be read: {error}") from error
        digests = []
        for number, words in enumerate(lines, 1):
            if not words or words[0].startswith("#"):
                continue
            if not _DIGEST.fullmatch(words[0]):  # never shown: it may be a key that somebody put here
                raise DataError(
                    f"line {number} of the keys {self._path!r} must begin with the SHA-256 of a key, "
                    "as 'fiqa serve --new-key' prints it"
                )
            digests.append(bytes.fromhex(words[0]))
        if not digests:
            raise DataError(f"the keys {self._path!r} allow nobody: add a line of 'fiqa serve --new-key'")
        return tuple(digests)


def new_key() -> tuple[str, str]:
    """A new key, and its line for the file."""
    key = secrets.token_urlsafe(32)
    return key, sha256(key.encode()).hexdigest()
