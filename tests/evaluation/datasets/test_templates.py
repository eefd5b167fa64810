"""IJB-C: templates, their pooling, damage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.evaluation.datasets.folders import put

from fiqa.errors import DataError, UsageError
from fiqa.evaluation.datasets import (
    Templates,
    read_ijbc,
)


@pytest.fixture
def ijbc(tmp_path: Path) -> Path:
    for image in range(1, 6):
        put(tmp_path / "loose_crop" / f"{image}.jpg", image)
    meta = tmp_path / "meta"
    meta.mkdir()
    points = " ".join(str(v) for v in range(10))
    (meta / "ijbc_name_5pts_score.txt").write_text("".join(f"{i}.jpg {points} 0.9{i}\n" for i in range(1, 6)))
    # template 11: medium 5 has two frames, medium 6 one photo; image 5 serves two templates
    (meta / "ijbc_face_tid_mid.txt").write_text(
        "1.jpg 11 5\n3.jpg 11 6\n2.jpg 11 5\n4.jpg 20 7\n5.jpg 20 8\n5.jpg 35 9\n"
    )
    (meta / "ijbc_template_pair_label.txt").write_text("11 20 1\n11 35 0\n35 20 0\n")
    return tmp_path


def test_ijbc(ijbc: Path) -> None:
    data = read_ijbc(ijbc)
    assert data.n_items == 3
    assert len(data) == 5
    assert data.pairs.tolist() == [[0, 1], [0, 2], [2, 1]]
    assert data.is_genuine.tolist() == [True, False, False]
    assert data.landmarks.shape == (5, 5, 2)
    assert data.landmarks[0, 1].tolist() == [2.0, 3.0]
    assert data.subjects[0] == data.subjects[1] != data.subjects[2]

    embeddings = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
    pooled = data.templates.pool_embeddings(embeddings)
    expected = [
        (embeddings[0] + embeddings[1]) / 2 + embeddings[2],
        embeddings[3] + embeddings[4],
        embeddings[4],
    ]
    np.testing.assert_allclose(pooled, expected, rtol=1e-6)
    quality = np.array([0.5, 0.1, 0.9, 0.3, 0.7])
    np.testing.assert_allclose(data.templates.pool_quality(quality), [0.1, 0.3, 0.7])
    np.testing.assert_allclose(data.templates.pool_quality(quality, "mean"), [0.5, 0.5, 0.7])
    with pytest.raises(UsageError, match="'min' or 'mean'"):
        data.templates.pool_quality(quality, "max")


@settings(max_examples=50, deadline=None)
@given(
    memberships=st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 9), st.integers(0, 3)), min_size=1, max_size=30
    )
)
def test_template_pooling_is_the_literal_loop(memberships: list[tuple[int, int, int]]) -> None:
    template, images, media = (np.array(column) for column in zip(*memberships, strict=True))
    ids, rows = np.unique(template, return_inverse=True)
    templates = Templates(ids=ids, rows=rows.astype(np.int32), images=images.astype(np.int32), media=media)
    embeddings = np.random.default_rng(1).standard_normal((10, 3)).astype(np.float32)
    expected = np.zeros((len(ids), 3))
    for row in range(len(ids)):
        for medium in set(media[rows == row]):
            members = images[(rows == row) & (media == medium)]
            expected[row] += embeddings[members].mean(0)
    np.testing.assert_allclose(templates.pool_embeddings(embeddings), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("ijbc_name_5pts_score.txt", "1.jpg 1 2 3\n", "line 1"),
        ("ijbc_name_5pts_score.txt", "9.jpg 1 2 3 4 5 6 7 8 9 10 0.5\n", r"9\.jpg"),
        ("ijbc_face_tid_mid.txt", "1.jpg 11\n", "line 1"),
        ("ijbc_face_tid_mid.txt", "8.jpg 11 1\n", "ijbc_name_5pts_score"),
        ("ijbc_template_pair_label.txt", "11 20\n", "expected 'template1"),
        ("ijbc_template_pair_label.txt", "11 20 x\n", "does not parse"),
        ("ijbc_template_pair_label.txt", "11 20 1\n11 36 0\n", "row 2: template 36"),
        ("ijbc_name_5pts_score.txt", "1.jpg 0 0 0 0 0 0 0 0 0 0 1_0\n", "line 1"),
        ("ijbc_name_5pts_score.txt", "1.jpg 0 0 0 0 0 0 0 0 0 ٤ 1\n", "line 1"),
        ("ijbc_name_5pts_score.txt", "1.jpg 0 0 0 0 0 0 0 0 0 infinity 1\n", "line 1"),
        (
            "ijbc_name_5pts_score.txt",
            "1.jpg" + " 0" * 11 + "\n" + "1.jpg" + " 0" * 11 + "\n",
            "line 2.*line 1 names",
        ),
        ("ijbc_face_tid_mid.txt", "1.jpg ² 5\n", "line 1"),
        ("ijbc_face_tid_mid.txt", "1.jpg 11 --5\n", "line 1"),
        ("ijbc_face_tid_mid.txt", f"1.jpg {'9' * 5000} 5\n", "line 1"),
        ("ijbc_template_pair_label.txt", "11 20 2\n", "row 1: label 2"),
        ("ijbc_template_pair_label.txt", "11 20 1_0\n", "does not parse"),
        ("ijbc_template_pair_label.txt", "11 20 ١\n", "does not parse"),
        ("ijbc_template_pair_label.txt", f"11 {'9' * 5000} 1\n", "does not parse"),
        ("ijbc_template_pair_label.txt", "\n", "is a table of"),
    ],
)
def test_damaged_ijbc(ijbc: Path, file: str, text: str, message: str) -> None:
    (ijbc / "meta" / file).write_text(text)
    with pytest.raises(DataError, match=message) as error:
        read_ijbc(ijbc)
    assert file in str(error.value)
    (ijbc / "meta" / file).unlink()
    with pytest.raises(DataError, match="is missing"):
        read_ijbc(ijbc)
