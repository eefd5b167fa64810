"""The quality that a JPEG was saved with, from its tables."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from fiqa.images import read
from fiqa.images.compression import jpeg_quality

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 24, 3), dtype=np.uint8))


def saved(kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    PICTURE.save(file, kind, **options)
    return file.getvalue()


def test_every_quality_is_read_exactly():
    found = [jpeg_quality(Image.open(io.BytesIO(saved("JPEG", quality=q)))) for q in range(1, 101)]
    assert found == list(range(1, 101))


def test_pictures_know_it_and_other_formats_have_none():
    assert read(saved("JPEG", quality=37)).jpeg_quality == 37
    assert read(saved("JPEG", quality=37, progressive=True)).jpeg_quality == 37
    assert read(saved("PNG")).jpeg_quality is None
    assert read(saved("WEBP")).jpeg_quality is None
    assert read(np.asarray(PICTURE)).jpeg_quality is None


def test_strange_tables_give_the_nearest():
    flat = [[40] * 64, [40] * 64]
    found = jpeg_quality(Image.open(io.BytesIO(saved("JPEG", qtables=flat))))
    assert found is not None
    assert 40 <= found <= 90
