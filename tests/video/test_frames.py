"""Samples of videos, folders and arrays: by time, upright, and honest about what is damaged."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from fiqa.errors import DataError, UsageError
from fiqa.video.frames import read_frames

av = pytest.importorskip("av", reason="needs PyAV")
SIZE = (96, 64)


def shade(level: int) -> np.ndarray:
    picture = np.full((SIZE[1], SIZE[0], 3), level, dtype=np.uint8)
    picture[:16, :16] = (255, 0, 0)  # a red corner, top left
    return picture


def video(path, times, *, codec="libx264", rotation=0, gop=12, container="mp4"):
    """A video with one frame at each of ``times``; its grey level says which it is."""
    with av.open(str(path), "w", format=container) as out:
        stream = out.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        stream.codec_context.gop_size = gop
        if rotation:
            stream.set_display_rotation(rotation)
        for i, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(shade(40 + 2 * i), format="rgb24")
            frame.pts, frame.time_base = round(time * 1000), Fraction(1, 1000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def test_samples_come_by_time_whatever_the_rate(tmp_path):
    even = video(tmp_path / "even.mp4", np.arange(50) / 25)
    assert [frame.number for frame in read_frames(even, fps=5)] == list(range(0, 50, 5))
    few = video(tmp_path / "few.mp4", np.arange(6) / 2)
    assert [frame.time for frame in read_frames(few, fps=5)] == [0, 0.5, 1, 1.5, 2, 2.5]
    varying = [*np.arange(20) / 20, 2.0, 2.04, 2.08, 2.5]
    times = [frame.time for frame in read_frames(video(tmp_path / "vfr.mp4", varying), fps=5)]
    np.testing.assert_allclose(times, [0, 0.2, 0.4, 0.6, 0.8, 2.0, 2.5], atol=0.011)


@pytest.mark.parametrize(
    ("rotation", "corner"), [(0, (0, 0)), (90, (-1, 0)), (180, (-1, -1)), (270, (0, -1))]
)
def test_frames_stand_upright(rotation, corner, tmp_path):
    path = video(tmp_path / "turned.mp4", np.arange(5) / 25, rotation=rotation)
    pixels = next(iter(read_frames(path))).pixels
    assert pixels.shape[:2] == (SIZE[::-1] if rotation % 180 == 0 else SIZE)
    places = {(0, 0): (4, 4), (-1, 0): (-4, 4), (-1, -1): (-4, -4), (0, -1): (4, -4)}
    red = pixels[places[corner]].astype(int)
    assert red[0] > 180
    assert red[1] < 90


def test_a_folder_gives_every_picture_and_says_what_can_not_be_read(tmp_path):
    for i in range(3):
        Image.fromarray(shade(50 * i)).save(tmp_path / f"{i}.png")
    (tmp_path / "1.png").write_bytes(b"no picture")
    first, second, third = read_frames(tmp_path, fps=2)
    assert (first.name, first.time, third.number, third.time) == ("0.png", 0, 2, 1)
    assert second.pixels is None
    assert "not an image" in second.damage


def test_arrays_and_pairs_of_time_and_array():
    frames = list(read_frames([shade(10), shade(20)], fps=10))
    assert [(frame.number, frame.time) for frame in frames] == [(0, 0), (1, 0.1)]
    pairs = [(i / 30, shade(10)) for i in range(30)]
    assert [frame.number for frame in read_frames(pairs, fps=5)] == [0, 6, 12, 18, 24]


def test_a_jump_is_a_picture_that_is_altogether_another():
    pictures = [shade(40), shade(44), shade(200), shade(204)]
    assert [frame.jump for frame in read_frames(pictures)] == [False, False, True, False]


def test_damaged_data_is_left_out_until_a_whole_picture_comes(tmp_path):
    path = video(tmp_path / "whole.mkv", np.arange(75) / 25, gop=25, container="matroska")
    data = bytearray(path.read_bytes())
    start = len(data) // 2
    data[start : start + 60] = bytes(60)
    (tmp_path / "hurt.mkv").write_bytes(data)
    frames = list(read_frames(tmp_path / "hurt.mkv", fps=25))
    assert any(frame.pixels is None and "damaged" in frame.damage for frame in frames)
    assert any(frame.pixels is not None for frame in frames)


def test_a_video_that_ends_early_gives_what_there_is(tmp_path):
    path = video(tmp_path / "whole.mkv", np.arange(75) / 25, container="matroska")
    (tmp_path / "cut.mkv").write_bytes(path.read_bytes()[:-300])
    assert 5 < len(list(read_frames(tmp_path / "cut.mkv", fps=25))) <= 75


def test_a_stream_without_times_is_read_at_its_rate(tmp_path):
    path = video(tmp_path / "raw.h264", np.arange(50) / 25, container="h264")
    times = [frame.time for frame in read_frames(path, fps=5)]
    assert len(times) >= 8
    assert np.all(np.diff(times) > 0.1)


def test_what_is_no_video_is_one_sentence(tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "empty.mp4").write_bytes(b"")
    for name in ("text.mp4", "empty.mp4"):
        with pytest.raises(DataError, match="can't be opened as a video"):
            list(read_frames(tmp_path / name))
    with pytest.raises(DataError, match="there is no video"):
        list(read_frames(tmp_path / "missing.mp4"))
    with av.open(str(tmp_path / "sound.mka"), "w", format="matroska") as out:
        stream = out.add_stream("pcm_s16le", rate=8000)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), dtype=np.int16), format="s16", layout="mono")
        frame.rate = 8000
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with pytest.raises(DataError, match="no video stream"):
        list(read_frames(tmp_path / "sound.mka"))
    with pytest.raises(UsageError, match="fps must be positive"):
        read_frames(tmp_path, fps=0)
