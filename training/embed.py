"""Put a trained network into the package: weights, evidence graph and calibration profile.

    python training/embed.py runs/default/model.safetensors --faces DIR --teacher recogniser.onnx

DIR holds one folder a subject, aligned 112×112 crops, none of them of a benchmark. Every second crop is
degraded at a random severity, so that the profile knows the whole range of quality; the teacher's own
similarities judge. What it writes: default.safetensors (float16), default.onnx (float16 weights, float32
arithmetic) and default.json in src/fiqa/models.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from fiqa import Scorer, load_checkpoint, save_checkpoint
from fiqa.calibration import Profile
from fiqa.degradations import DEGRADATIONS, degrade
from fiqa.errors import DataError
from fiqa.evaluation.calibrator import fit_acceptance
from fiqa.evaluation.metrics.verification import cosine_similarity, mated_pairs, non_mated_pairs
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
    crops, subjects = read_faces(arguments.faces, arguments.limit)
    model = arguments.target / "default.onnx"
    depth = Scorer(model=model, methods=["attn"], engine="onnxruntime").card.depth
    specs = ["vitnt", "attn", *(f"exit-depth:exits={k}" for k in range(1, depth + 1)), f"exit:{depth}"]
    scorer = Scorer(model=model, methods=specs, engine="onnxruntime")
    raw = {spec: [] for spec in specs}
    for start in range(0, len(crops), 64):
        for spec, values in scorer.score_crops(crops[start : start + 64]).items():
            raw[spec].append(values)
    embeddings = OnnxRecognizer(arguments.teacher).embed(crops)
    pairs = np.concatenate(
        [mated_pairs(subjects, per_subject=2000), non_mated_pairs(subjects, 200 * len(crops))]
    )
    similarity = cosine_similarity(embeddings, pairs)
    is_genuine = np.asarray(subjects)[pairs[:, 0]] == np.asarray(subjects)[pairs[:, 1]]
    data = f"{len(crops)} training faces of {len(set(subjects))} people, half of them degraded"
    calibrations = {}
    for spec in specs:
        name = scorer.used[spec]
        try:
            calibrations[name] = fit_acceptance(
                name, np.concatenate(raw[spec]), pairs, similarity, is_genuine, subjects,
                bins=30, n_resamples=200, data=data,
            )  # fmt: skip
        except DataError as error:  # a method that says nothing on this network gets no number
            print(f"not calibrated: {error}")
    source = f"judged by {arguments.teacher.stem}, the network's teacher, on {data}"
    return Profile(scorer.card.name, calibrations, source)


def read_faces(folder: Path, limit: int) -> tuple[np.ndarray, list[str]]:
    """At most ``limit`` crops (n, 112, 112, 3) of a folder of subjects, every second one degraded, seeded."""
    rng = np.random.default_rng(0)
    paths = np.array(sorted(folder.glob("*/*.jpg")))
    paths = np.sort(rng.permutation(paths)[:limit])
    crops = np.stack([load(path) for path in paths])
    for i in range(0, len(crops), 2):
        crops[i] = degrade(crops[i], rng.choice(DEGRADATIONS), float(rng.uniform()), seed=i)
    return crops, [path.parent.name for path in paths]


if __name__ == "__main__":
    main()
