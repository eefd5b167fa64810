"""Images that runs are killed over, and the rows of a run that is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.pipeline.datasets import crops
    from tests.pipeline.kills import N_ROWS

    return crops(tmp_path_factory.mktemp("images") / "crops", N_ROWS)


@pytest.fixture(scope="session")
def whole(images: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    from tests.pipeline.datasets import content, run
    from tests.pipeline.kills import SHARD

    folder = tmp_path_factory.mktemp("whole") / "out"
    run(folder, images, shard_size=SHARD)
    return content(folder)
