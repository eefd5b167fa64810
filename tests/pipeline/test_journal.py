"""Tables that something has damaged: what can't be continued is said, and nothing in it is cut off."""

from __future__ import annotations

import pytest
from tests.pipeline.tables import COLUMNS, CSV_NAMES, NAMES, ROWS

from fiqa.errors import DataError
from fiqa.pipeline.journal import Journal
from fiqa.pipeline.output import Output

JSON_NAMES = [column.name for column in COLUMNS]


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        (".jsonl", b'{"path": "a"\n{"path": "b"}\n'),
        (".jsonl", b"[1]\n"),
        (".jsonl", b"7\n"),
        (".jsonl", b"[" * 100_000 + b"\n"),
        (".csv", b'HEADER\n"a"b,c\n'),
        (".csv", b'HEADER\n"' + b"a.jpg,0,ok,50,1,2,,,,,,,,\n" * 5000),  # a quote that nothing ends
    ],
)
def test_a_table_damaged_in_its_middle_is_refused_as_it_is(suffix, content, tmp_path):
    header = ",".join(f'"{name}"' for name in CSV_NAMES).encode()
    path = tmp_path / f"table{suffix}"
    path.write_bytes(content := content.replace(b"HEADER", header))
    with pytest.raises(DataError, match="damaged and can't be resumed"):
        Output(path, COLUMNS, {}, resume=True)
    assert path.read_bytes() == content
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_contents_count_what_is_there(suffix, tmp_path):
    path = tmp_path / f"table{suffix}"
    with Output(path, COLUMNS, {}) as output:
        for values in ROWS:
            output.write(values)
    whole = path.read_bytes()
    path.write_bytes(whole + b'"half a row')
    journal = Journal(path, CSV_NAMES if suffix == ".csv" else JSON_NAMES, name="t")
    contents = journal.inspect(several_rows=False)
    assert contents.done == set(NAMES)
    assert (contents.n_failed, contents.n_broken, contents.again) == (len(NAMES) // 4, 0, set())
    assert contents.size == len(whole)
    assert path.read_bytes() != whole  # looking changes nothing
    journal.keep(contents)
    assert path.read_bytes() == whole
