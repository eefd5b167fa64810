"""Any view of a face → what the quality teacher says of it: dense labels while a network is trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from frozen import Rows, teacher
from heads import FitConfig, Heads


class QualityLabels:
    """The heads that `quality_teacher.py` fitted, applied to views, degraded or not, of any face.

    A person's views are labelled by the heads that did not learn from that person; faces without identity,
    and people who are held out, by the mean of all heads.

    Attributes:
        fold: (n,) fold of each face's person; 0 is held out from training, −1 is without identity.
        known: (n,) the label of the clean face that the heads were fitted to, NaN where there is none.
    """

    def __init__(self, folder: Path, teachers: Sequence[Path]) -> None:
        stored = np.load(folder / "labels.npz")
        self.fold: NDArray[np.int64] = stored["fold"]
        self.known: NDArray[np.float32] = stored["label"][0]
        self.runs: list[tuple[Rows, Heads]] = [
            (teacher(path), load_heads(folder / f"{path.stem}.pt")) for path in teachers
        ]

    @torch.inference_mode()
    def __call__(self, views: Tensor, rows: Tensor) -> Tensor:
        """uint8 views (B, 112, 112, 3) of faces ``rows`` (B,) → labels (B,), in standard deviations."""
        crops, fold = views.cpu().numpy(), torch.from_numpy(self.fold[rows.cpu().numpy()])
        said = []
        for run, heads in self.runs:
            scores = heads(torch.from_numpy(run(0, crops)).float()[None])  # (folds, B)
            own = scores.gather(0, (fold - 1).clamp_min(0)[None])[0]
            said.append(torch.where(fold > 0, own, scores.mean(0)))
        return torch.stack(said).mean(0).to(views.device)


def load_heads(path: Path) -> Heads:
    """Heads as `heads.fit` left them in its checkpoint."""
    state = torch.load(path, weights_only=True)["heads"]
    n_heads, features = state["mean"].shape
    hidden = state["weight1"].shape[2] if "weight1" in state else 0
    heads = Heads(n_heads, features, FitConfig(hidden=hidden))
    heads.load_state_dict(state)
    return heads.eval()
