"""Which quality to trust: two methods beside scores of another tool, a sub-folder per person.

python examples/evaluate_methods.py PEOPLE recognizer.onnx scores.csv REPORT
"""

import sys

import fiqa
from fiqa.evaluation import Settings, as_measure, evaluate, read_dataset, write_report


def main(people: str, recognizer: str, scores: str, report: str) -> None:
    dataset = read_dataset("folder", people)
    scorer = fiqa.Scorer(methods=["vitnt", "attn"])  # both in one pass
    theirs = as_measure(scores, "theirs")  # a CSV of path and score, higher = better
    found = evaluate(dataset, recognizer, [scorer, theirs], Settings(fmrs=(1e-2,), n_resamples=200))
    for result in sorted(found.results, key=lambda result: result.normalised):
        verdict = "best" if result.is_best else "as good" if result.as_good else "worse"
        print(f"{result.method}: {result.normalised:.3f} [{result.low:.3f}, {result.high:.3f}], {verdict}")
    print(write_report(found, report, [dataset]))


if __name__ == "__main__":
    main(*sys.argv[1:])
