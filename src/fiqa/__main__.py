"""``python -m fiqa`` is the command ``fiqa``."""

from .apps.cli import main

main()
