"""A score that means something on your images with your recogniser: 90 = 90 % of comparisons are accepted.

python examples/calibrate_own.py PEOPLE recognizer.onnx ours.json photo.jpg [photo.jpg …]
"""

import sys

import fiqa
from fiqa.evaluation import Settings, fit_profile, read_dataset


def main(people: str, recognizer: str, profile: str, *photos: str) -> None:
    dataset = read_dataset("folder", people)  # a sub-folder per person
    scorer = fiqa.Scorer(methods=["attn"])
    fit_profile(dataset, recognizer, scorer, settings=Settings(fmrs=(1e-2,))).save(profile)
    ours = fiqa.Scorer(methods=["attn"], profile=profile)
    gate = ours.calibration.threshold("discard", 0.1)
    print(f"below {gate.score:.1f} lie the worst {gate.discarded:.0%} of the images of {people}")
    for quality in ours.stream(photos, keep=()):
        print(quality)


if __name__ == "__main__":
    main(*sys.argv[1:])
