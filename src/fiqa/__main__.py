"""The command ``fiqa``, and ``python -m fiqa``: signals first, since what follows takes time to import."""

from __future__ import annotations

import os


def main() -> None:
    """Entry point of the script ``fiqa``."""
    try:
        from .cli import process

        process.guard()
    except KeyboardInterrupt:  # in the few milliseconds before
        os.write(2, b"fiqa: stopped\n")
        os._exit(130)
    from .cli.main import main as run

    run()


if __name__ == "__main__":
    main()
