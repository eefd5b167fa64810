"""Score folders into one table; a run that was stopped goes on where it was when called again.

python examples/resumable_run.py scores.csv FOLDER [FOLDER …]
"""

import sys

import fiqa


def show(quality: fiqa.Quality, n_begun: int, n_images: int) -> None:
    print(f"{n_begun} of {n_images}: {quality.path} is {quality.status}", file=sys.stderr)


def main(table: str, *folders: str) -> None:  # .csv, .jsonl or .parquet
    run = fiqa.score_to(table, fiqa.Scorer(), folders, resume=True, progress=show, remark=print)
    print(f"{run.n_images} images, {run.n_before} of them from before, {run.n_not_ok} without a score")


if __name__ == "__main__":
    main(*sys.argv[1:])
