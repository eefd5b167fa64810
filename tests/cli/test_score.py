"""A folder where much is wrong, lists, and what a terminal shows: every good image is scored."""

from __future__ import annotations

import json
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.cli.runs import FAST, ONE, detects, fiqa, posix, start, table

from fiqa.examples import example_crops, example_paths


def damaged_folder(folder: Path) -> dict[str, str]:
    """Make the folder; returns path → status."""
    crop, other = (Image.fromarray(crop) for crop in example_crops())
    astronaut = Image.open(example_paths()[0])
    photo = astronaut.resize((round(astronaut.width * 240 / astronaut.height), 240))
    status = {}

    def path(name: str | bytes, is_to_be: str) -> str:
        full = os.path.join(os.fsencode(folder), os.fsencode(name))
        status[os.fsdecode(full)] = is_to_be
        return os.fsdecode(full)

    (folder / "below").mkdir()
    photo.save(path("photo.jpg", "ok"), quality=95)
    crop.save(path("crop.png", "ok"))
    other.convert("L").save(path("below/grey.png", "ok"))
    Path(path("text.jpg", "unreadable")).write_text("This is no picture.\n")
    photo.save(cut := path("truncated.jpg", "unreadable"))
    os.truncate(cut, os.path.getsize(cut) // 2)
    Path(path("empty.jpg", "unreadable")).touch()
    Image.new("RGB", (1, 1)).save(path("pixel.png", "no_face"))
    sky = np.linspace((90, 140, 220), (60, 110, 40), 120)[:, None].repeat(160, axis=1)
    Image.fromarray(sky.astype(np.uint8)).save(path("landscape.jpg", "no_face"))
    os.mkdir(path("folder.jpg", "unreadable"))
    header = b"IHDR" + struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    with open(path("bomb.png", "too_large"), "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header)
        file.write(struct.pack(">I", zlib.crc32(header)) + struct.pack(">I", 9) + b"IDAT")
    os.symlink("nowhere", path("dangling.jpg", "missing"))
    os.symlink("loop.jpg", path("loop.jpg", "unreadable"))  # can't be opened, by root neither
    os.mkfifo(path("pipe.jpg", "unreadable"))  # would block for ever
    if os.geteuid():
        crop.save(secret := path("secret.png", "unreadable"))
        os.chmod(secret, 0)
    for name in ("line\nbreak.png", "carriage\rreturn.png", '"quoted", and more.png'):
        crop.save(path(name, "ok"))
    try:
        with open(os.fsencode(path(b"no-\xff\xfe-text.png", "ok")), "wb") as file:
            crop.save(file, "png")
    except OSError:  # a file system of UTF-8 names only
        status.popitem()
    return status


@posix
@detects
@pytest.mark.parametrize("suffix", ["stdout", ".jsonl", ".parquet"])
def test_in_a_folder_with_bad_files_the_good_are_scored_and_the_bad_have_a_row(suffix, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    status = damaged_folder(folder)
    where = () if suffix == "stdout" else ("-o", tmp_path / f"table{suffix}")
    done = fiqa("score", folder, tmp_path / "nowhere.jpg", *ONE, *where, expect=3)
    status[str(tmp_path / "nowhere.jpg")] = "missing"
    if suffix == "stdout":
        rows = table(done.stdout)
        empty = ""
    elif suffix == ".jsonl":
        assert done.stdout == b""
        lines = (tmp_path / "table.jsonl").read_text().splitlines()
        rows = {values["path"]: values for values in map(json.loads, lines)}
        empty = None
    else:
        parquet = pytest.importorskip("pyarrow.parquet", reason="Parquet needs the extra parquet")
        found = parquet.read_table(tmp_path / "table.parquet").to_pylist()
        rows = {values["path"]: values for values in found}
        status = {os.fsencode(k).decode("utf-8", "backslashreplace"): v for k, v in status.items()}
        empty = None
    assert {path: values["status"] for path, values in rows.items()} == status
    place = ("left", "top", "right", "bottom", "confidence", "eye_distance", "rotation")
    more = () if suffix == "stdout" else ("box", "landmarks", "scored_by")
    assert list(next(iter(rows.values()))) == [
        *("path", "face", "status", "score", "vitnt", "attn", "exit-depth", *place, "reason", *more)
    ]
    for values in rows.values():
        numbers = [values[name] for name in ("score", "vitnt", "attn", "exit-depth")]
        if values["status"] == "ok":
            assert int(values["face"]) == 0
            assert 0 <= float(numbers[0]) <= 100
            assert np.isfinite([float(number) for number in numbers]).all()
            is_photo = Path(values["path"]).name == "photo.jpg"
            assert (values["left"] == empty) != is_photo  # a crop has no place
            if more:
                assert values["scored_by"] == "exit-depth"
        else:
            assert [values["face"], *numbers] == [empty] * 5
            assert values["reason"]
    assert list(rows) == [*sorted(list(rows)[:-2], key=os.fsencode), *list(rows)[-2:]]  # its own files first


def test_all_scored_is_code_0_and_csv_goes_into_the_pipe(many):
    done = fiqa("score", many / "00000.png", many / "00001.png", *ONE, "--align", "none")
    rows = table(done.stdout)
    assert list(rows) == [str(many / "00000.png"), str(many / "00001.png")]
    assert done.stderr.decode().startswith("fiqa: ")  # which model, on which engine
    assert "on onnxruntime fp32" in done.stderr.decode()


def test_lists_on_standard_input_in_files_and_patterns_give_the_same(many, tmp_path):
    names = [str(many / f"{number:05d}.png") for number in range(10, 19)]
    listed = "\n".join(names).encode()
    (tmp_path / "list.txt").write_bytes(listed)
    from_list = fiqa("score", f"@{tmp_path / 'list.txt'}", *FAST)
    from_stdin = fiqa("score", "-", *FAST, input=listed)
    from_pattern = fiqa("score", many / "0001[0-8].png", *FAST)
    assert list(table(from_list.stdout)) == names
    assert from_list.stdout == from_stdin.stdout == from_pattern.stdout


@posix
def test_a_table_on_a_terminal(many):
    import pty

    master, terminal = pty.openpty()
    process = start("score", many / "00000.png", many / "00019.png", *FAST, stdout=terminal, stderr=terminal)
    os.close(terminal)
    data = b""
    while True:
        try:
            data += (read := os.read(master, 65536))
        except OSError:  # how Linux says that the other end is closed
            break
        if not read:
            break
    os.close(master)
    assert process.wait(280) == 3
    text = data.decode()
    assert "path,face" not in text
    assert "Traceback" not in text
    (header,) = [line for line in text.splitlines() if "status" in line]
    assert "attn:block=0" in header
    rows = {line.split()[-5 if "ok" in line else -1]: line for line in text.splitlines() if ".png" in line}
    assert "ok" in "".join(rows.values())
    assert "unreadable" in "".join(rows.values())
