"""Put a trained network into the package: weights, evidence graph and calibration profile.

    python training/embed.py runs/default/model.safetensors --faces DIR --teacher recogniser.onnx

DIR holds one folder a subject, aligned 112×112 crops, none of them of a benchmark. Every second crop is
degraded at a random severity, so that the profile knows the whole range of quality; the teacher's own
similarities judge. What it writes: default.safetensors (float16), default.onnx (float16 weights, float32
arithmetic) and default.json in src/fiqa/models.
"""

from __future__ import annotations

import argparse
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from fiqa import Scorer, load_checkpoint, save_checkpoint
from fiqa.calibration import Profile
from fiqa.degradations import DEGRADATIONS, degrade
from fiqa.evaluation import Dataset, Settings, fit_profile
from fiqa.evaluation.recognizers import OnnxRecognizer
from fiqa.graph import export
from fiqa.images import load
from fiqa.network import describe

MODELS = Path(__file__).parents[1] / "src" / "fiqa" / "models"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--heads", type=int, help="for a checkpoint without metadata")
    parser.add_argument("--faces", type=Path, required=True)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--card", type=Path, help="JSON with name, source, licence, notes, defaults, score")
    parser.add_argument("--limit", type=int, default=6000, help="crops to calibrate on")
    parser.add_argument("--target", type=Path, default=MODELS)
    arguments = parser.parse_args()

    vit = load_checkpoint(arguments.checkpoint, heads=arguments.heads)
    card = describe(vit)
    if arguments.card:
        import json

        card = replace(card, **json.loads(arguments.card.read_text(encoding="utf-8")))
    vit.card = card
    save_checkpoint(vit, arguments.target / "default.safetensors", half=True)
    vit = load_checkpoint(arguments.target / "default.safetensors")  # the rounded weights, as users get them
    export(vit, arguments.target / "default.onnx", half=True)
    calibrate(arguments).save(arguments.target / "default.json")


def calibrate(arguments: argparse.Namespace) -> Profile:
    """Fit every default method, and exit-depth at every depth (for budgets), on the given faces."""
    faces = read_faces(arguments.faces, arguments.limit)
    n_people = len(set(faces.subjects.tolist()))
    model = arguments.target / "default.onnx"
    depth = Scorer(model=model, methods=["attn"], engine="onnxruntime").card.depth
    specs = ["vitnt", "attn", *(f"exit-depth:exits={k}" for k in range(1, depth + 1)), f"exit:{depth}"]
    return fit_profile(
        faces,
        OnnxRecognizer(arguments.teacher, name=f"{arguments.teacher.stem}, the network's teacher,"),
        Scorer(model=model, methods=specs, engine="onnxruntime", align="none"),
        settings=Settings(fmrs=(1e-3,), per_subject=2000, n_non_mated=200 * len(faces), n_resamples=200),
        bins=30,
        data=f"{len(faces)} training faces of {n_people} people, half of them degraded",
        # a method that says nothing on this network gets no number
        skip=lambda error: print(f"not calibrated: {error}"),
    )


def read_faces(folder: Path, limit: int) -> Dataset:
    """At most ``limit`` crops of a folder of subjects, every second one degraded, seeded."""
    rng = np.random.default_rng(0)
    paths = np.array(sorted(folder.glob("*/*.jpg")))
    paths = np.sort(rng.permutation(paths)[:limit])
    images = []
    for i, path in enumerate(paths):
        crop = load(path)
        if i % 2 == 0:
            crop = degrade(crop, rng.choice(DEGRADATIONS), float(rng.uniform()), seed=i)
        file = io.BytesIO()
        Image.fromarray(crop).save(file, "PNG", compress_level=1)
        images.append(file.getvalue())
    names = [f"{path.parent.name}/{path.name}" for path in paths]
    return Dataset(folder.name, images, names, subjects=[path.parent.name for path in paths])


if __name__ == "__main__":
    main()
