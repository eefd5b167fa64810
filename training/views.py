"""Stored faces and a teacher in → views with all that the losses need out, held in a ring."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from augment import augment, degrade_part, degrade_some, recolour, to_float, to_uint8, uniform, warp
from config import TrainConfig
from data import Faces
from frozen import stray
from labels import QualityLabels
from student import Student
from teacher import Teacher

HELD_OUT = 512
EXAM = 256  # held-out faces, clean and augmented, that an examination looks at


@dataclass
class Views:
    """What the losses need of a batch of views; every field has the batch first.

    ``inputs`` are images (B, 3, 112, 112) in the network's normalisation, or the frozen stem's features;
    ``spoilt`` (B, 196) is the share of each patch that was spoilt locally; ``stray`` (B,) says which views
    are no upright face, and have no embedding to learn; ``natural`` (B,) which are not degraded in any way.
    """

    inputs: Tensor
    target: Tensor
    map: Tensor
    label: Tensor
    identity: Tensor
    spoilt: Tensor
    stray: Tensor
    natural: Tensor

    def fields(self) -> tuple[Tensor, ...]:
        return (
            self.inputs, self.target, self.map, self.label, self.identity, self.spoilt, self.stray,
            self.natural,
        )  # fmt: skip


def generator(config: TrainConfig, *key: int) -> torch.Generator:
    """A generator that is a pure function of the seed and the key, so that nothing but the step is state."""
    seed = config.seed
    for part in key:
        seed = (seed * 1_000_003 + part + 7) % (2**62)
    return torch.Generator(config.device).manual_seed(seed)


class Source:
    """Makes views and holds the last ``ring`` of them; a batch is drawn from the ring.

    Which views are made at a step, and which are drawn, is a function of (seed, process, step) alone. So
    resuming refills the ring with the same views, and nothing of it has to be saved.
    """

    def __init__(
        self,
        config: TrainConfig,
        faces: Faces,
        student: Student,
        teacher: Teacher | None,
        rank: int,
        labels: QualityLabels | None = None,
    ):
        self.config, self.faces, self.student, self.teacher, self.rank = config, faces, student, teacher, rank
        self.labels = labels
        order = torch.randperm(len(faces), generator=torch.Generator().manual_seed(config.seed))
        if labels is None:
            self.held_out = order[: min(HELD_OUT, len(order) // 8)].sort()[0]
            usable = order[len(self.held_out) :]
        else:  # whole people, those that the quality teacher was not fitted to either
            fold = torch.from_numpy(labels.fold)[order]
            self.held_out = order[fold == 0][:HELD_OUT].sort()[0]
            usable = order[fold != 0]
        if config.objective == "cosface":
            usable = usable[torch.from_numpy(faces.identity)[usable] >= 0]
        self.usable = usable
        self.each = config.batch // config.reuse
        self.slots = config.ring // self.each
        self.ring: Views | None = None
        self.made = 0
        self.examined: dict[str, Views] | None = None
        self.resident = torch.from_numpy(faces.crops[:]).to(config.device) if config.device != "cpu" else None

    def crops(self, index: Tensor) -> Tensor:
        """uint8 (B, 112, 112, 3) on the device."""
        if self.resident is not None:
            return self.resident[index.to(self.resident.device)]
        return torch.from_numpy(self.faces.crops[index.numpy()])

    @torch.no_grad()
    def prepare(
        self,
        index: Tensor,
        clean: Tensor,
        view: Tensor,
        degraded: Tensor,
        inside: Tensor | None = None,
        stray: Tensor | None = None,
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
        if stray is None:
            stray = torch.zeros(len(index), dtype=torch.bool, device=device)
        natural = ~(degraded | stray)
        if self.teacher is None:
            label = torch.zeros(len(index), device=device)
            return Views(inputs, none, none, label, identity, spoilt, stray, natural)
        seen, teacher_map = self.teacher(clean, with_map=self.config.dense_weight > 0)
        target = seen
        if self.faces.clean.size:  # what the teacher says of the unchanged face, and of its mirror image
            target = F.normalize(seen + torch.from_numpy(self.faces.clean[index.numpy()]).to(device), dim=1)
        seen_map = none if teacher_map is None else teacher_map.half()
        if self.labels is not None:
            label = self.labels(view, index)
            return Views(inputs, target, seen_map, label, identity, spoilt, stray, natural)
        if not natural.all():
            seen = seen.clone()
            seen[~natural] = self.teacher(view[~natural])[0]
        centre = torch.from_numpy(self.faces.centre[index.numpy()]).to(device)
        factor = torch.from_numpy(self.faces.factor[index.numpy()]).to(device)
        label = (factor * (seen * centre).sum(1) - self.faces.mean) / (2 * self.faces.std)
        return Views(inputs, target, seen_map, label, identity, spoilt, stray, natural)

    def produce(self, tick: int) -> Views:
        config = self.config
        g = generator(config, self.rank, 1, tick + 1_000_000)
        pick = torch.randint(len(self.usable), (self.each,), generator=generator_cpu(config, self.rank, tick))
        return self.augmented(self.usable[pick], g)

    def augmented(self, index: Tensor, g: torch.Generator) -> Views:
        """Views of some faces, drawn by ``g`` alone."""
        config = self.config
        clean = warp(to_float(self.crops(index)), config.augment, g)
        view = recolour(clean, config.augment, g)
        view, severity = degrade_some(view, config.augment, g)
        view, inside = degrade_part(view, config.augment, g)
        degraded = (severity > 0) | inside.flatten(1).any(1)
        view, astray = to_uint8(view), uniform(len(index), 0, 1, g) < config.stray
        for i in astray.nonzero()[:, 0].tolist():
            seed = int(torch.randint(2**31, (), generator=g, device=g.device))
            crop = stray(view[i].cpu().numpy(), np.random.default_rng(seed))
            view[i] = torch.from_numpy(crop.copy()).to(view.device)
            inside[i] = 0
        return self.prepare(index, to_uint8(clean), view, degraded, inside, astray)

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

    def exam(self) -> dict[str, Views]:
        """Held-out faces: ``clean``, unchanged and with what label is known of them, and a ``view`` each."""
        if self.examined is None:
            index = self.held_out[torch.linspace(0, len(self.held_out) - 1, EXAM).long().unique()]
            x = self.crops(index)
            clean = self.prepare(index, x, x, torch.zeros(len(x), dtype=torch.bool, device=x.device))
            if self.labels is not None:
                known = torch.from_numpy(self.labels.known[index.numpy()]).to(x.device)
                clean.label = torch.where(known.isnan(), clean.label, known)
            view = self.augmented(index, generator(self.config, 4))
            self.examined = {"clean": clean, "view": view}
        return self.examined


def generator_cpu(config: TrainConfig, *key: int) -> torch.Generator:
    seed = config.seed + 1
    for part in key:
        seed = (seed * 1_000_003 + part + 1_000_007) % (2**62)
    return torch.Generator().manual_seed(seed)
