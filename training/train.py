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
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
import torch.distributed as dist
from safetensors.torch import load_file
from torch import Tensor, nn

from config import TrainConfig
from data import Faces, load
from examine import examine
from fiqa import save_checkpoint
from labels import QualityLabels
from losses import total_loss
from student import Student, choose, forward, load_start, split_parameters
from teacher import Teacher
from views import Source, generator

SAVE_SECONDS = 300.0  # a checkpoint after this time, however slow the steps are


def train(config: TrainConfig, faces: Faces, teacher: Teacher | None, out: Path, start: Path | None = None,
          stem: dict[str, Tensor] | None = None, stop_at: int | None = None,
          labels: QualityLabels | None = None, blocks: Sequence[int] | None = None) -> Student:  # fmt: skip
    """Run or resume; returns the student with its moving-average weights loaded."""
    out.mkdir(parents=True, exist_ok=True)
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    if world > 1 and not dist.is_initialized():
        dist.init_process_group("gloo")
    torch.manual_seed(config.seed)
    if teacher is not None:
        config = replace(config, embedding=teacher.length)
    n_classes = int(faces.identity.max()) + 1 if config.objective == "cosface" else 0
    map_channels = 0
    if teacher is not None and teacher.has_map and config.dense_weight:
        probe = teacher(torch.zeros(1, 112, 112, 3, dtype=torch.uint8), with_map=True)[1]
        map_channels = 0 if probe is None else probe.shape[1]
    student = Student(config, n_classes, map_channels).to(config.device)
    if stem:
        student.vit.stem.load_state_dict(stem, strict=False)
    source = Source(config, faces, student, teacher, rank, labels)
    if config.frozen_stem:
        for layer in (student.vit.stem.proj, student.vit.stem.proj2):
            nn.init.trunc_normal_(layer.weight, std=0.04)  # tokens of a deviation of 0.5
            nn.init.zeros_(layer.bias)
        source.measure_features()
    if start is not None:
        load_start(student, start, blocks)
    muon, adam = optimisers(student)
    parameters = [p for o in (muon, adam) for group in o.param_groups for p in group["params"]]
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

    examined = copy.deepcopy(student) if rank == 0 and config.examine_every else None
    saved_at = time.perf_counter()
    per_step = config.batch * world
    sums: dict[str, float] = {}
    student.train()
    while stop_at is None or step < stop_at:
        progress = spent / config.seconds if config.seconds else step * per_step / config.samples
        if progress >= 1:
            break
        if examined is not None and step % config.examine_every == 0:
            examined.load_state_dict(average)
            write_row(
                out / "held-out.csv", {"step": step, "samples": step * per_step, **examine(examined, source)}
            )
        begun = time.perf_counter()
        rate = min(1.0, (step + 1) / config.warmup) * max(0.01, 0.5 * (1 + math.cos(math.pi * progress)))
        for optimiser in (muon, adam):
            for group in optimiser.param_groups:
                group["lr"] = group["top"] * rate
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
        if step % config.save_every == 0 or time.perf_counter() - saved_at > SAVE_SECONDS:
            save()
            saved_at = time.perf_counter()
    save()
    student.load_state_dict(average)
    return student.eval()


def optimisers(student: Student) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
    """Muon for the block matrices, AdamW for the rest; ``top`` of a group is its rate before the schedule."""
    config, groups = student.config, split_parameters(student)
    muon = torch.optim.Muon(
        groups["matrices"], lr=config.lr_matrix, weight_decay=config.weight_decay,
        adjust_lr_fn="match_rms_adamw",
    )  # fmt: skip
    decays = (
        ("rest", config.lr, config.weight_decay),
        ("plain", config.lr, 0.0),
        ("stem", config.lr_stem, 0.0),
    )
    adam = torch.optim.AdamW(
        [{"params": groups[k], "lr": lr, "weight_decay": decay} for k, lr, decay in decays if groups[k]],
        betas=(0.9, 0.98),
    )
    for group in (*muon.param_groups, *adam.param_groups):
        group["top"] = group["lr"]
    return muon, adam


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
    write_row(path, row | {k: round(v, 4) for k, v in sorted(means.items())})


def write_row(path: Path, row: dict[str, float]) -> None:
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, row)
        if new:
            writer.writeheader()
        writer.writerow(row)
    print(json.dumps(row), flush=True)


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
    parser.add_argument("--quality", type=Path, help="folder that quality_teacher.py wrote: its labels")
    parser.add_argument("--quality-teachers", type=Path, nargs="+", help="ONNX files of its recognisers")
    parser.add_argument("--weights", type=Path, help="last.pt of an earlier run, or a network, to start from")
    parser.add_argument(
        "--blocks", type=int, nargs="+", help="of deeper --weights, the blocks to take, from 1"
    )
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
    if bool(args.quality) != bool(args.quality_teachers):
        parser.error("--quality needs --quality-teachers, and the other way round")
    labels = QualityLabels(args.quality, args.quality_teachers) if args.quality else None
    student = train(config, faces, teacher, args.out, args.weights, stem, labels=labels, blocks=args.blocks)
    if int(os.environ.get("RANK", "0")) == 0:
        save_checkpoint(student.finished(), args.out / "model.safetensors")
        if teacher is not None:
            print(json.dumps(examine(student, Source(config, faces, student, teacher, 0, labels))))


if __name__ == "__main__":
    main()
