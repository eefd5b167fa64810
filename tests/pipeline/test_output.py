"""Tables that survive a kill at any byte, and are continued only with the settings they were begun with."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiqa.errors import DataError, MissingExtra, UnknownName, UsageError
from fiqa.pipeline.output import FORMATS, Output
from fiqa.pipeline.rows import columns, row
from fiqa.pipeline.sinks import CsvSink
from fiqa.types import Quality

SPECS = ("attn", "vitnt:blocks=0,4,alpha=8")
FACTS = {"decides": {"model": "net", "methods": {"attn": "attn:block=3"}}, "context": {"python": "3"}}
NAMES = [
    "plain.jpg",
    'quo"te, comma.jpg',
    "line\nbreak.jpg",
    "carriage\rreturn.jpg",
    "caf\udce9.jpg",  # a byte that is no UTF-8
    "日本.jpg",
    " spaces ",
    "back\\slash.jpg",
    "=1+1.jpg",
    '"',
    "\n",
]


def quality(number: int, path: str) -> Quality:
    if number % 4 == 3:
        return Quality(status="unreadable", reason="it is damaged", path=path)
    raw = {SPECS[0]: -(number + 1) / 7, SPECS[1]: 1e-9 * (number + 1)}
    return Quality(status="ok", score=100 / (number + 1.5), raw=raw, path=path)


ROWS = [row(quality(number, name), SPECS) for number, name in enumerate(NAMES)]


def parquet() -> Any:
    return pytest.importorskip("pyarrow.parquet", reason="Parquet needs the extra parquet")


def write(path: Path, rows: Any, **settings: Any) -> Output:
    with Output(path, SPECS, FACTS, **settings) as output:
        for values in rows:
            if values["path"] not in output.done:
                output.write(values)
    return output


def read(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        return parquet().read_table(path).to_pylist()
    data = path.read_bytes().decode("utf-8", "surrogateescape")
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in data.splitlines()]
    found = list(csv.DictReader(io.StringIO(data, newline="")))
    numbers = ("face", "score", *SPECS)
    return [
        {k: (float(v) if v else None) if k in numbers else v for k, v in values.items()} for values in found
    ]


# ---------------------------------------------------------------- rows


def test_columns_and_rows():
    assert columns(SPECS) == ("path", "face", "status", "score", *SPECS)
    good = Quality(
        status="ok", score=12.3456, raw=dict(zip(SPECS, (0.123456789, -1e-7), strict=True)), path="a"
    )
    assert row(good, SPECS) == {
        "path": "a",
        "face": 0,
        "status": "ok",
        "score": 12.35,
        SPECS[0]: 0.123457,
        SPECS[1]: -1e-7,
    }
    bad = row(Quality(status="no_face", reason="none"), SPECS)
    assert bad == {"path": "", "status": "no_face"} | dict.fromkeys(("face", "score", *SPECS))


@pytest.mark.parametrize("suffix", FORMATS)
def test_what_is_written_is_read_again(suffix, tmp_path):
    if suffix == ".parquet":
        parquet()
    output = write(tmp_path / f"table{suffix}", ROWS)
    assert output.n_failed == len(NAMES) // 4
    expected = [dict(values) for values in ROWS]
    if suffix == ".parquet":  # its text is UTF-8
        expected[4]["path"] = "caf\\xe9.jpg"
    assert read(output.path) == expected
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        output.path.name,
        f"{output.path.name}.run.json",
    ]
    assert json.loads(Path(f"{output.path}.run.json").read_text()) == FACTS


def test_each_row_is_handed_over_at_once(tmp_path):
    with Output(tmp_path / "table.csv", SPECS, FACTS) as output:
        for number, values in enumerate(ROWS, start=1):
            output.write(values)
            assert len(read(output.path)) == number


def test_csv_is_what_other_readers_take():
    file = io.StringIO()
    sink = CsvSink(file, columns(SPECS))
    sink.write(ROWS[1])
    assert file.getvalue() == (
        'path,face,status,score,attn,"vitnt:blocks=0,4,alpha=8"\n'
        f'"quo""te, comma.jpg",0,ok,{ROWS[1]["score"]},{ROWS[1]["attn"]},2e-09\n'
    )


# ---------------------------------------------------------------- resuming


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
@pytest.mark.parametrize("several_rows", [False, True])
@settings(deadline=None, max_examples=60)
@given(share=st.floats(0, 1))
def test_a_file_cut_at_any_byte_is_completed_to_the_same_bytes(suffix, several_rows, share, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cut")
    rows = ROWS
    if several_rows:  # three faces of each photo
        rows = [{**values, "face": face} for values in ROWS for face in range(3)]
    whole, cut = folder / f"whole{suffix}", folder / f"cut{suffix}"
    with Output(whole, SPECS, FACTS, several_rows=several_rows) as output:
        for values in rows:
            output.write(values)
    data = whole.read_bytes()
    cut.write_bytes(data[: round(share * len(data))])
    with Output(cut, SPECS, FACTS, resume=True, several_rows=several_rows) as output:
        before = len(output.done)
        for values in rows:
            if values["path"] not in output.done:
                output.write(values)
    assert cut.read_bytes() == data
    assert output.n_failed == sum(values["status"] != "ok" for values in rows)
    assert share < 1 or before == len(NAMES) - several_rows  # nothing that is complete is done twice


@pytest.mark.parametrize("done", [0, 1, 5, len(ROWS)])
def test_an_interrupted_parquet_is_completed(done, tmp_path):
    parquet()
    path = tmp_path / "table.parquet"
    with pytest.raises(KeyboardInterrupt), Output(path, SPECS, FACTS) as output:  # noqa: PT012
        for values in ROWS[:done]:
            output.write(values)
        raise KeyboardInterrupt
    assert not path.exists()
    journal = Path(f"{path}.part.jsonl")
    journal.write_bytes(journal.read_bytes() + b'{"path": "half')
    assert len(write(path, ROWS, resume=True).done) == done
    whole = write(tmp_path / "whole.parquet", ROWS)
    assert parquet().read_table(path).equals(parquet().read_table(whole.path))
    assert not journal.exists()


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_finished_table_takes_more_rows_and_repeats_none(suffix, tmp_path):
    if suffix == ".parquet":
        parquet()
    path = tmp_path / f"table{suffix}"
    write(path, ROWS[:6])
    assert write(path, ROWS, resume=True).done == {values["path"] for values in ROWS[:6]}
    assert write(path, ROWS, resume=True).done == {values["path"] for values in ROWS}
    write(whole := tmp_path / f"whole{suffix}", ROWS)
    assert read(path) == read(whole)


@pytest.mark.parametrize("suffix", FORMATS)
def test_resuming_nothing_begins(suffix, tmp_path):
    if suffix == ".parquet":
        parquet()
    path = tmp_path / f"table{suffix}"
    assert write(path, ROWS, resume=True).done == set()
    assert len(read(path)) == len(ROWS)


@pytest.mark.parametrize("suffix", FORMATS)
def test_without_resume_the_old_table_is_kept(suffix, tmp_path):
    if suffix == ".parquet":
        parquet()
    path = tmp_path / f"table{suffix}"
    write(path, ROWS[:2])
    old = path.read_bytes()
    write(path, ROWS[2:])
    assert Path(f"{path}.bak").read_bytes() == old
    assert read(path)[0]["path"] == NAMES[2]
    newer = path.read_bytes()
    write(path, ROWS[:1])
    assert Path(f"{path}.bak").read_bytes() == old
    assert Path(f"{path}.bak2").read_bytes() == newer


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_other_columns_or_settings_are_refused_and_nothing_is_lost(suffix, tmp_path):
    path = tmp_path / f"table{suffix}"
    write(path, ROWS)
    before = path.read_bytes()
    other = {"decides": {**FACTS["decides"], "model": "another"}}
    with pytest.raises(UsageError, match="written with model 'net', not 'another'"):
        Output(path, SPECS, other, resume=True)
    with pytest.raises(UsageError, match=r"has columns .*resume with the same methods"):
        Output(path, SPECS[:1], FACTS, resume=True)
    assert path.read_bytes() == before
    assert json.loads(Path(f"{path}.run.json").read_text()) == FACTS
    with Output(path, SPECS, {**FACTS, "context": {"python": "4"}}, resume=True) as output:  # no matter
        assert len(output.done) == len(NAMES)


def test_parquet_with_other_columns_is_refused(tmp_path):
    parquet()
    path = tmp_path / "table.parquet"
    write(path, ROWS)
    with pytest.raises(UsageError, match="has columns"):
        Output(path, SPECS[:1], FACTS, resume=True)
    assert len(read(path)) == len(ROWS)
    assert not Path(f"{path}.part.jsonl").exists()


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        (".jsonl", b'{"path": "a"\n{"path": "b"}\n'),
        (".jsonl", b"[1]\n"),
        (".jsonl", b"7\n"),
        (".csv", b'path,face,status,score,attn,"vitnt:blocks=0,4,alpha=8"\n"a"b,c\n'),
    ],
)
def test_a_table_damaged_in_its_middle_is_a_data_error(suffix, content, tmp_path):
    path = tmp_path / f"table{suffix}"
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        Output(path, SPECS, FACTS, resume=True)
    assert path.read_bytes() == content


def test_damaged_facts_are_a_data_error(tmp_path):
    write(tmp_path / "table.csv", ROWS)
    (tmp_path / "table.csv.run.json").write_text("{")
    with pytest.raises(DataError, match=r"run\.json' is damaged"):
        Output(tmp_path / "table.csv", SPECS, FACTS, resume=True)


# ---------------------------------------------------------------- places that can't be written


def test_outputs_that_can_t_be(tmp_path, monkeypatch):
    with pytest.raises(UnknownName, match=r"\.csv, \.jsonl, \.parquet"):
        Output(tmp_path / "table.txt", SPECS, FACTS)
    with pytest.raises(UsageError, match="a folder that does not exist"):
        Output(tmp_path / "no" / "table.csv", SPECS, FACTS)
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        Output(tmp_path / "folder.csv", SPECS, FACTS)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"fiqa\[parquet\]"):
        Output(tmp_path / "table.parquet", SPECS, FACTS)
    assert os.listdir(tmp_path) == ["folder.csv"]


def test_a_suffix_in_capitals(tmp_path):
    write(tmp_path / "TABLE.CSV", ROWS)
    assert (tmp_path / "TABLE.CSV").read_bytes().startswith(b"path,face")
