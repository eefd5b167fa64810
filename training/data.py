"""A folder of aligned faces → two arrays: the crops, and what the teacher says of each of them.

Layout: any tree of 112×112 images. Images in a folder of their own are one person, except under the folders
named with ``--no-identity`` (UTKFace has no identities); files named in ``--leave-out`` are not read. Once::

    python training/data.py FOLDER... --teacher edgeface_xs.onnx --out runs/faces
"""

from __future__ import annotations

import argparse
from collections.abc import Collection
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from teacher import Teacher

Array = NDArray[np.float32]
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


def normalised(x: Array) -> Array:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def pack(
    folders: list[Path],
    teacher: Path | None,
    out: Path,
    no_identity: Collection[str],
    threads: int,
    leave_out: Collection[str] = (),
) -> int:
    """Write ``crops.npy``, ``names.npy``, ``identity.npy`` and, with a teacher, ``teacher.npy`` (2, n, E).

    ``no_identity``: patterns of folder names below which a folder is no person. ``leave_out``: names,
    relative to a folder of ``folders``, that are not read.
    """
    out.mkdir(parents=True, exist_ok=True)
    found = [
        (p.relative_to(f).as_posix(), p)
        for f in folders
        for p in f.rglob("*")
        if p.suffix.lower() in SUFFIXES and p.relative_to(f).as_posix() not in leave_out
    ]
    if not found:
        raise SystemExit(f"no images under {', '.join(map(str, folders))}; give folders of aligned crops")
    found.sort()
    crops = np.lib.format.open_memmap(out / "crops.npy", "w+", np.uint8, (len(found), 112, 112, 3))
    for i, (_, path) in enumerate(found):
        image = Image.open(path).convert("RGB")
        crops[i] = np.asarray(
            image if image.size == (112, 112) else image.resize((112, 112), Image.Resampling.BICUBIC)
        )
    crops.flush()
    people: dict[str, int] = {}
    identity = np.full(len(found), -1, np.int64)
    for i, (name, _) in enumerate(found):
        person = name.rsplit("/", 1)[0] if "/" in name else ""
        if person and not any(fnmatch(part, p) for part in person.split("/") for p in no_identity):
            identity[i] = people.setdefault(person, len(people))
    np.save(out / "names.npy", np.array([name for name, _ in found]))
    np.save(out / "identity.npy", identity)
    if teacher is not None:
        run = Teacher(teacher, threads)
        both: list[list[Array]] = [[], []]
        for start in range(0, len(crops), 64):
            x = torch.from_numpy(crops[start : start + 64].copy())
            both[0].append(run(x)[0].numpy())
            both[1].append(run(x.flip(2))[0].numpy())
        np.save(out / "teacher.npy", np.stack([np.concatenate(b) for b in both]))
    return len(found)


@dataclass(frozen=True)
class Faces:
    """The packed set and the quality of each face by its teacher's embeddings.

    Attributes:
        crops: (n, 112, 112, 3) uint8. identity: (n,), −1 where unknown.
        clean: (n, E) unit target embedding: mean of crop and mirror image; empty without a teacher.
        centre: (n, E) what a view's embedding is compared with for the quality label: the centre of the
            person where there is one, else the face's own clean embedding.
        factor: (n,) multiplies that cosine: 1 with a person; else the centre cosine that the face can be
            expected to have (`expected_quality`), as its own embedding flatters it.
        mean, std: of the label over the clean faces; the label is standardised with them.
    """

    crops: NDArray[np.uint8]
    identity: NDArray[np.int64]
    clean: Array
    centre: Array
    factor: Array
    mean: float
    std: float

    def __len__(self) -> int:
        return len(self.crops)


def expected_quality(plain: Array, mirror: Array, identity: NDArray[np.int64], quality: Array) -> Array:
    """Predict the cosine to a person's centre from embeddings alone, for faces without identity.

    Ridge regression on the mirror consistency and the (squared) principal components of the embedding,
    fitted on the faces that have an identity. On Pins, with people left out: correlation 0.66 (mirror
    consistency alone: 0.50). The squares see poses and the blandness of unrecognisable faces.
    """
    known = identity >= 0
    consistency = (plain * mirror).sum(1)[:, None]
    centred = plain - plain.mean(0)
    step = max(1, len(centred) // 4000)
    _, spread, axes = np.linalg.svd(centred[::step], full_matrices=False)
    axes = axes[: min(191, int((spread > 1e-4 * spread[0]).sum()))]
    parts = centred @ axes.T
    parts /= parts.std(0) + 1e-9
    x = np.concatenate([np.ones_like(consistency), consistency, consistency**2, parts, parts**2], 1).astype(
        np.float64
    )
    a = x[known]
    weight = np.linalg.solve(a.T @ a + 300 * np.eye(a.shape[1]), a.T @ quality[known])
    expected = x @ weight
    # The two groups are different collections: believe only half of the difference of their means.
    expected[~known] += (quality[known].mean() - expected[~known].mean()) / 2
    return np.clip(expected, *np.quantile(quality[known], [0.002, 0.998])).astype(np.float32)


def load(folder: Path) -> Faces:
    """Read a packed folder and derive centres and label statistics."""
    crops = np.load(folder / "crops.npy", mmap_mode="r")
    identity = np.load(folder / "identity.npy").copy()
    path = folder / "teacher.npy"
    if not path.exists():
        empty = np.zeros((len(crops), 0), np.float32)
        return Faces(crops, identity, empty, empty, np.ones(len(crops), np.float32), 0.0, 1.0)
    plain, mirror = (normalised(x) for x in np.load(path))
    clean = normalised(plain + mirror)
    centre, factor = clean.copy(), np.ones(len(crops), np.float32)
    quality = (plain * clean).sum(1)
    for person in range(identity.max() + 1):
        mine = np.flatnonzero(identity == person)
        middle = normalised(np.median(clean[mine], axis=0))  # the median forgives mislabelled images
        stray = (clean[mine] @ middle) < 0.25
        identity[mine[stray]] = -1
        mine = mine[~stray]
        centre[mine] = middle
        quality[mine] = plain[mine] @ middle
    known = identity >= 0
    if known.sum() > 1000:
        expected = expected_quality(plain, mirror, identity, quality)
        factor[~known] = expected[~known] / quality[~known]
        quality = np.where(known, quality, expected)
    return Faces(crops, identity, clean, centre, factor, float(quality.mean()), float(quality.std()))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--teacher", type=Path, help="ONNX recogniser; leave out for the cosface objective")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--no-identity", nargs="*", default=["utk", "*-noid"], help="folders without identities, as patterns"
    )
    parser.add_argument("--leave-out", type=Path, help="text file with a name a line that is not read")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    leave_out = set(args.leave_out.read_text().split()) if args.leave_out else set()
    n = pack(args.folders, args.teacher, args.out, args.no_identity, args.threads, leave_out)
    print(n, "faces")


if __name__ == "__main__":
    main()
