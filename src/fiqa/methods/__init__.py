"""Evidence in → raw score and patch map out: the quality methods, in NumPy alone, and their registry."""

from .attn import Attn
from .base import METHODS, Method, Spec, needs, parse
from .exits import Exit, ExitDepth, ExitMean
from .vitnt import ViTNT

__all__ = ["METHODS", "Attn", "Exit", "ExitDepth", "ExitMean", "Method", "Spec", "ViTNT", "needs", "parse"]
