"""A student in training → figures on held-out faces, which decide what is kept."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from scipy.stats import spearmanr
from torch import Tensor

from objectives import locality
from student import Output, Student, forward
from views import Source, Views

BATCH = 32


@torch.no_grad()
def outputs(student: Student, views: Views) -> Output:
    """One pass over all views, all patches, in parts."""
    parts = [forward(student, x.float(), None, True) for x in views.inputs.split(BATCH)]

    def joined(name: str, dim: int = 0) -> Tensor:
        return torch.cat([getattr(part, name).float() for part in parts], dim)

    nothing = torch.zeros(0)
    return Output(
        joined("embedding"), nothing, nothing, joined("exits", 1), joined("attention"), joined("stability")
    )


def examine(student: Student, source: Source) -> dict[str, float]:
    """Cosine to the teacher, Spearman with the label by exit, attn and vitnt, and how well maps say where.

    ``clean_*`` are of unchanged faces, against the label that the quality teacher itself was fitted to where
    there is one; ``view_*`` of augmented ones, against what the quality teacher says of them.
    """
    student.eval()
    out: dict[str, float] = {}
    for kind, views in source.exam().items():
        seen = outputs(student, views)
        if kind == "clean":
            cosine = F.normalize(seen.embedding, dim=1) * views.target
            out["cos"] = float(cosine.sum(1).mean())
        weights = torch.arange(1.0, len(seen.exits) + 1)
        scores = {f"exit{n}": score for n, score in enumerate(seen.exits.cpu(), 1)}
        scores["depth"] = (seen.exits.cpu() * weights[:, None]).sum(0)
        scores |= {"attn": seen.attention.mean(1).cpu(), "vitnt": seen.stability.mean(1).cpu()}
        for name, score in scores.items():
            out[f"{kind}_{name}"] = float(spearmanr(score, views.label.cpu()).statistic)
        if kind == "view":
            out["attn_map"] = float(locality(seen.attention, views.spoilt))
            logit = torch.logit(seen.stability.clamp(1e-6, 1 - 1e-6))
            out["vitnt_map"] = float(locality(logit, views.spoilt))
    student.train()
    return {k: round(v, 4) for k, v in out.items() if math.isfinite(v)}
