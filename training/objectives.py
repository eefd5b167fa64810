"""The losses. All take and return tensors; nothing here knows of data, devices or schedules.

Distillation: ``cosine`` to the teacher's clean embedding, ``contrast`` (cross-entropy over the batch: whose
teacher embedding is mine?), ``dense`` (the teacher's spatial map at a middle and the last block). Quality:
SmoothL1 of the quality read at every exit, deeper exits weighing more. The training-free signals:
1 − Pearson correlation over the batch of the ATTN and of the ViTNT score with the quality label, so that the
attention magnitude and the stability of the patch tokens follow quality already in a small network; and
1 − `locality`, with views of which only a part is spoilt among whole ones, so that the maps say where.
Labelled data: CosFace (arXiv 1801.09414) and the label of CR-FIQA (arXiv 2112.06592).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def contrast(embedding: Tensor, target: Tensor, scale: Tensor) -> Tensor:
    """Cross-entropy of scale·cos(embedding_i, target_j), the answer being i = j; unit vectors (B, E)."""
    logits = embedding @ target.T * scale
    return F.cross_entropy(logits, torch.arange(len(logits), device=logits.device))


def dense(predicted: Tensor, teacher_map: Tensor, cells: Tensor | None) -> Tensor:
    """SmoothL1 between tokens and the teacher's 7×7 map.

    ``predicted`` (B, 49·m, C): m tokens of each 2×2 group, ordered by group; their mean is what the teacher's
    cell is compared with. ``teacher_map`` (B, C, 7, 7), scaled to unit variance by the caller.
    """
    b, _, channels = predicted.shape
    if cells is None:  # all tokens, row-major 14×14
        mean = predicted.view(b, 7, 2, 7, 2, channels).mean((2, 4)).flatten(1, 2)
    else:
        mean = predicted.view(b, 49, -1, channels).mean(2)
    return F.smooth_l1_loss(mean, teacher_map.flatten(2).transpose(1, 2))


def correlation(a: Tensor, b: Tensor) -> Tensor:
    """Pearson correlation over all entries of two tensors of one shape → ()."""
    a, b = a - a.mean(), b - b.mean()
    return (a * b).sum() / (a.norm() * b.norm()).clamp_min(1e-6)


def locality(patches: Tensor, spoilt: Tensor) -> Tensor:
    """Correlation of how patch maps deviate from their own means with where the views are spoilt → ().

    ``patches`` and ``spoilt``, the spoilt share of each patch, are (B, T). The deviation wanted of a view
    that is not spoilt in places is 0, so a map that has the same shape in all views, or one that only knows
    the quality of the whole, gains nothing here.
    """
    wanted = spoilt.mean(1, keepdim=True) - spoilt
    return correlation(patches - patches.mean(1, keepdim=True), wanted)


def exit_quality(scores: Tensor, label: Tensor) -> Tensor:
    """SmoothL1 (β 0.5) of the scores (L, B) at all exits with the label (B,), exit l weighing l."""
    weight = torch.arange(1, len(scores) + 1, device=scores.device, dtype=scores.dtype)
    loss = F.smooth_l1_loss(scores, label.expand_as(scores), beta=0.5, reduction="none").mean(1)
    return (loss * weight / weight.sum()).sum()


class CosFace(nn.Module):
    """Class centres with CosFace's margin, and CR-FIQA's label from the same cosines."""

    def __init__(self, features: int, n_classes: int, margin: float, scale: float) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.randn(n_classes, features) * 0.01)
        self.margin, self.scale = margin, scale

    def forward(self, embedding: Tensor, identity: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings (B, E) and identities (B,) → loss, and the detached label CCS / (NNCCS + 1 + 1e-9)."""
        cos = F.normalize(embedding.float()) @ F.normalize(self.centres.float()).T
        own = F.one_hot(identity, cos.shape[1]).bool()
        loss = F.cross_entropy(self.scale * (cos - self.margin * own), identity)
        with torch.no_grad():
            ccs = cos[own]
            nearest = cos.masked_fill(own, -2).amax(1)
            label = ccs / (nearest + 1 + 1e-9)
        return loss, label
