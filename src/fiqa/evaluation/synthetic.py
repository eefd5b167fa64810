"""The old name of :mod:`fiqa.degradations`, importable for one more version."""

from ..degradations import DEGRADATIONS, degrade, ladder

__all__ = ["DEGRADATIONS", "degrade", "ladder"]
