"""What a pass gave and what the views ask for in → one loss, and its parts for the log, out."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from objectives import contrast, correlation, dense, exit_quality, locality
from student import Output, Student
from views import Views


def total_loss(
    student: Student, result: Output, views: Views, chosen: Tensor | None
) -> tuple[Tensor, dict[str, Tensor]]:
    """Weighted sum of the losses, and what the log shows (correlations as correlations)."""
    config = student.config
    parts: dict[str, Tensor] = {}
    embedding = F.normalize(result.embedding.float(), dim=1)
    if student.cosface is not None:
        parts["class"], label = student.cosface(result.embedding, views.identity)
        loss = parts["class"]
        quality_weight = 10 * config.quality_weight  # the paper's λ
    else:
        label, quality_weight = views.label, config.quality_weight
        faces = ~views.stray
        embedding, target = embedding[faces], views.target[faces]
        parts["cos"] = (embedding * target).sum(1).mean()
        parts["contrast"] = contrast(embedding, target, student.temperature.clamp(5, 40))
        loss = config.cos_weight * (1 - parts["cos"]) + config.contrast_weight * parts["contrast"]
        if len(student.dense):
            scaled = views.map * student.map_scale
            tokens = (result.middle, result.last)
            pairs = [
                dense(layer(t).float(), scaled, chosen)
                for layer, t in zip(student.dense, tokens, strict=True)
            ]
            parts["dense"] = torch.stack(pairs).sum()
            loss = loss + config.dense_weight * parts["dense"]
    parts["quality"] = exit_quality(result.exits.float(), label)
    parts["r_exit"] = correlation(result.exits[-1].float(), label).detach()
    loss = loss + quality_weight * parts["quality"]
    spoilt = views.spoilt if chosen is None else views.spoilt.gather(1, chosen)
    signals = [("attn", result.attention, config.attention_weight)]
    if result.stability is not None:
        # The score's logit spreads what the score squeezes towards its end.
        signals.append(("vitnt", result.stability, config.stability_weight))
    for name, patches, weight in signals:
        score = patches.mean(1)
        if name == "vitnt":
            score = torch.logit(score.clamp(1e-6, 1 - 1e-6))
            patches = torch.logit(patches.clamp(1e-6, 1 - 1e-6))
        parts[f"r_{name}"] = correlation(score, label)
        # Degraded views alone make a high correlation; what counts later is the order of natural ones.
        parts[f"r_{name}_natural"] = correlation(score[views.natural], label[views.natural])
        parts[f"r_{name}_map"] = locality(patches, spoilt)
        loss = loss + weight * (2 - parts[f"r_{name}"] - parts[f"r_{name}_natural"])
        loss = loss + config.map_weight * (1 - parts[f"r_{name}_map"])
    return loss, {k: v.detach() for k, v in parts.items()}
