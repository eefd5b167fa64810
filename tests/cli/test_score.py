"""The command line through real processes: what is scored, what is said, exit codes, interruptions."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import os
import re
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fiqa.examples import example_crops, example_paths

posix = pytest.mark.skipif(os.name != "posix", reason="signals and special files as on Linux and macOS")
detects = pytest.mark.skipif(importlib.util.find_spec("mtcnn") is None, reason="needs the extra detect")

ONE = ("--engine", "onnxruntime", "--threads", "1")
FAST = (*ONE, "-m", "attn:block=0", "-m", "vitnt:blocks=0,1,weighting=uniform")  # few blocks of any network
N_MANY = int(os.environ.get("FIQA_TEST_IMAGES", "200"))  # 2000: the full check of --resume


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200", "PYTHONUNBUFFERED": ""}


def fiqa(*arguments: Any, expect: int = 0, **settings: Any) -> subprocess.CompletedProcess[bytes]:
    """Run ``fiqa`` to its end; no run may print a traceback, and each must end with the code expected."""
    done = subprocess.run(
        [sys.executable, "-m", "fiqa", *map(os.fspath, arguments)],
        stdout=settings.pop("stdout", subprocess.PIPE),
        stderr=subprocess.PIPE,
        timeout=300,
        env=environment(),
        **settings,
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    assert b"Exception ignored" not in done.stderr, done.stderr.decode()
    assert done.returncode == expect, done.stderr.decode()
    return done


def start(*arguments: Any, **settings: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "fiqa", *map(os.fspath, arguments)],
        stdout=settings.pop("stdout", subprocess.DEVNULL),
        stderr=settings.pop("stderr", subprocess.PIPE),
        env=environment(),
        **settings,
    )


def message(done: subprocess.CompletedProcess[bytes]) -> str:
    """The one line that a failed run says (besides those that name model and engine, and that count)."""
    usual = re.compile(r" on onnxruntime|^fiqa: \d+ images in ")
    lines = [line for line in done.stderr.decode().splitlines() if not usual.search(line)]
    assert len(lines) == 1, lines
    return lines[0].removeprefix("fiqa: ")


def table(data: bytes) -> dict[str, dict[str, str]]:
    """path → row of CSV text."""
    text = data.decode("utf-8", "surrogateescape")
    return {values["path"]: values for values in csv.DictReader(io.StringIO(text, newline=""), strict=True)}


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of crops, with a file that is no image after every nineteen of them, and one strange name."""
    folder = tmp_path_factory.mktemp("many")
    crops, rng = example_crops(), np.random.default_rng(0)
    for number in range(N_MANY):
        file = folder / f"{number:05d}.png"
        if number % 20 == 19:
            file.write_text("no image")
            continue
        crop = np.roll(crops[number % 2], rng.integers(-9, 9, 2), axis=(0, 1)) * rng.uniform(0.4, 1)
        Image.fromarray(crop.astype(np.uint8)).save(file, compress_level=0)
    Image.fromarray(crops[0]).save(folder / 'a,"b\nc.png')
    return folder


# ---------------------------------------------------------------- a folder where much is wrong


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
    assert list(next(iter(rows.values()))) == [
        *("path", "face", "status", "score"),
        *("vitnt", "attn", "exit-depth"),
    ]
    for values in rows.values():
        numbers = [values[name] for name in ("score", "vitnt", "attn", "exit-depth")]
        if values["status"] == "ok":
            assert int(values["face"]) == 0
            assert 0 <= float(numbers[0]) <= 100
            assert np.isfinite([float(number) for number in numbers]).all()
        else:
            assert [values["face"], *numbers] == [empty] * 5
    assert list(rows) == [*sorted(list(rows)[:-2], key=os.fsencode), *list(rows)[-2:]]  # its own files first


# ---------------------------------------------------------------- inputs, outputs and exit codes


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


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["{empty}"], "no images in"),
        (["-"], "no images in '-'"),
        (["@nowhere.txt"], "the list 'nowhere.txt' can't be read"),
        (["{crop}", "-m", "vitt"], "no method 'vitt'. Did you mean 'vitnt'?"),
        (["{crop}", "-m", "vitnt:alpha=x"], "alpha of vitnt must be a number, but got 'x'"),
        (["{crop}", "--model", "defualt"], "no model 'defualt'. Did you mean 'default'?"),
        (["{crop}", "--model", "no/such.onnx"], "no model at 'no/such.onnx'"),
        (["{crop}", "--engine", "onnx"], "no engine 'onnx'. Did you mean 'onnxruntime'?"),
        (["{crop}", "--align", "maybe"], "align must be one of auto, none, detect"),
        (["{crop}", "--budget", "fast"], "a budget is a share, GFLOPs or milliseconds"),
        (["{crop}", "--precision", "fp64"], "precision of"),
        (["{crop}", "--profile", "nowhere.json"], "nowhere.json"),
        (["{crop}", "--landmarks", "nowhere.csv"], "nowhere.csv"),
        (["{crop}", "-o", "table.txt"], "no output format '.txt'"),
        (["{crop}", "-o", "no/such/table.csv"], "a folder that does not exist"),
        (["{crop}", "-o", "{crop}/table.csv"], "a folder that does not exist"),
    ],
)
def test_wrong_use_is_one_sentence_and_code_2(arguments, says, many, tmp_path):
    (tmp_path / "empty").mkdir()
    filled = [a.format(empty=tmp_path / "empty", crop=many / "00000.png") for a in arguments]
    engine = () if "--engine" in filled else ONE
    done = fiqa("score", *filled, *engine, expect=2, input=b"", cwd=tmp_path)
    assert says in message(done)
    assert done.stdout == b""


@pytest.mark.parametrize(
    "arguments", [["score"], ["score", "a.jpg", "--resume"], ["scoer"], ["score", "--x"]]
)
def test_wrong_words_are_code_2_with_the_usage(arguments):
    assert b"Usage: fiqa" in fiqa(*arguments, expect=2).stderr


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


@posix
def test_a_reader_that_has_seen_enough_ends_the_run_quietly(many):
    process = start("score", many, *FAST, stdout=subprocess.PIPE)
    assert process.stdout.readline().startswith(b"path,face,status,score")
    process.stdout.close()
    assert process.wait(280) == 0
    errors = process.stderr.read().decode()
    assert errors.count("\n") == 1, errors  # the line that names model and engine


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux's /dev/full")
@pytest.mark.parametrize("to_file", [False, True])
def test_a_full_disk_is_one_sentence(to_file, many, tmp_path):
    if to_file:
        os.symlink("/dev/full", tmp_path / "table.csv")
        done = fiqa("score", many, *FAST, "-o", tmp_path / "table.csv", expect=1)
    else:
        with open("/dev/full", "wb") as full:
            done = fiqa("score", many, *FAST, stdout=full, expect=1)
    assert "can't write: No space left on device" in message(done)


# ---------------------------------------------------------------- interruptions


def arguments_of(run: str, many: Path, output: Path) -> list[Any]:
    arguments = ["score", many, *FAST, "-o", output]
    if run == "all faces":  # landmarks from a table, or detection would take most of the time
        place = "40,52,74,52,56,72,42,92,71,92"
        faces = [place, ",".join(str(float(v) + 3) for v in place.split(","))]
        lines = [f'"{p}",{face}' for p in sorted(many.glob("0*.png")) for face in faces]
        (output.parent / "landmarks.csv").write_text("\n".join(lines))
        arguments += ["--all-faces", "--align", "detect", "--landmarks", output.parent / "landmarks.csv"]
    return arguments


def rows_of(output: Path) -> int:
    journal = output if output.suffix != ".parquet" else Path(f"{output}.part.jsonl")
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def wait_for_rows(process: subprocess.Popen[bytes], output: Path, n: int) -> None:
    deadline = time.monotonic() + 280
    while rows_of(output) < n:
        assert process.poll() is None, process.stderr.read().decode()
        assert time.monotonic() < deadline, f"{rows_of(output)} rows"
        time.sleep(0.002)


@posix
@pytest.mark.parametrize(
    ("suffix", "run"),
    [(".csv", "one face"), (".jsonl", "one face"), (".parquet", "one face"), (".csv", "all faces")],
)
def test_a_killed_run_is_resumed_to_the_very_same_output(suffix, run, many, tmp_path):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow", reason="Parquet needs the extra parquet")
    whole, killed = (tmp_path / f"{name}{suffix}" for name in ("whole", "killed"))
    fiqa(*arguments_of(run, many, whole), expect=3)
    process = start(*arguments_of(run, many, killed))
    wait_for_rows(process, killed, N_MANY // 3 + 1)
    process.kill()
    process.wait()
    process.stderr.close()
    journal = killed if suffix != ".parquet" else Path(f"{killed}.part.jsonl")
    assert rows_of(killed) < N_MANY, "the run ended before it was killed; take more images"
    with open(journal, "ab") as file:  # as if it had been killed while it wrote
        file.write(b'"half a pa' if suffix == ".csv" else b'{"path": "half')
    done = fiqa(*arguments_of(run, many, killed), "--resume", expect=3)
    resumed = int(done.stderr.decode().partition("resuming: ")[2].split()[0])
    assert resumed >= N_MANY // 3 // (2 if run == "all faces" else 1) - 1
    if suffix == ".parquet":
        import pyarrow.parquet as parquet

        assert parquet.read_table(killed).equals(parquet.read_table(whole))
    else:
        assert killed.read_bytes() == whole.read_bytes()
    if run == "all faces":
        rows = list(csv.DictReader(io.StringIO(whole.read_text(), newline="")))
        assert len(rows) == N_MANY + 1 + N_MANY * 19 // 20  # the bad files and the strange name once
        assert [row["face"] for row in rows if row["status"] == "ok"][:4] == ["0", "1", "0", "1"]


@posix
def test_ctrl_c_keeps_the_rows(many, tmp_path):
    output = tmp_path / "table.csv"
    process = start(
        *arguments_of("one face", many, output),
        # a shell that runs the tests in the background has them ignore SIGINT, and their children too
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    wait_for_rows(process, output, 21)
    process.send_signal(signal.SIGINT)
    assert process.wait(280) == 130
    errors = process.stderr.read().decode()
    assert "stopped; finished rows are kept, go on with --resume" in errors
    assert "Traceback" not in errors
    rows = table(output.read_bytes())
    assert 20 <= len(rows) <= N_MANY
    assert all(values["status"] for values in rows.values())


@posix
def test_a_disk_that_fills_up_half_way_keeps_the_rows(many, tmp_path):
    import resource

    output = tmp_path / "table.csv"
    limit = 4096
    arguments = arguments_of("one face", many, output)
    done = fiqa(
        *arguments, expect=1, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    )
    assert "can't write" in message(done)
    assert output.stat().st_size <= limit
    fiqa(*arguments, "--resume", expect=3)
    fiqa(*arguments_of("one face", many, tmp_path / "whole.csv"), expect=3)
    assert output.read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_a_finished_output_is_resumed_without_scoring_kept_as_bak_and_bound_to_its_settings(many, tmp_path):
    output = tmp_path / "table.jsonl"
    paths = [many / f"{number:05d}.png" for number in range(3)]
    fiqa("score", *paths, *FAST, "-o", output)
    first = output.read_bytes()
    assert b"resuming: 3 of 3" in fiqa("score", *paths, *FAST, "-o", output, "--resume").stderr
    assert output.read_bytes() == first
    for other, what in ((["--align", "none"], "align"), (["--all-faces"], "all_faces")):
        done = fiqa("score", *paths, *FAST, *other, "-o", output, "--resume", expect=2)
        assert f"was written with {what}" in message(done)
    done = fiqa("score", *paths, *ONE, "-m", "attn", "-o", output, "--resume", expect=2)
    assert "same" in message(done)
    assert output.read_bytes() == first
    fiqa("score", paths[0], *FAST, "-o", output)
    assert output.read_bytes().count(b"\n") == 1
    assert Path(f"{output}.bak").read_bytes() == first


def test_another_calibration_or_other_landmarks_don_t_continue_a_table(many, tmp_path):
    from fiqa import Scorer
    from fiqa.calibration import Calibration, Profile

    used = Scorer(methods=["attn:block=0"], engine="onnxruntime", threads=1).used["attn:block=0"]
    for name, top in (("one", 50), ("two", 60)):
        calibration = Calibration(spec=used, raw=(-100.0, 100.0), score=(0, top), meaning="for this test")
        Profile("any", {used: calibration}).save(tmp_path / f"{name}.json")
        (tmp_path / f"{name}.csv").write_text(f"x.png,40,52,74,52,56,72,42,92,71,{top}\n")
    run = ["score", many / "00000.png", *FAST, "-o", tmp_path / "table.csv"]
    fiqa(*run, "--profile", tmp_path / "one.json", "--landmarks", tmp_path / "one.csv")
    done = fiqa(
        *run, "--resume", "--profile", tmp_path / "two.json", "--landmarks", tmp_path / "one.csv", expect=2
    )
    assert "written with calibration" in message(done)
    done = fiqa(
        *run, "--resume", "--profile", tmp_path / "one.json", "--landmarks", tmp_path / "two.csv", expect=2
    )
    assert "written with landmarks" in message(done)


# ---------------------------------------------------------------- other commands


def test_a_budget_is_announced(many):
    done = fiqa("score", many / "00000.png", *ONE, "--budget", "60%")
    assert b"within the budget: vitnt:blocks=0-" in done.stderr


def test_methods_and_models_are_listed():
    text = fiqa("methods").stdout.decode()
    for name in (
        "vitnt",
        "attn",
        "exit",
        "exit-mean",
        "exit-depth",
        "2601.05741",
        "2604.22841",
        "2604.22842",
    ):
        assert name in text
    text = fiqa("models").stdout.decode()
    for name in ("default", "cvlface-vit-b", "vitfiqa-s-token", "Apache-2.0"):
        assert name in text


@detects
def test_the_demo_scores_the_examples_and_draws_them(tmp_path):
    done = fiqa("demo", "-o", tmp_path / "demo", "--threads", "1")
    text = done.stdout.decode()
    assert str(tmp_path / "demo" / "index.html") in text
    assert text.count(" ok ") == len(example_paths())
    assert len(list((tmp_path / "demo").glob("*.png"))) >= 2 * len(example_paths())


def test_explain_draws_the_good_and_says_why_the_bad_are_not_drawn(many, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no image")
    good = sorted(many.iterdir())[0]
    done = fiqa("explain", good, broken, "-o", tmp_path / "out", *FAST, expect=3)
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert message(done) == f"'{broken}' is not an image of a known format."
    assert good.name in page
    assert "broken.jpg" in page


def test_export_writes_a_graph_that_scores(golden_path, golden, tmp_path):
    pytest.importorskip("onnxscript", reason="exporting needs the extra export")
    checkpoint, graph = golden_path("vitfiqa_token"), tmp_path / "net.onnx"
    fiqa("export", graph, "--model", checkpoint, "--heads", "4", "-m", "exit:1")
    arrays = golden("vitfiqa_token")
    for number, pixels in enumerate(arrays["images_rgb"]):
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    rows = table(fiqa("score", tmp_path, "--model", graph, *ONE, "-m", "exit:1").stdout)
    assert {values["score"] for values in rows.values()} == {""}  # it has no calibration
    found = [float(rows[path]["exit:1"]) for path in sorted(rows)]
    np.testing.assert_allclose(found, arrays["exits"][:, 0], rtol=1e-4)


# ---------------------------------------------------------------- light imports


def python(code: str, *, expect: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(), timeout=300
    )
    assert done.returncode == expect, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "code",
    [
        "import sys, fiqa",
        "import sys, typer.testing, fiqa.cli.main as cli;"
        "assert typer.testing.CliRunner().invoke(cli.app, ['--help']).exit_code == 0",
    ],
)
def test_import_and_help_load_nothing_heavy(code):
    heavy = "{'torch', 'numpy', 'PIL', 'onnxruntime', 'openvino', 'matplotlib', 'pyarrow', 'scipy'}"
    started = time.monotonic()
    assert python(f"{code}; print(sorted({heavy} & set(sys.modules)))") == "[]\n"
    assert time.monotonic() - started < 60  # 0.3 s on a machine that does nothing else


def test_scoring_needs_no_torch():
    assert "ok" in python(
        "import sys\n"
        "for name in ('torch', 'onnx', 'onnxscript', 'matplotlib', 'pyarrow', 'transformers'):\n"
        "    sys.modules[name] = None\n"
        "import fiqa\n"
        "from fiqa.examples import example_crops\n"
        "scorer = fiqa.Scorer(threads=1)\n"
        "found = list(scorer.stream(example_crops()))\n"
        "assert all(q.ok and 0 <= q.score <= 100 for q in found)\n"
        "print('ok', scorer.engine)\n"
    )


def test_without_torch_a_checkpoint_asks_for_it_by_the_pip_line(tmp_path):
    (tmp_path / "net.pt").write_bytes(b"weights")
    text = python(
        "import sys\n"
        "sys.modules['torch'] = None\n"
        f"sys.argv = ['fiqa', 'score', 'x.jpg', '--model', {str(tmp_path / 'net.pt')!r}]\n"
        "sys.stderr = sys.stdout\n"
        "from fiqa.cli.main import main\n"
        "main()\n",
        expect=2,
    )
    assert "pip install 'fiqa[torch]'" in text
    assert "Traceback" not in text
