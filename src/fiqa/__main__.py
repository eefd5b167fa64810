"""``python -m fiqa`` is the command ``fiqa``."""

from .cli.main import main

main()
