"""Readers of the published data sets, against folders made as they are published."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.evaluation.datasets.folders import jpeg, put

from fiqa.errors import DataError, UsageError
from fiqa.evaluation.datasets import (
    SYNFIQA_GROUPS,
    read_adience,
    read_cfp,
    read_dataset,
    read_folder,
    read_pairs,
    read_synfiqa,
)


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
