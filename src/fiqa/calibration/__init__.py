"""A raw score in → a number from 0 to 100 that means something, and the gates on it, out."""

from .gates import GATE_COLUMNS, Gate, gate_rows, read_gate, round_raw, round_score
from .profile import Calibration, Profile, Threshold

__all__ = [
    "GATE_COLUMNS",
    "Calibration",
    "Gate",
    "Profile",
    "Threshold",
    "gate_rows",
    "read_gate",
    "round_raw",
    "round_score",
]
