"""The log of a run as a picture: ``python training/plot.py runs/default/log.csv -o run.png``."""

from __future__ import annotations

import argparse
import csv
from pathlib import Path


def plot(log: Path, output: Path) -> None:
    """Every column of the log (named as in `losses.total_loss`) against the number of samples."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    with log.open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name not in ("step", "samples", "seconds", "producing")]
    columns = 4
    figure, axes = plt.subplots(
        -(-len(names) // columns), columns, figsize=(13, 6), squeeze=False, layout="constrained"
    )
    for axis in axes.flat[len(names) :]:
        axis.remove()
    for name, axis in zip(names, axes.flat, strict=False):
        points = [(float(row["samples"]), float(row[name])) for row in rows if row[name]]
        axis.plot(*zip(*points, strict=True), linewidth=1)
        axis.set(title=name, xlabel="samples")
        axis.grid(alpha=0.3)
    figure.savefig(output, dpi=110)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    args = parser.parse_args()
    plot(args.log, args.output)


if __name__ == "__main__":
    main()
