"""An evaluation as JSON, CSV and LaTeX."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from ...pipeline.sinks import escaped
from ..results import Evaluation, Result

__all__ = ["csv_text", "json_text", "latex_text"]

SCHEMA = 1
_COLUMNS = (
    "dataset", "recognizer", "method", "fmr", "pauc", "normalised", "low", "high", "is_best", "as_good",
    "auc", "fmr_after", "spearman",
)  # fmt: skip


def json_text(evaluation: Evaluation, names: bool = True) -> str:
    """Everything, curves and histograms included; NaN becomes null. ``names``: keep the names of images."""
    document = _plain(evaluation)
    if not names:
        for distribution in document["distributions"]:
            del distribution["worst"], distribution["best"]
    document = {"format": "fiqa-evaluation", "schema": SCHEMA, **document}
    return json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def csv_text(evaluation: Evaluation) -> str:
    """One row a method, data set, recogniser and FMR; nothing where there is no number."""
    discards = list(evaluation.results[0].fnmr) if evaluation.results else []
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow((*_COLUMNS, *(f"fnmr_at_{share:g}" for share in discards)))
    for result in evaluation.results:
        row = [getattr(result, name) for name in _COLUMNS] + [result.fnmr[share] for share in discards]
        table.writerow(_csv_cell(value) for value in row)
    return text.getvalue()


def _csv_cell(value: Any) -> Any:
    if isinstance(value, str):  # a name may begin as a formula does
        return escaped(value)
    return "" if isinstance(value, float) and math.isnan(value) else value


def latex_text(evaluation: Evaluation) -> str:
    """A tabular: methods down, data sets × recognisers × FMRs across; best bold, as good ones underlined."""
    columns = list(dict.fromkeys((r.dataset, r.recognizer, r.fmr) for r in evaluation.results))
    cell = {(r.method, (r.dataset, r.recognizer, r.fmr)): r for r in evaluation.results}
    settings = evaluation.settings
    lines = [
        f"% pAUC to {settings.limit:g} discard, divided by that of random discarding (1 = random); "
        f"protocol {settings.protocol}; "
        + (f"{settings.level:.0%} intervals over subjects; " if settings.protocol == "fixed" else "")
        + "bold: best; underlined: not significantly worse",
        rf"\begin{{tabular}}{{l{'c' * len(columns)}}}",
        r"\hline",
    ]
    for head, values in (
        ("data set", [dataset for dataset, _, _ in columns]),
        ("judge", [recognizer for _, recognizer, _ in columns]),
        ("FMR", [f"{fmr:g}" for _, _, fmr in columns]),
    ):
        lines.append(" & ".join([head, *map(_latex, values)]) + r" \\")
    lines.append(r"\hline")
    for method in evaluation.methods:
        row = [_latex_cell(cell[method, column]) for column in columns]
        lines.append(" & ".join([_latex(method), *row]) + r" \\")
    return "\n".join([*lines, r"\hline", r"\end{tabular}", ""])


def _latex_cell(result: Result) -> str:
    if math.isnan(result.normalised):
        return "--"
    value = f"{result.normalised:.3f}"
    if result.is_best:
        value = rf"\textbf{{{value}}}"
    elif result.as_good:
        value = rf"\underline{{{value}}}"
    return value if math.isnan(result.low) else rf"{value} [{result.low:.3f}, {result.high:.3f}]"


_LATEX = {
    **{character: "\\" + character for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


def _latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)


def _plain(value: Any) -> Any:
    """Only what JSON knows."""
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {f"{key:g}" if isinstance(key, float) else str(key): _plain(v) for key, v in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (np.floating, float)):
        return float(value) if math.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value
