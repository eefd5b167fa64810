"""Reading back what score wrote, in every format, and saying what is no table."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
from tests.pipeline.sorted_files import write_table
from tests.pipeline.tables import COLUMNS, NAMES, ROWS, SPECS, needs_parquet

from fiqa.calibration import Calibration
from fiqa.errors import DataError, UnknownName, UsageError
from fiqa.pipeline import Output, ResultTable

FACTS = {"decides": {"methods": {spec: spec for spec in SPECS}, "scored_by": SPECS[0]}, "calibration": None}


def _written(path, rows=ROWS, facts=FACTS):
    with Output(path, COLUMNS, facts) as output:
        for values in rows:
            output.write(dict(values))
    return ResultTable(path)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_rows_come_back_as_they_were_written(tmp_path, suffix):
    needs_parquet(suffix)
    table = _written(tmp_path / f"t{suffix}")
    found = list(table.rows())
    assert [values["path"] for values in found] == NAMES
    for values, row in zip(found, ROWS, strict=True):
        for name in ("path", "face", "status", "score", *SPECS, "rotation"):
            assert values[name] == row[name], name
    assert (table.methods, table.scored_by, table.n_broken) == (SPECS, SPECS[0], 0)
    assert len(list(table.photographs())) == len(NAMES)


def test_a_folder_of_parts_is_one_table(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    for number in (1, 0):
        _written(folder / f"part-0000{number}.jsonl", ROWS[number * 7 : number * 7 + 7])
    (folder / "run.json").write_text(json.dumps(FACTS))
    table = ResultTable(folder)
    assert [values["path"] for values in table.rows()] == NAMES[:14]
    assert table.methods == SPECS


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_the_half_row_of_a_killed_run_is_left_out(tmp_path, suffix):
    path = tmp_path / f"t{suffix}"
    _written(path, ROWS[:4])
    path.write_bytes(path.read_bytes()[:-9] if suffix == ".jsonl" else path.read_bytes() + b"half,0,ok")
    table = ResultTable(path)
    n_rows = 3 if suffix == ".jsonl" else 4
    assert [values["path"] for values in table.rows()] == NAMES[:n_rows]
    assert table.n_broken == 1


def test_what_is_no_table_is_said(tmp_path):
    def wrong(name, text, said, kind=DataError):
        (tmp_path / name).write_text(text)
        with pytest.raises(kind, match=said):
            list(ResultTable(tmp_path / name).rows())

    wrong("empty.csv", "", "no table of fiqa score: it has no column 'path'")
    wrong("other.csv", "name,age\nann,3\n", "no table of fiqa score: it has no column 'path'")
    wrong("t.txt", "", "no format of a table '.txt'", UnknownName)
    wrong("a.jsonl", '{"path": "x", "status": "ok", "score": 1}\nno\n{}\n', "damaged in line 2")
    wrong("b.jsonl", "[1]\n", "has no column 'path'")
    with pytest.raises(DataError, match=r"there is no table .*: make one with 'fiqa score -o'"):
        ResultTable(tmp_path / "none.csv")
    with pytest.raises(DataError, match="holds no part of a table"):
        ResultTable(tmp_path)
    (tmp_path / "p.parquet.part.jsonl").write_text("")
    with pytest.raises(DataError, match="is not finished: go on with 'fiqa score --resume'"):
        ResultTable(tmp_path / "p.parquet")


def test_a_parquet_file_that_is_none_is_said(tmp_path):
    needs_parquet(".parquet")
    (tmp_path / "t.parquet").write_text("no")
    with pytest.raises(DataError, match=r"t\.parquet' can't be read"):
        ResultTable(tmp_path / "t.parquet")


def test_a_table_without_a_calibrated_score_is_ordered_by_its_method_and_gated_by_nothing(tmp_path):
    table = _written(tmp_path / "t.csv")
    assert table.quality_column == SPECS[0]
    with pytest.raises(UsageError, match="has no score from 0 to 100, which a gate needs"):
        table.gate("60")
    (tmp_path / "t.csv.run.json").unlink()
    bare = ResultTable(tmp_path / "t.csv")  # such as one from a pipe
    assert (bare.quality_column, bare.gate("60").score) == ("score", 60)
    with pytest.raises(UsageError, match="stands in a calibration, and there is none"):
        bare.gate("fnmr=1%")


@pytest.mark.parametrize("text", ["no json", "[]", "{}"])
def test_damaged_facts_are_said(tmp_path, text):
    table = write_table(tmp_path / "t.csv", [])
    (tmp_path / "t.csv.run.json").write_text(text)
    with pytest.raises(DataError, match=r"run\.json' is damaged"):
        table.gate("60")


def test_the_scores_number_is_never_a_text(tmp_path):
    rows = [("a", 0, "ok", "many", "", ""), ("b", 0, "ok", "nan", "", "")]
    table = write_table(tmp_path / "t.csv", rows)
    assert [table.quality(values) for values in table.rows()] == [None, None]
    table = write_table(tmp_path / "t.csv", rows)
    known = Calibration(spec="attn", raw=(0, 1), score=(0, 100), meaning="…")
    facts = {"decides": {"methods": {}, "scored_by": None}, "calibration": asdict(known)}
    (tmp_path / "t.csv.run.json").write_text(json.dumps(facts))
    assert table.calibration == known
    assert not any(table.passes(table.gate("0"), values) for values in table.rows())
