"""Every reader on a small set in the true on-disk format, whole and damaged."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fiqa.errors import DataError, UnknownName, UsageError
from fiqa.evaluation.datasets import (
    DATASETS,
    SYNFIQA_GROUPS,
    Dataset,
    Templates,
    iter_crops,
    open_dataset,
    read_adience,
    read_cfp,
    read_dataset,
    read_folder,
    read_ijbc,
    read_pairs,
    read_synfiqa,
)


def jpeg(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


def put(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(jpeg(seed))
    return path


# --- LFW, XQLFW ---------------------------------------------------------------------------------------------


@pytest.fixture
def lfw(tmp_path: Path) -> Path:
    for person, count in (("Ann_Lee", 3), ("Bo", 2), ("Cy_de_Wit", 1)):
        for number in range(1, count + 1):
            put(tmp_path / person / f"{person}_{number:04d}.jpg", number)
    (tmp_path / "pairs.txt").write_text(
        "2\t2\n"
        "Ann_Lee\t1\t2\nBo\t1\t2\nAnn_Lee\t1\tBo\t2\nCy_de_Wit\t1\tBo\t1\n"
        "Ann_Lee\t2\t3\nAnn_Lee\t1\t3\nAnn_Lee\t3\tCy_de_Wit\t1\nBo\t1\tAnn_Lee\t2\n"
    )
    return tmp_path


def test_lfw(lfw: Path) -> None:
    data = read_pairs(lfw, name="lfw")
    assert data.names[:3] == ("Ann_Lee/Ann_Lee_0001.jpg", "Ann_Lee/Ann_Lee_0002.jpg", "Bo/Bo_0001.jpg")
    assert data.is_genuine.tolist() == [True, True, False, False] * 2
    assert data.folds.tolist() == [0] * 4 + [1] * 4
    left, right = data.subjects[data.pairs].T
    assert ((left == right) == data.is_genuine).all()
    assert data.read(2) == jpeg(1)


def test_xqlfw_list_with_spaces_png_and_its_own_name(lfw: Path, tmp_path: Path) -> None:
    (lfw / "Bo" / "Bo_0002.jpg").rename(lfw / "Bo" / "Bo_0002.png")
    text = (lfw / "pairs.txt").read_text().replace("\t", " ")
    (lfw / "pairs.txt").unlink()
    (lfw / "xqlfw_pairs.txt").write_text(text)
    data = read_dataset("xqlfw", lfw)
    assert "Bo/Bo_0002.png" in data.names
    assert len(data.pairs) == 8


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("2\t2\n", "2\t3\n", "8 pairs, but its first line"),
        ("Bo\t1\t2\n", "Bo\t1\n", "line 3"),
        ("Bo\t1\t2\n", "Bo\tone\t2\n", "line 3"),
        ("Bo\t1\t2\n", "Bob\t1\t2\n", r"2 of the images it names are not below .*Bob/Bob_0001 \(line 3\)"),
        ("Bo\t1\t2\n", "Bo\t²\t2\n", "line 3: .* is not 'name n1 n2'"),
        ("Bo\t1\t2\n", "Bo\t١\t2\n", "line 3: .* is not 'name n1 n2'"),
        ("Bo\t1\t2\n", "Bo\t1_0\t2\n", "line 3: .* is not 'name n1 n2'"),
        ("Bo\t1\t2\n", f"Bo\t{'9' * 5000}\t2\n", "line 3: .* is not 'name n1 n2'"),
        ("Bo\t1\t2\n", f"{'n' * 300}\t1\t2\n", r"not below .*nnn\.\.\. \(line 3\)"),
        ("Bo\t1\t2\n", "../Bo\t1\t2\n", r"not below .*\(line 3\)"),
        ("Bo\t1\t2\n", "B\0o\t1\t2\n", r"not below .*\(line 3\)"),
        ("Bo\t1\t2\n", "Bo\x85Bo\t1\t2\n", r"not below .*\(line 3\)"),
        ("2\t2\n", "²\t2\n", "line 1"),
        ("2\t2\n", f"{'9' * 5000}\t2\n", "line 1"),
    ],
)
def test_damaged_lfw(lfw: Path, old: str, new: str, message: str) -> None:
    path = lfw / "pairs.txt"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(DataError, match=message) as error:
        read_pairs(lfw)
    assert "pairs.txt" in str(error.value)


def test_missing_lists(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"pairs_CPLFW\.txt exists: expected a pair list"):
        read_pairs(tmp_path)
    with pytest.raises(DataError, match="gone is missing"):
        read_pairs(tmp_path / "gone")
    (tmp_path / "pairs.txt").write_text("\n")
    with pytest.raises(DataError, match="is empty"):
        read_pairs(tmp_path)
    (tmp_path / "pairs.txt").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(DataError, match="can't be read as text"):
        read_pairs(tmp_path)


# --- CALFW, CPLFW -------------------------------------------------------------------------------------------


def test_calfw(tmp_path: Path) -> None:
    for file in ("A_0001", "A_0002", "B_0001", "C_0001"):
        put(tmp_path / "aligned images" / f"{file}.jpg")
    # CALFW writes the fold, not 1, as the flag of a mated pair
    (tmp_path / "pairs_CALFW.txt").write_text(
        "A_0001.jpg 3\nA_0002.jpg 3\nA_0001.jpg 0\nB_0001.jpg 0\nB_0001.jpg 0\nC_0001.jpg 0\n"
    )
    data = read_dataset("calfw", tmp_path)
    assert data.is_genuine.tolist() == [True, False, False]
    assert data.pairs.tolist() == [[0, 1], [0, 2], [2, 3]]
    assert data.names[0] == "aligned images/A_0001.jpg"
    assert data.subjects[0] == data.subjects[1]
    assert len(set(data.subjects)) == 3

    path = tmp_path / "pairs_CALFW.txt"
    for text, message in (
        ("A_0001.jpg 1\nA_0002.jpg 0\n", "different flags"),
        ("A_0001.jpg 1\n", "two a pair"),
        ("A_0001.jpg yes\nA_0002.jpg yes\n", "line 1"),
        ("A_0001.jpg 1\nA_0002.jpg ²\n", "line 2"),
        (f"A_0001.jpg 1\nA_0002.jpg {'1' * 5000}\n", "line 2"),
        (f"A_0001.jpg 1\n{'n' * 300}.jpg 1\n", r"nnn\.\.\. \(line 2\)"),
        ("A_0001.jpg 1\nA_0009.jpg 1\n", "A_0009.jpg"),
    ):
        path.write_text(text)
        with pytest.raises(DataError, match=message):
            read_pairs(tmp_path)


def test_folds_of_a_list_without_folds(tmp_path: Path) -> None:
    for number in range(40):
        put(tmp_path / f"{number}.jpg")
    flags = [1] * 10 + [0] * 10  # all mated pairs first
    (tmp_path / "pairs.txt").write_text(
        "".join(f"{2 * i}.jpg {flag}\n{2 * i + 1}.jpg {flag}\n" for i, flag in enumerate(flags))
    )
    data = read_pairs(tmp_path)
    for fold in range(10):
        assert sorted(data.is_genuine[data.folds == fold]) == [False, True]


# --- CFP ----------------------------------------------------------------------------------------------------


@pytest.fixture
def cfp(tmp_path: Path) -> Path:
    protocol = tmp_path / "Protocol"
    protocol.mkdir()
    for view, letter in (("frontal", "F"), ("profile", "P")):
        lines = []
        for person in (1, 2):
            for shot in (1, 2):
                put(
                    tmp_path / "Data" / "Images" / f"{person:03d}" / view / f"{shot:02d}.jpg",
                    person * 10 + shot,
                )
                lines.append(f"{len(lines) + 1} ../Data/Images/{person:03d}/{view}/{shot:02d}.jpg\n")
        (protocol / f"Pair_list_{letter}.txt").write_text("".join(lines))
    for kind, same, diff in (("FP", "1,1\n3,4\n", "1,3\n4,2\n"), ("FF", "1,2\n", "2,3\n")):
        for fold in ("01", "02"):
            folder = protocol / "Split" / kind / fold
            folder.mkdir(parents=True)
            (folder / "same.txt").write_text(same)
            (folder / "diff.txt").write_text(diff)
    return tmp_path


def test_cfp(cfp: Path) -> None:
    data = read_cfp(cfp)
    assert data.name == "cfp-fp"
    assert data.is_genuine.tolist() == [True, True, False, False] * 2
    assert data.folds.tolist() == [0] * 4 + [1] * 4
    assert [data.names[i] for i in data.pairs[1]] == [
        "Data/Images/002/frontal/01.jpg",
        "Data/Images/002/profile/02.jpg",
    ]
    left, right = data.subjects[data.pairs].T
    assert ((left == right) == data.is_genuine).all()
    frontal = read_dataset("cfp-ff", cfp)
    assert [frontal.names[i] for i in frontal.pairs[0]] == [
        "Data/Images/001/frontal/01.jpg",
        "Data/Images/001/frontal/02.jpg",
    ]


def test_damaged_cfp(cfp: Path) -> None:
    split = cfp / "Protocol" / "Split" / "FP" / "01"
    (split / "diff.txt").write_text("1,9\n")
    with pytest.raises(DataError, match=r"diff\.txt, line 1: '1,9'"):
        read_cfp(cfp)
    (split / "diff.txt").write_text("1;3\n")
    with pytest.raises(DataError, match="two numbers"):
        read_cfp(cfp)
    for pair in ("1,²", "1,١", "1,1_0", f"1,{'9' * 5000}"):
        (split / "diff.txt").write_text(f"1,3\n{pair}\n")
        with pytest.raises(DataError, match=r"diff\.txt, line 2: .* is not two numbers"):
            read_cfp(cfp)
    (split / "diff.txt").unlink()
    with pytest.raises(DataError, match=r"diff\.txt is missing"):
        read_cfp(cfp)
    (cfp / "Data" / "Images" / "001" / "frontal" / "01.jpg").unlink()
    with pytest.raises(DataError, match="1 of the images"):
        read_cfp(cfp, "FF")
    (cfp / "Protocol" / "Pair_list_F.txt").write_text("1 ../../../etc/a/b.jpg\n")
    with pytest.raises(DataError, match="a path below"):
        read_cfp(cfp, "FF")
    for number in ("²", "١", "9" * 5000):
        (cfp / "Protocol" / "Pair_list_F.txt").write_text(f"{number} ../Data/Images/001/frontal/01.jpg\n")
        with pytest.raises(DataError, match=r"Pair_list_F\.txt, line 1"):
            read_cfp(cfp, "FF")
    with pytest.raises(UsageError, match="'FP' or 'FF'"):
        read_cfp(cfp, "PP")


# --- all against all ----------------------------------------------------------------------------------------


def test_folder(tmp_path: Path) -> None:
    put(tmp_path / "b" / "2.png")
    put(tmp_path / "a" / "deep" / "1.JPG")
    put(tmp_path / "a" / ".hidden.jpg")
    (tmp_path / "a" / "note.txt").write_text("x")
    data = read_folder(tmp_path)
    assert data.names == ("a/deep/1.JPG", "b/2.png")
    assert data.subjects.tolist() == ["a", "b"]
    assert data.pairs is None
    put(tmp_path / "loose.jpg")
    with pytest.raises(DataError, match=r"loose\.jpg in no sub-folder"):
        read_folder(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no image"):
        read_folder(tmp_path / "empty")


ADIENCE_HEADER = (
    "user_id\toriginal_image\tface_id\tage\tgender\tx\ty\tdx\tdy\ttilt_ang\t"
    "fiducial_yaw_angle\tfiducial_score\n"
)


def test_adience(tmp_path: Path) -> None:
    rows = [("7@N01", "11_o.jpg", "1", "(25, 32)", "f"), ("7@N01", "12_o.jpg", "2", "None", "")]
    for fold, (user, file, face, age, gender) in enumerate(rows):
        (tmp_path / f"fold_{fold}_data.txt").write_text(
            ADIENCE_HEADER + f"{user}\t{file}\t{face}\t{age}\t{gender}\t1\t2\t3\t4\t0\t0\t9\n"
        )
    put(tmp_path / "aligned" / "7@N01" / "landmark_aligned_face.1.11_o.jpg")
    put(tmp_path / "faces" / "7@N01" / "coarse_tilt_aligned_face.2.12_o.jpg")
    data = read_adience(tmp_path)
    assert data.subjects.tolist() == ["1", "2"]
    assert data.groups.tolist() == ["f", ""]
    assert data.names[1] == "7@N01/coarse_tilt_aligned_face.2.12_o.jpg"
    assert data.pairs is None

    (tmp_path / "fold_2_data.txt").write_text(ADIENCE_HEADER + "8@N01\t1.jpg\t3\t\t\t1\t2\t3\t4\t0\t0\t9\n")
    with pytest.raises(DataError, match="8@N01"):
        read_adience(tmp_path)
    (tmp_path / "fold_2_data.txt").write_text("user_id\tface_id\n")
    with pytest.raises(DataError, match="a header with"):
        read_adience(tmp_path)
    (tmp_path / "fold_2_data.txt").write_text(ADIENCE_HEADER + "8@N01\t1.jpg\n")
    with pytest.raises(DataError, match=r"fold_2_data\.txt, line 2"):
        read_adience(tmp_path)
    with pytest.raises(DataError, match=r"no fold_\*_data\.txt"):
        read_adience(tmp_path / "faces")


def test_synfiqa(tmp_path: Path) -> None:
    lines = []
    for person in ("000", "001"):
        for k in range(2):
            put(tmp_path / "data" / person / f"Ref-{k}.jpg")
            lines.append(f"./data/{person}/Ref-{k}.jpg\t0.9{k}\n")
        for k in range(10):
            put(tmp_path / "data" / person / f"{k}.jpg")
            lines.append(f"./data/{person}/{k}.jpg\t0.{k}5\n")
    (tmp_path / "Quality-Scores.txt").write_text("".join(lines))
    data = read_synfiqa(tmp_path)
    assert len(data) == 24
    assert data.names[0] == "data/000/Ref-0.jpg"
    assert set(data.groups) == set(SYNFIQA_GROUPS)
    assert data.subjects[-1] == "001"
    means = [data.labels[data.groups == group].mean() for group in SYNFIQA_GROUPS[:-1]]
    assert means == sorted(means)
    assert (data.groups == "Q3").sum() == 2

    (tmp_path / "Quality-Scores.txt").write_text("./data/000/0.jpg\tgood\n")
    with pytest.raises(DataError, match=r"Quality-Scores\.txt, line 1"):
        read_synfiqa(tmp_path)
    for score in ("٠.٥", "1_0", "0,5", "inf", "9" * 5000):
        (tmp_path / "Quality-Scores.txt").write_text(f"./data/000/0.jpg\t0.1\n./data/000/1.jpg\t{score}\n")
        with pytest.raises(DataError, match=r"Quality-Scores\.txt, line 2"):
            read_synfiqa(tmp_path)
    (tmp_path / "Quality-Scores.txt").write_text("./data/000/77.jpg\t0.5\n")
    with pytest.raises(DataError, match=r"000/77\.jpg"):
        read_synfiqa(tmp_path)
    (tmp_path / "Quality-Scores.txt").unlink()
    with pytest.raises(DataError, match="is missing: expected SynFIQA's scores"):
        read_synfiqa(tmp_path)


# --- IJB-C --------------------------------------------------------------------------------------------------


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


# --- the value and the registry -----------------------------------------------------------------------------


def test_dataset_is_validated(tmp_path: Path) -> None:
    images, names = [b"a", b"b"], ("a", "b")
    pairs, is_genuine = np.array([[0, 1]]), np.array([True])
    assert len(Dataset("x", images, names, pairs=pairs, is_genuine=is_genuine)) == 2
    for change, message in (
        ({"names": ("a", "a")}, "unique"),
        ({"subjects": np.array(["s"])}, "subjects"),
        ({"pairs": np.array([[0, 2]])}, "item numbers"),
        ({"pairs": np.array([0, 1])}, r"\(P, 2\)"),
        ({"is_genuine": np.array([True, False])}, "is_genuine"),
        ({"folds": np.array([0, 1])}, "folds"),
        ({"pairs": None}, "needs subjects"),
        ({"groups": np.array(["g"])}, "groups"),
    ):
        arguments = {"name": "x", "images": images, "names": names, "pairs": pairs, "is_genuine": is_genuine}
        with pytest.raises(UsageError, match=message):
            Dataset(**{**arguments, **change})
    with pytest.raises(DataError, match="no image"):
        Dataset("x", [], (), pairs=pairs, is_genuine=is_genuine)
    lost = Dataset("x", [tmp_path / "lost.jpg", b"b"], names, pairs=pairs, is_genuine=is_genuine)
    with pytest.raises(DataError, match=r"lost\.jpg"):
        lost.read(0)


def test_a_dataset_takes_text_paths_and_lists(tmp_path: Path) -> None:
    put(tmp_path / "a.jpg", 1)
    data = Dataset("x", [str(tmp_path / "a.jpg"), b"b"], ["a", "b"], pairs=[(0, 1)], is_genuine=[1])
    assert data.read(0) == jpeg(1)
    assert data.names == ("a", "b")
    assert data.pairs.tolist() == [[0, 1]]
    assert data.is_genuine.dtype == np.bool_
    assert Dataset("x", [b"a", b"b"], ["a", "b"], subjects=[1, 2]).subjects.tolist() == ["1", "2"]
    with pytest.raises(UsageError, match="True/False"):
        Dataset("x", [b"a", b"b"], ["a", "b"], pairs=[(0, 1)], is_genuine=[7])
    with pytest.raises(UsageError, match="pairs must be"):
        Dataset("x", [b"a", b"b"], ["a", "b"], pairs=[(0, 1), (0,)], is_genuine=[1, 0])


def test_a_data_set_from_one_line_of_text(tmp_path: Path) -> None:
    for person in "ab":
        put(tmp_path / "set=1:2" / person / "1.jpg")
    assert open_dataset(f"folder={tmp_path}/set=1:2").name == "set=1:2"
    assert open_dataset(f"folder:my own={tmp_path}/set=1:2").name == "my own"
    for spec, message in (("set", "KIND=PATH"), ("=x", "KIND=PATH"), ("folder=", "KIND=PATH")):
        with pytest.raises(UsageError, match=message):
            open_dataset(spec)
    with pytest.raises(UnknownName, match="Did you mean 'folder'"):
        open_dataset(f"fodler={tmp_path}")


def test_crops_come_as_they_are_or_aligned() -> None:
    def png(size: tuple[int, int]) -> bytes:
        pixels = np.random.default_rng(sum(size)).integers(0, 256, (*size, 3), dtype=np.uint8)
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        return file.getvalue()

    images = [png((112, 112)), png((130, 120))]
    decoded = [np.asarray(Image.open(io.BytesIO(image))) for image in images]
    subjects = np.array(["a", "b"])
    data = Dataset("x", images, ("one", "two"), subjects=subjects)
    crops = list(iter_crops(data, align=lambda image: image[:112, :112]))
    np.testing.assert_array_equal(crops[0], decoded[0])
    np.testing.assert_array_equal(crops[1], decoded[1][:112, :112])
    stream = iter_crops(data)
    next(stream)  # the first is a crop
    with pytest.raises(DataError, match="image two is 120×130: expected 112×112"):
        next(stream)
    with pytest.raises(DataError, match="image two"):
        list(iter_crops(Dataset("x", [images[0], b"no image"], ("one", "two"), subjects=subjects)))

    # landmarks that lie on the template, shifted by (5, 9): alignment undoes the shift
    template = np.array(
        [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
    )
    landmarks = np.stack([template + np.array([5, 9])] * 2).astype(np.float32)
    aligned = list(iter_crops(Dataset("x", images, ("one", "two"), subjects=subjects, landmarks=landmarks)))
    inside = decoded[1][9 : 9 + 112, 5 : 5 + 112].astype(int)
    assert np.abs(aligned[1][2:-2, 2:-2].astype(int) - inside[2:-2, 2:-2]).mean() < 3


def test_registry(lfw: Path, tmp_path: Path) -> None:
    assert all(name == info.name and info.needs and info.source for name, info in DATASETS.items())
    assert {"lfw", "agedb-30", "cfp-fp", "calfw", "cplfw", "xqlfw", "adience", "ijb-c", "synfiqa"} <= set(
        DATASETS
    )
    path = tmp_path / "any.bin"
    path.write_bytes(pickle.dumps(([b"a", b"b"], [True])))
    for name in ("lfw", "agedb-30", "cfp-fp", "calfw", "cplfw", "pairs"):
        assert len(read_dataset(name, path).pairs) == 1
    assert read_dataset("agedb-30", path).name == "agedb-30"
    assert read_dataset("lfw", lfw).name == "lfw"
    with pytest.raises(UnknownName, match="Did you mean 'lfw'"):
        read_dataset("lwf", lfw)
