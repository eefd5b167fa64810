"""Results on paper and screen: JSON, CSV, LaTeX, and self-contained pages with charts as inline SVG."""

from .evaluation import write_report
from .tables import csv_text, json_text, latex_text
from .validation import write_validation

__all__ = ["csv_text", "json_text", "latex_text", "write_report", "write_validation"]
