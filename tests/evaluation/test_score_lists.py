"""Scores of other tools: found by path, and every field that is no plain number named with its line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fiqa.errors import DataError
from fiqa.evaluation.score_lists import choose_column, read_scores


def test_listed_scores_are_found_by_path_or_its_end(tmp_path):
    file = tmp_path / "scores.csv"
    file.write_text(
        "path,score\n./a/1.png,0.5\n/data/set/b/2.png,0.25\nc\\3.png,\nd,-inf\n", encoding="utf-8"
    )
    scores = read_scores(file, "theirs")
    np.testing.assert_array_equal(
        scores.lookup(["a/1.png", "b/2.png", "c/3.png", "d"]), [0.5, 0.25, -np.inf, -np.inf]
    )


def test_the_scores_of_our_own_command_are_read(tmp_path):
    file = tmp_path / "ours.csv"
    file.write_text(
        "path,face,status,score,attn\na.png,0,ok,70.1,1.5\na.png,1,ok,20,0.5\nb.png,,no_face,,\n", "utf-8"
    )
    np.testing.assert_array_equal(read_scores(file, "score").lookup(["a.png", "b.png"]), [70.1, -np.inf])
    np.testing.assert_array_equal(read_scores(file, "attn", "attn").lookup(["a.png"]), [1.5])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "empty"),
        ("path,value\na,1\n", "no column 'score'"),
        ("file,rank,x\na,1,2\n", "expected path and score"),
        ("path,score\na,nan\n", "'nan'"),
        ("path,score\na,high\n", "'high'"),
        ("path,score\na\n", "line 2 has 1 fields"),
        ("path,score\na,1\na,2\n", "line 3: 'a' has two different scores"),
        ("path,score\na,²\n", "line 2: .*'²'; expected a plain number"),
        ("path,score\n\nb,2\na,١٢\n", "line 4: .*'١٢'"),
        ("path,score\na,1_0\n", "line 2: .*'1_0'"),
        ('path,score\na,"0,5"\n', "line 2: .*'0,5'"),
        ("path,score\na,inf\n", "'inf'"),
        ("path,score\na,1e999\n", "'1e999'"),
        ("path,score\na," + "9" * 5000 + "\n", r"line 2: the score of 'a' is '9{77}\.\.\.'"),
        ("path,score\n" + "n" * 300 + ",x\n", r"line 2: the score of 'n{77}\.\.\.'"),
        ("path,score\n" + "n" * 200_000 + ",1\n", "no CSV"),
    ],
)
def test_damaged_scores_are_refused(tmp_path, content, message):
    file = tmp_path / "scores.csv"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message) as error:
        read_scores(file, "theirs")
    assert len(str(error.value)) < 400
    assert "\n" not in str(error.value)


def test_a_table_without_a_header_is_path_and_score(tmp_path):
    file = tmp_path / "scores.csv"
    file.write_text("a.png,1\nb.png,2\n", encoding="utf-8")
    np.testing.assert_array_equal(read_scores(file, "theirs").lookup(["b.png", "a.png"]), [2, 1])


def test_file_and_column(tmp_path):
    file = tmp_path / "a:b"
    file.write_text("")
    assert choose_column(str(file)) == (file, "score")
    assert choose_column("scores.csv") == (Path("scores.csv"), "score")
    assert choose_column("scores.csv:attn") == (Path("scores.csv"), "attn")
    assert choose_column("n" * 300) == (Path("n" * 300), "score")


def test_a_path_like_a_formula_is_found_in_a_table_of_ours(tmp_path):
    from fiqa.pipeline.rows import columns, row
    from fiqa.pipeline.sinks import CsvSink
    from fiqa.types import Quality

    names = ["=1+1.jpg", "-2.jpg", "'=3.jpg", "plain.jpg"]
    of = columns(["attn"])
    with (tmp_path / "t.csv").open("w", newline="") as file:
        sink = CsvSink(file, of)
        for number, name in enumerate(names):
            sink.write(row(Quality(status="ok", raw={"attn": -1.5 - number}, path=name), of))
    found = read_scores(tmp_path / "t.csv", "ours", "attn")
    np.testing.assert_array_equal(found.lookup(names), [-1.5, -2.5, -3.5, -4.5])
