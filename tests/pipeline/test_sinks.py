"""Rows as CSV, JSON lines and Parquet: what is written is what other readers take, and no formula runs."""

from __future__ import annotations

import csv
import io
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.pipeline.tables import COLUMNS, CSV_NAMES, NAMES, ROWS, needs_parquet

from fiqa.pipeline.sinks import CsvSink, JsonlSink, escaped, read_parquet, unescaped, write_parquet


def csv_of(rows):
    file = io.StringIO()
    sink = CsvSink(file, COLUMNS)
    for values in rows:
        sink.write(values)
    return file.getvalue()


def test_csv_is_what_other_readers_take():
    header, line = csv_of(ROWS[1:2]).splitlines()
    assert next(csv.reader([header])) == CSV_NAMES
    assert line == (f'"quo""te, comma.jpg",0,ok,{ROWS[1]["score"]},{ROWS[1]["attn"]},2e-09,,,,,,,,')
    table = list(csv.DictReader(io.StringIO(csv_of(ROWS), newline=""), strict=True))
    assert [unescaped(values["path"]) for values in table] == NAMES


def test_no_cell_begins_like_a_formula_and_numbers_stay_numbers():
    table = list(csv.DictReader(io.StringIO(csv_of(ROWS), newline="")))
    for values, written in zip(ROWS, table, strict=True):
        for column in COLUMNS:
            cell = written.get(column.name, "")
            if column.kind == "text":
                assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
            elif cell:
                assert float(cell) == values[column.name]
    assert table[0]["attn"] == "-0.142857"  # a number below 0 is none of them
    assert table[8]["path"] == "'=1+1.jpg"
    assert table[3]["reason"] == "'=it is damaged"


@given(st.text("'=+-@\t\ra1 ", max_size=6))
def test_escaping_is_undone_exactly(text):
    assert unescaped(escaped(text)) == text
    assert not escaped(text).startswith(("=", "+", "-", "@", "\t", "\r"))


def test_json_lines_are_strict_json():
    def refuse(name: str) -> None:
        raise AssertionError(name)

    file = io.StringIO()
    sink = JsonlSink(file, COLUMNS)
    for values in ROWS:
        sink.write(values)
    assert [json.loads(line, parse_constant=refuse) for line in file.getvalue().splitlines()] == ROWS
    with pytest.raises(ValueError, match="not JSON compliant"):
        sink.write(ROWS[0] | {"score": math.nan})


def test_parquet_has_types_and_lists(tmp_path):
    needs_parquet(".parquet")
    import pyarrow.parquet as parquet

    path = tmp_path / "table.parquet"
    write_parquet(path, map(dict, ROWS), COLUMNS)
    types = {field.name: str(field.type) for field in parquet.read_schema(path)}
    assert types["path"] == types["reason"] == types["scored_by"] == "string"
    assert types["face"] == types["rotation"] == "int32"
    assert types["score"] == types["attn"] == types["left"] == "double"
    assert types["box"].startswith("list<")
    assert types["landmarks"].startswith("list<")
    assert list(read_parquet(path)) == ROWS  # bytes that are no text too
    assert [file.name for file in tmp_path.iterdir()] == ["table.parquet"]
