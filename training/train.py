"""Train the embedded model: ``python training/train.py runs/faces --out runs/model``.

Two processes on a CPU with two cores (each single-threaded; gradients are averaged)::

    OMP_NUM_THREADS=1 torchrun --nproc-per-node 2 training/train.py runs/faces --out runs/model

The same file trains on one GPU: ``--set device=cuda --set batch=768 --set ring=12288``. Stop it at any time
and start it again with the same ``--out``: it goes on from the last checkpoint, on the same schedule and,
with the schedule in samples, with the same result as if it had never stopped.
"""

from __future__ import annotations

import argparse
import copy
import csv
import json
import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.distributed as dist
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from augment import augment, degrade_part, degrade_some, recolour, to_float, to_uint8, warp
from config import TrainConfig
from data import Faces, load
from fiqa import save_checkpoint
from fiqa.network import BlockState, ViT
from objectives import CosFace, contrast, correlation, dense, exit_quality, located
from stem import maps
from teacher import Teacher

HELD_OUT = 512


@dataclass
class Views:
    """What the losses need of a batch of views; every field has the batch first.

    ``inputs`` are images (B, 3, 112, 112) in the network's normalisation, or the frozen stem's features;
    ``spoilt`` (B, 196) is the share of each patch that was spoilt locally.
    """

    inputs: Tensor
    target: Tensor
    map: Tensor
    label: Tensor
    identity: Tensor
    spoilt: Tensor

    def fields(self) -> tuple[Tensor, ...]:
        return self.inputs, self.target, self.map, self.label, self.identity, self.spoilt


def generator(config: TrainConfig, *key: int) -> torch.Generator:
    """A generator that is a pure function of the seed and the key, so that nothing but the step is state."""
    seed = config.seed
    for part in key:
        seed = (seed * 1_000_003 + part + 7) % (2**62)
    return torch.Generator(config.device).manual_seed(seed)


class Student(nn.Module):
    """The network that ships, and the parts that only training needs."""

    def __init__(self, config: TrainConfig, n_classes: int = 0, map_channels: int = 0) -> None:
        super().__init__()
        self.config = config
        self.vit = ViT(config.network())
        self.temperature = nn.Parameter(torch.tensor(20.0))
        with_dense = bool(map_channels and config.dense_weight)
        self.dense = nn.ModuleList(nn.Linear(config.width, map_channels) for _ in range(2 * with_dense))
        self.cosface = (
            CosFace(config.embedding, n_classes, config.margin, config.scale) if n_classes else None
        )
        self.register_buffer("map_scale", torch.zeros(()))
        channels = sum(config.stem_widths[1:]) if config.frozen_stem else 0
        self.register_buffer("feature_mean", torch.zeros(channels, 1, 1))
        self.register_buffer("feature_std", torch.ones(channels, 1, 1))
        _sincos_(self.vit)
        for layer in self.dense:
            nn.init.trunc_normal_(layer.weight, std=0.02)

    def stem_maps(self, images: Tensor) -> Tensor:
        """The frozen part of the stem: images → (B, C, 14, 14), the coarse map repeated 2×2."""
        fine, coarse = maps(self.vit.stem, images)
        return torch.cat([fine, F.interpolate(coarse, scale_factor=2.0, mode="nearest")], 1)

    def features(self, images: Tensor) -> Tensor:
        """The same with every channel standardised, which is what the trained projections learn best from."""
        return (self.stem_maps(images) - self.feature_mean) / self.feature_std

    def measure_features(self, images: Tensor) -> None:
        """Set the statistics of `features` from normalised images."""
        seen = self.stem_maps(images)
        self.feature_mean = seen.mean((0, 2, 3)).view(-1, 1, 1)
        self.feature_std = seen.std((0, 2, 3)).view(-1, 1, 1) + 1e-6

    def tokens(self, inputs: Tensor) -> Tensor:
        """Images or frozen features → patch tokens with their positions (B, 196, D)."""
        stem = self.vit.stem
        if self.config.frozen_stem:
            fine = self.config.stem_widths[1]
            x = stem.proj(inputs[:, :fine]) + stem.proj2(inputs[:, fine:])
            x = x.flatten(2).transpose(1, 2)
        else:
            x = stem(inputs)
        return x + self.vit.pos_embed[:, self.vit.n_prefix :]

    @torch.no_grad()
    def finished(self) -> ViT:
        """A copy of the network that takes images: the standardisation goes into the projections."""
        vit = copy.deepcopy(self.vit).eval()
        if self.config.frozen_stem:
            fine = self.config.stem_widths[1]
            for layer, part in ((vit.stem.proj, slice(fine)), (vit.stem.proj2, slice(fine, None))):
                layer.weight /= self.feature_std[part, 0, 0].view(1, -1, 1, 1)
                layer.bias -= layer.weight[:, :, 0, 0] @ self.feature_mean[part, 0, 0]
        return vit


def _sincos_(vit: ViT) -> None:
    # Learned positions start as sines: few samples then do not have to be spent on learning what is near.
    rows, columns = vit.grid
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    quarter = vit.config.width // 4
    omega = math.pi / max(rows, columns) * (torch.arange(quarter) % 10 + 1)
    waves = [f(v.flatten()[:, None] * omega) for v in (y, x) for f in (torch.sin, torch.cos)]
    with torch.no_grad():
        vit.pos_embed[0, vit.n_prefix :, : 4 * quarter] = torch.stack(waves, -1).flatten(1) * 0.1


def choose(per_group: int, b: int, g: torch.Generator) -> Tensor | None:
    """Indices (B, 49·m) of m random tokens of each 2×2 group of 14×14, ordered by group; None = all."""
    if per_group == 4:
        return None
    order = torch.rand(b, 49, 4, generator=g, device=g.device).argsort(-1)[..., :per_group]
    group = torch.arange(49, device=g.device)
    corner = (group // 7 * 28 + group % 7 * 2)[None, :, None]
    return (corner + order // 2 * 14 + order % 2).flatten(1)


@dataclass
class Output:
    embedding: Tensor  # (B, E)
    middle: Tensor  # (B, T, D), after the final LayerNorm
    last: Tensor  # (B, T, D), likewise
    exits: Tensor  # (L, B) in mode T, (1, B) in mode C
    attention: Tensor  # (B, T) the ATTN-FIQA map; its mean is the score
    stability: Tensor | None  # (B, T) the ViTNT-FIQA map; its mean is the score


def forward(student: Student, inputs: Tensor, chosen: Tensor | None, with_stability: bool) -> Output:
    """One pass with all that the losses need."""
    vit, config = student.vit, student.config
    x = student.tokens(inputs)
    b, _, width = x.shape
    if chosen is not None:
        x = x.gather(1, chosen[..., None].expand(-1, -1, width))
    if vit.quality_token is not None:
        x = torch.cat([(vit.quality_token + vit.pos_embed[:, :1]).expand(b, -1, -1), x], 1)
    skip, depth = vit.n_prefix, len(vit.blocks)
    exits, steps, previous, middle = [], [], None, x
    for i, block in enumerate(vit.blocks):
        state = BlockState(block, i, x, skip)
        if x.device.type == "cpu":
            _ = state.attention  # once read it is used for the tokens; the fused kernel is slower backwards
        if i == depth - 1:
            q, k = (t[:, :, skip:].float() for t in (state.queries, state.keys))
            attention = (q.mean(2, keepdim=True) * k).sum(-1).mean(1) * q.shape[-1] ** -0.5
        x = state.tokens
        whole = with_stability or i in (depth // 2, depth - 1)
        normed = vit.norm(x if whole else x[:, :1]).float()
        exits.append(normed[:, 0])
        if with_stability:
            unit = F.normalize(normed[:, skip:], dim=-1)
            if previous is not None:
                steps.append(((unit - previous).square().sum(-1) + 1e-6).sqrt())
            previous = unit
        if i == depth // 2:
            middle = normed
    embedding = vit.embedding(normed)
    if config.mode == "token":  # one BatchNorm over all exits: they share the head, as at test time
        scores = vit.quality_head(torch.cat(exits)).view(depth, b)
    else:  # mode C learns at the last exit alone, as in the paper
        scores = vit.quality_head(embedding)[None]
    stability = None
    if with_stability:
        distance = torch.stack(steps).mean(0)
        stability = 2 / (1 + torch.exp(config.alpha * distance))
    return Output(embedding, middle[:, skip:], normed[:, skip:], scores, attention, stability)


class Source:
    """Makes views and holds the last ``ring`` of them; a batch is drawn from the ring.

    Which views are made at a step, and which are drawn, is a function of (seed, process, step) alone. So
    resuming refills the ring with the same views, and nothing of it has to be saved.
    """

    def __init__(
        self, config: TrainConfig, faces: Faces, student: Student, teacher: Teacher | None, rank: int
    ):
        self.config, self.faces, self.student, self.teacher, self.rank = config, faces, student, teacher, rank
        order = torch.randperm(len(faces), generator=torch.Generator().manual_seed(config.seed))
        self.held_out = order[: min(HELD_OUT, len(order) // 8)].sort()[0]
        usable = order[len(self.held_out) :]
        if config.objective == "cosface":
            usable = usable[torch.from_numpy(faces.identity)[usable] >= 0]
        self.usable = usable
        self.each = config.batch // config.reuse
        self.slots = config.ring // self.each
        self.ring: Views | None = None
        self.made = 0
        self.resident = torch.from_numpy(faces.crops[:]).to(config.device) if config.device != "cpu" else None

    def crops(self, index: Tensor) -> Tensor:
        """uint8 (B, 112, 112, 3) on the device."""
        if self.resident is not None:
            return self.resident[index.to(self.resident.device)]
        return torch.from_numpy(self.faces.crops[index.numpy()])

    @torch.no_grad()
    def prepare(
        self, index: Tensor, clean: Tensor, view: Tensor, degraded: Tensor, inside: Tensor | None = None
    ) -> Views:
        """From crops (before and after the change of colour and quality) to what the losses need."""
        device = clean.device
        images = (view.float() / 127.5 - 1).permute(0, 3, 1, 2)
        inputs = self.student.features(images).half() if self.config.frozen_stem else images.half()
        none = torch.zeros(len(index), 0, device=device)
        identity = torch.from_numpy(self.faces.identity[index.numpy()]).to(device)
        spoilt = torch.zeros(len(index), self.student.vit.config.n_patches, device=device)
        if inside is not None:
            spoilt = F.avg_pool2d(inside, self.student.vit.config.patch_size).flatten(1)
        if self.teacher is None:
            return Views(inputs, none, none, torch.zeros(len(index), device=device), identity, spoilt)
        seen, teacher_map = self.teacher(clean, with_map=self.config.dense_weight > 0)
        stored = torch.from_numpy(self.faces.clean[index.numpy()]).to(device)
        target = F.normalize(seen + stored, dim=1)
        if degraded.any():
            seen[degraded] = self.teacher(view[degraded])[0]
        centre = torch.from_numpy(self.faces.centre[index.numpy()]).to(device)
        factor = torch.from_numpy(self.faces.factor[index.numpy()]).to(device)
        label = (factor * (seen * centre).sum(1) - self.faces.mean) / (2 * self.faces.std)
        seen_map = none if teacher_map is None else teacher_map.half()
        return Views(inputs, target, seen_map, label, identity, spoilt)

    def produce(self, tick: int) -> Views:
        config = self.config
        g = generator(config, self.rank, 1, tick + 1_000_000)
        pick = torch.randint(len(self.usable), (self.each,), generator=generator_cpu(config, self.rank, tick))
        index = self.usable[pick]
        clean = warp(to_float(self.crops(index)), config.augment, g)
        view = recolour(clean, config.augment, g)
        view, severity = degrade_some(view, config.augment, g)
        view, inside = degrade_part(view, config.augment, g)
        degraded = (severity > 0) | inside.flatten(1).any(1)
        return self.prepare(index, to_uint8(clean), to_uint8(view), degraded, inside)

    def batch(self, step: int) -> Views:
        """The batch of a step (0-based)."""
        if self.ring is None:
            self.made = step - self.slots + 1
        while self.made <= step:
            fresh = self.produce(self.made).fields()
            if self.ring is None:
                empty = [
                    torch.zeros(self.config.ring, *f.shape[1:], dtype=f.dtype, device=f.device) for f in fresh
                ]
                self.ring = Views(*empty)
            start = self.made % self.slots * self.each
            for slot, field in zip(self.ring.fields(), fresh, strict=True):
                slot[start : start + self.each] = field
            self.made += 1
        g = generator_cpu(self.config, self.rank, step, 3)
        pick = torch.randperm(self.config.ring, generator=g)[: self.config.batch]
        views = Views(*(f[pick.to(f.device)] for f in self.ring.fields()))
        return replace(views, inputs=views.inputs.float(), map=views.map.float())

    @torch.no_grad()
    def measure_features(self, n: int = 256) -> None:
        """Statistics of the frozen features from views that every process makes alike."""
        index = self.usable[torch.randperm(len(self.usable), generator=generator_cpu(self.config, 5))[:n]]
        view = augment(self.crops(index), self.config.augment, generator(self.config, 5))[0]
        self.student.measure_features((view.float() / 127.5 - 1).permute(0, 3, 1, 2))

    def exam(self) -> Views:
        """The held-out faces, unchanged."""
        x = self.crops(self.held_out)
        return self.prepare(self.held_out, x, x, torch.zeros(len(x), dtype=torch.bool))


def generator_cpu(config: TrainConfig, *key: int) -> torch.Generator:
    seed = config.seed + 1
    for part in key:
        seed = (seed * 1_000_003 + part + 1_000_007) % (2**62)
    return torch.Generator().manual_seed(seed)


def split_parameters(student: Student) -> tuple[list[nn.Parameter], list[nn.Parameter], list[nn.Parameter]]:
    """(block matrices for Muon, the rest with decay, queries/keys/vectors without decay)."""
    matrices, rest, plain = [], [], []
    for name, p in student.named_parameters():
        if student.config.frozen_stem and name.startswith("vit.stem.") and ".proj" not in name:
            p.requires_grad_(False)
        elif ".blocks." in name and p.ndim == 2:
            matrices.append(p)
        elif p.ndim >= 2:
            rest.append(p)
        else:
            plain.append(p)
    return matrices, rest, plain


def train(config: TrainConfig, faces: Faces, teacher: Teacher | None, out: Path, start: Path | None = None,
          stem: dict[str, Tensor] | None = None, stop_at: int | None = None) -> Student:  # fmt: skip
    """Run or resume; returns the student with its moving-average weights loaded."""
    out.mkdir(parents=True, exist_ok=True)
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    if world > 1 and not dist.is_initialized():
        dist.init_process_group("gloo")
    torch.manual_seed(config.seed)
    if teacher is not None:
        config = replace(config, embedding=faces.clean.shape[1])
    n_classes = int(faces.identity.max()) + 1 if config.objective == "cosface" else 0
    map_channels = 0
    if teacher is not None and teacher.has_map and config.dense_weight:
        probe = teacher(torch.zeros(1, 112, 112, 3, dtype=torch.uint8), with_map=True)[1]
        map_channels = 0 if probe is None else probe.shape[1]
    student = Student(config, n_classes, map_channels).to(config.device)
    if stem:
        student.vit.stem.load_state_dict(stem, strict=False)
    source = Source(config, faces, student, teacher, rank)
    if config.frozen_stem:
        for layer in (student.vit.stem.proj, student.vit.stem.proj2):
            nn.init.trunc_normal_(layer.weight, std=0.04)  # tokens of a deviation of 0.5
            nn.init.zeros_(layer.bias)
        source.measure_features()
    if start is not None:
        student.load_state_dict(torch.load(start, map_location=config.device)["average"])
    matrices, rest, plain = split_parameters(student)
    parameters = matrices + rest + plain
    muon = torch.optim.Muon(
        matrices, lr=config.lr_matrix, weight_decay=config.weight_decay, adjust_lr_fn="match_rms_adamw"
    )
    adam = torch.optim.AdamW(
        [{"params": rest, "weight_decay": config.weight_decay}, {"params": plain, "weight_decay": 0.0}],
        lr=config.lr,
        betas=(0.9, 0.98),
    )
    average = {k: v.detach().clone() for k, v in student.state_dict().items()}
    step, spent = 0, 0.0
    last = out / "last.pt"
    if last.exists():
        saved = torch.load(last, map_location=config.device)
        student.load_state_dict(saved["student"])
        muon.load_state_dict(saved["muon"])
        adam.load_state_dict(saved["adam"])
        average, step, spent = saved["average"], saved["step"], saved["spent"]

    def save() -> None:
        if rank == 0:
            state = {
                "student": student.state_dict(),
                "muon": muon.state_dict(),
                "adam": adam.state_dict(),
                "average": average,
                "step": step,
                "spent": spent,
            }
            torch.save(state, last.with_suffix(".tmp"))
            os.replace(last.with_suffix(".tmp"), last)  # never half a checkpoint

    per_step = config.batch * world
    sums: dict[str, float] = {}
    student.train()
    while stop_at is None or step < stop_at:
        progress = spent / config.seconds if config.seconds else step * per_step / config.samples
        if progress >= 1:
            break
        begun = time.perf_counter()
        rate = min(1.0, (step + 1) / config.warmup) * max(0.01, 0.5 * (1 + math.cos(math.pi * progress)))
        for optimiser, top in ((muon, config.lr_matrix), (adam, config.lr)):
            for group in optimiser.param_groups:
                group["lr"] = top * rate
        per_group = next(m for f, m in reversed(config.keep) if progress >= f)
        views = source.batch(step)
        made = time.perf_counter()
        if map_channels and float(student.map_scale) == 0:
            student.map_scale.fill_(1 / float(views.map.std()))
        g = generator(config, rank, 2, step)
        chosen = choose(per_group, len(views.inputs), g)
        with torch.autocast(config.device.split(":")[0], torch.bfloat16, enabled=config.precision == "bf16"):
            result = forward(student, views.inputs, chosen, step % config.stability_every == 0)
            loss, parts = total_loss(student, result, views, chosen)
        for p in parameters:
            p.grad = None
        loss.backward()
        if world > 1:
            average_gradients(parameters, world)
        nn.utils.clip_grad_norm_(parameters, 5.0)
        muon.step()
        adam.step()
        step += 1
        if step % 4 == 0:
            decay = config.ema * min(1.0, (step + 4) / (step + 80))
            with torch.no_grad():
                for key, value in student.state_dict().items():
                    if value.is_floating_point():
                        average[key].lerp_(value, 1 - decay)
                    else:
                        average[key].copy_(value)
        taken = torch.tensor(time.perf_counter() - begun)
        if world > 1:
            dist.all_reduce(taken, op=dist.ReduceOp.MAX)  # all processes have to agree on the schedule
        spent += float(taken)
        for key, value in {**parts, "producing": made - begun}.items():
            sums[key] = sums.get(key, 0.0) + float(value)
            sums["n_" + key] = sums.get("n_" + key, 0.0) + 1
        if step % config.log_every == 0:
            if rank == 0:
                means = {k: v / sums["n_" + k] for k, v in sums.items() if not k.startswith("n_")}
                write_log(out / "log.csv", step, step * per_step, spent, per_group, means)
            sums = {}
        if step % config.save_every == 0:
            save()
    save()
    student.load_state_dict(average)
    return student.eval()


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
        cos = (embedding * views.target).sum(1)
        parts["cos"] = cos.mean()
        parts["contrast"] = contrast(embedding, views.target, student.temperature.clamp(5, 40))
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
    wanted = located(label, spoilt, config.map_contrast)
    signals = [("attn", result.attention, config.attention_weight)]
    if result.stability is not None:
        # The score's logit spreads what the score squeezes towards its end.
        signals.append(("vitnt", result.stability, config.stability_weight))
    for name, patches, weight in signals:
        score = patches.mean(1)
        if name == "vitnt":
            score = torch.logit(score.clamp(1e-6, 1 - 1e-6))
        parts[f"r_{name}"] = correlation(score, label)
        parts[f"r_{name}_map"] = correlation(patches, wanted)
        loss = loss + weight * (1 - parts[f"r_{name}"]) + config.map_weight * (1 - parts[f"r_{name}_map"])
    return loss, {k: v.detach() for k, v in parts.items()}


def average_gradients(parameters: list[nn.Parameter], world: int) -> None:
    grads = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([g.reshape(-1) for g in grads])
    dist.all_reduce(flat)
    flat /= world
    for grad, part in zip(grads, flat.split([g.numel() for g in grads]), strict=True):
        grad.copy_(part.view_as(grad))


def write_log(
    path: Path, step: int, samples: int, spent: float, per_group: int, means: dict[str, float]
) -> None:
    row = {"step": step, "samples": samples, "seconds": round(spent, 1), "kept": 49 * per_group}
    row |= {k: round(v, 4) for k, v in sorted(means.items())}
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, row)
        if new:
            writer.writeheader()
        writer.writerow(row)
    print(json.dumps(row), flush=True)


@torch.no_grad()
def held_out_cosine(student: Student, source: Source) -> Iterator[float]:
    """Cosine to the teacher on each held-out, unchanged face, all patches."""
    views = source.exam()
    for start in range(0, len(views.inputs), 64):
        part = views.inputs[start : start + 64].float()
        embedding = F.normalize(forward(student.eval(), part, None, False).embedding.float(), dim=1)
        yield from (embedding * views.target[start : start + 64]).sum(1).tolist()


def parse_setting(text: str) -> tuple[str, object]:
    key, _, value = text.partition("=")
    try:
        return key, json.loads(value)
    except json.JSONDecodeError:
        return key, value


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("faces", type=Path, help="folder that data.py wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints, log and weights")
    parser.add_argument("--teacher", type=Path, help="ONNX recogniser (distil)")
    parser.add_argument("--stem", type=Path, help="stem that stem.py wrote")
    parser.add_argument("--start", type=Path, help="last.pt of an earlier run to start from")
    parser.add_argument("--config", type=Path, help="JSON of an earlier run")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", type=parse_setting)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    saved = args.config or args.out / "config.json"
    config = TrainConfig.load(saved, **dict(args.set)) if saved.exists() else TrainConfig.of(dict(args.set))
    if config.objective == "distil" and args.teacher is None:
        parser.error("the distil objective needs --teacher, an ONNX recogniser")
    if int(os.environ.get("RANK", "0")) == 0:
        args.out.mkdir(parents=True, exist_ok=True)
        config.save(args.out / "config.json")
    faces = load(args.faces)
    teacher = Teacher(args.teacher, args.threads) if args.teacher else None
    stem = load_file(args.stem) if args.stem else None
    student = train(config, faces, teacher, args.out, args.start, stem)
    if int(os.environ.get("RANK", "0")) == 0:
        save_checkpoint(student.finished(), args.out / "model.safetensors")
        if teacher is not None:
            cosines = list(held_out_cosine(student, Source(config, faces, student, teacher, 0)))
            print(
                f"cosine to the teacher on {len(cosines)} held-out faces: {sum(cosines) / len(cosines):.4f}"
            )


if __name__ == "__main__":
    main()
