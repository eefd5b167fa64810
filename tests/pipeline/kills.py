"""How many kills of a run over how many rows, and what must hold after them."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

from tests.pipeline.datasets import content

N_KILLS = int(os.environ.get("FIQA_TEST_SHARD_KILLS", "3"))
N_DRIVER_KILLS = N_KILLS if "FIQA_TEST_SHARD_KILLS" in os.environ else 1
N_ROWS = int(os.environ.get("FIQA_TEST_SHARD_ROWS", "300"))
SHARD = max(25, N_ROWS // 100)
PAUSE = 0.02  # seconds a batch of four
SECONDS = N_ROWS / 4 * PAUSE  # a run of one process takes at least


def check(folder: Path, whole: list[dict[str, Any]]) -> None:
    """No row is doubled, and all are those of an undisturbed run."""
    found = content(folder)
    assert [path for path, n in Counter(row["path"] for row in found).items() if n > 1] == []
    assert found == whole
