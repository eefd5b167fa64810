"""Which photographs of a folder are good enough: at least the profile's gate for FNMR 5 %.

python examples/gate_folder.py FOLDER
"""

import sys

import fiqa
from fiqa.pipeline import expand


def main(folder: str) -> None:
    scorer = fiqa.Scorer(methods=["exit-depth"])
    gate = scorer.calibration.threshold("fnmr", 0.05)
    print(f"the gate is {gate.score:.1f}; it discards {gate.discarded:.0%} of the reference images")
    for quality in scorer.stream(expand([folder]), keep=()):  # neither maps nor crops are held
        passed = quality.ok and quality.score >= gate.score
        print("accepted" if passed else "refused", quality.path, quality.reason or round(quality.score, 1))


if __name__ == "__main__":
    main(sys.argv[1])
