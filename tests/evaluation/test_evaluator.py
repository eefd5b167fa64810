"""The evaluation in one call: figures against the parts it is made of, the cache, lists of other tools."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from fiqa.errors import DataError, UsageError
from fiqa.evaluation import (
    Dataset,
    Draws,
    Measure,
    Settings,
    Templates,
    as_measure,
    bootstrap_pauc,
    evaluate,
    measure,
    pairing_of,
)
from fiqa.evaluation.measurement import crops_at
from fiqa.evaluation.metrics.protocols import UnreliableFMR, edc, pair_quality
from fiqa.evaluation.metrics.verification import cosine_similarity, fnmr_at_fmr
from fiqa.evaluation.recognizers import PrecomputedEmbeddings, VectorCache
from fiqa.evaluation.rivals import Sharpness
from fiqa.evaluation.score_lists import ListedScores

N_PEOPLE, N_EACH = 8, 6


@pytest.fixture(scope="module")
def images() -> list[bytes]:
    rng = np.random.default_rng(0)
    out = []
    noise = (0, 10, 20, 40, 60, 900)  # nobody is recognised on the last one
    for _ in range(N_PEOPLE):
        base = np.repeat(np.repeat(rng.integers(0, 256, (14, 14, 3)), 8, axis=0), 8, axis=1)
        for k in range(N_EACH):
            noisy = base + noise[k] * rng.standard_normal(base.shape)
            file = io.BytesIO()
            Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(file, "PNG")
            out.append(file.getvalue())
    return out


@pytest.fixture
def people(images: list[bytes]) -> Dataset:
    """Eight made-up people; the later images of each are noisier."""
    names = tuple(f"person {p}/{k}.png" for p in range(N_PEOPLE) for k in range(N_EACH))
    subjects = np.array([name.split("/")[0] for name in names])
    return Dataset("people", tuple(images), names, subjects=subjects)


class Pixels:
    """A recogniser whose embedding is the coarse picture; it counts the crops that it sees."""

    name = "pixels"
    identity = "pixels-1"

    def __init__(self) -> None:
        self.seen = 0

    def embed(self, crops: np.ndarray) -> np.ndarray:
        self.seen += len(crops)
        return crops[:, ::8, ::8].reshape(len(crops), -1).astype(np.float32) - 127


def calm() -> Measure:
    """The true quality here, minus the noise (differences within a block), and its opposite."""

    def score(crops: np.ndarray) -> list[np.ndarray]:
        x = crops.astype(np.float32)
        grain = np.abs(x[:, :, 1::8] - x[:, :, 2::8]).mean((1, 2, 3))
        return [-grain, grain]

    return Measure(
        names=("calm", "grainy"),
        identities=("calm-1", "grainy-1"),
        details=("by hand", "by hand"),
        of_crops=score,
    )


SETTINGS = Settings(fmrs=(0.05, 0.02), n_resamples=60, n_faces=3)


def test_figures_are_those_of_the_parts(people):
    found = evaluate([people], [Pixels()], [calm(), as_measure(Sharpness())], SETTINGS)
    measured = measure(people, [Pixels()], [calm(), as_measure(Sharpness())])
    chosen = pairing_of(people, SETTINGS)
    similarity = cosine_similarity(measured.embeddings["pixels"], chosen.pairs)
    assert list(found.methods) == ["calm", "grainy", "sharpness"]
    assert len(found.results) == 6
    for result in found.results:
        quality = pair_quality(measured.quality[result.method], chosen.pairs)
        curve = edc(quality, similarity, chosen.is_genuine, result.fmr)
        assert result.pauc == curve.pauc(0.3)
        assert result.normalised == curve.pauc(0.3, normalised=True)
        assert result.auc == curve.pauc()
        assert result.fnmr == {share: curve.at(share) for share in (0.0, 0.05, 0.1, 0.2, 0.3)}
        other = bootstrap_pauc(
            {"m": quality},
            chosen.compared(similarity),
            fmr=result.fmr,
            limit=0.3,
            normalised=True,
            draws=Draws(60),
        )
        assert (result.low, result.high) == other["m"].interval()
    assert found.comparisons[0].operating[0.05] == fnmr_at_fmr(similarity, chosen.is_genuine, 0.05)
    assert found.comparisons[0].mated.sum() == chosen.is_genuine.sum() == N_PEOPLE * 15
    assert found.datasets["people"]["non_mated"] == N_PEOPLE * (N_PEOPLE - 1) // 2 * N_EACH**2


def test_the_right_quality_wins(people):
    found = evaluate([people], [Pixels()], [calm()], SETTINGS)
    at = {(result.method, result.fmr): result for result in found.results}
    good, poor = at["calm", 0.02], at["grainy", 0.02]
    assert good.is_best
    assert good.as_good
    assert good.difference == (0.0, 0.0)
    assert good.normalised < 0.8 < poor.normalised
    assert not poor.as_good
    assert poor.difference[0] > 0
    assert good.spearman > 0.8
    assert poor.spearman < -0.8
    own = next(one for one in found.distributions if one.method == "calm")
    assert {name[-5:] for _, name, _ in own.best} == {"0.png"}
    assert all(score <= own.best[-1][2] for _, _, score in own.worst)
    assert own.counts.sum() == len(people)


def test_the_recomputed_protocol_has_no_intervals(people):
    found = evaluate([people], [Pixels()], [calm()], replace(SETTINGS, protocol="recomputed"))
    measured, chosen = measure(people, [Pixels()], [calm()]), pairing_of(people, SETTINGS)
    similarity = cosine_similarity(measured.embeddings["pixels"], chosen.pairs)
    for result in found.results:
        quality = pair_quality(measured.quality[result.method], chosen.pairs)
        curve = edc(quality, similarity, chosen.is_genuine, result.fmr, "recomputed")
        assert result.pauc == curve.pauc(0.3)
        assert np.isnan([result.low, result.high, *result.difference]).all()
        assert result.as_good == result.is_best


def test_a_second_run_costs_no_pass_and_gives_the_same(people, tmp_path):
    judge = Pixels()
    with VectorCache(tmp_path / "cache.sqlite") as cache:
        first = evaluate([people], [judge], [calm()], SETTINGS, cache=cache)
        assert judge.seen == len(people)
        more = evaluate([people], [judge], [calm(), as_measure(Sharpness())], SETTINGS, cache=cache)
    assert judge.seen == len(people)
    assert next(r for r in more.results if r.method != "sharpness").pauc == first.results[0].pauc


def test_a_stopped_run_goes_on_where_it_was(people, tmp_path):
    class Stopped(Exception):
        pass

    def stop(done: int, total: int) -> None:
        assert total == len(people)
        if done == 20:
            raise Stopped

    judge = Pixels()
    with VectorCache(tmp_path / "cache.sqlite") as cache:
        with pytest.raises(Stopped):
            measure(people, [judge], [calm()], cache=cache, batch_size=10, progress=stop)
        assert judge.seen == 20
        measure(people, [judge], [calm()], cache=cache)
    assert judge.seen == len(people)


def test_only_crops_that_lack_a_score_are_run(people, tmp_path):
    batches = []

    def score(crops: np.ndarray) -> list[np.ndarray]:
        batches.append(len(crops))
        return [crops.mean((1, 2, 3))]

    mean = Measure(names=("mean",), identities=("mean-1",), details=("",), of_crops=score)
    few = replace(people, images=people.images[:5], names=people.names[:5], subjects=people.subjects[:5])
    with VectorCache(tmp_path / "cache.sqlite") as cache:
        measure(few, (), [mean], cache=cache)
        full = measure(people, (), [mean], cache=cache)
    assert batches == [5, len(people) - 5]
    np.testing.assert_array_equal(full.quality["mean"], measure(people, (), [mean]).quality["mean"])


def test_crops_of_some_rows(people):
    for row, crop in zip((7, 2), crops_at(people, (7, 2)), strict=True):
        np.testing.assert_array_equal(crop, np.asarray(Image.open(io.BytesIO(people.images[row]))))


def test_a_scorer_as_a_measure(people, tmp_path):
    from fiqa import Scorer

    scorer = Scorer(methods=("attn:block=0", "exit:2"), engine="onnxruntime", threads=1)
    measures = as_measure(scorer)
    found = measure(people, (), [measures]).quality
    crops = np.stack(crops_at(people, range(len(people))))
    expected = scorer.score_crops(crops)
    for spec in ("attn:block=0", "exit:2"):
        np.testing.assert_allclose(found[spec], expected[spec], rtol=1e-4)
    assert len(set(measures.identities)) == 2
    assert as_measure(Scorer(methods=("attn:block=0",), engine="onnxruntime", threads=1)).identities == (
        measures.identities[0],
    )


# --- which comparisons --------------------------------------------------------------------------------------


def test_listed_pairs_are_taken_and_all_against_all_is_sampled(people):
    pairs = np.array([[0, 1], [6, 7], [0, 6], [1, 12]])
    listed = replace(people, pairs=pairs, is_genuine=np.array([True, True, False, False]))
    np.testing.assert_array_equal(pairing_of(listed, SETTINGS).pairs, pairs)
    some = pairing_of(listed, replace(SETTINGS, pairs="all", per_subject=4, n_non_mated=100))
    assert some.is_genuine.sum() == 4 * N_PEOPLE
    assert (~some.is_genuine).sum() == 100
    same = people.subjects[some.pairs[:, 0]] == people.subjects[some.pairs[:, 1]]
    np.testing.assert_array_equal(same, some.is_genuine)
    again = pairing_of(listed, replace(SETTINGS, pairs="all", per_subject=4, n_non_mated=100))
    np.testing.assert_array_equal(some.pairs, again.pairs)


def test_a_set_that_tells_no_identities_is_not_compared_all_against_all(people):
    from fiqa.evaluation.datasets._common import subjects_from_pairs

    pairs, label = np.array([[0, 1], [0, 6]]), np.array([True, False])
    subjects = subjects_from_pairs(len(people), pairs, label)
    listed = replace(people, pairs=pairs, is_genuine=label, subjects=subjects)
    with pytest.raises(UsageError, match="not who is on each image"):
        pairing_of(listed, replace(SETTINGS, pairs="all"))


def test_templates_are_pooled(people):
    rows = np.arange(len(people)) // 2  # two images a template
    templates = Templates(
        ids=np.arange(len(people) // 2),
        rows=rows.astype(np.int32),
        images=np.arange(len(people), dtype=np.int32),
        media=np.arange(len(people)),
    )
    subjects = people.subjects[::2]
    pairs = np.array([[0, 1], [3, 4], [0, 3], [1, 6], [4, 9]])
    label = subjects[pairs[:, 0]] == subjects[pairs[:, 1]]
    grouped = replace(people, subjects=subjects, pairs=pairs, is_genuine=label, templates=templates)
    with pytest.warns(UnreliableFMR):
        expected = edc(
            pair_quality(measure(people, (), [calm()]).quality["calm"].reshape(-1, 2).min(axis=1), pairs),
            cosine_similarity(
                measure(people, [Pixels()]).embeddings["pixels"].reshape(-1, 2, 588).sum(1), pairs
            ),
            label,
            0.5,
        )
    found = evaluate([grouped], [Pixels()], [calm()], Settings(fmrs=(0.5,), n_resamples=20))
    assert found.results[0].pauc == pytest.approx(expected.pauc(0.3))
    assert found.datasets["people"]["items"] == len(people) // 2
    assert "10" in found.notes[0]  # too few non-mated pairs for the FMR


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"subjects": np.full(N_PEOPLE * N_EACH, "one")}, "no non-mated pair"),
        ({"subjects": np.arange(N_PEOPLE * N_EACH).astype(str)}, "no mated pair"),
        (
            {"pairs": np.array([[0, 1], [2, 3]]), "is_genuine": np.array([True, True])},
            "no non-mated pair",
        ),
    ],
)
def test_a_set_without_both_kinds_of_pairs_is_refused_before_the_pass(people, change, message):
    judge = Pixels()
    with pytest.raises(DataError, match=message):
        evaluate([replace(people, **change)], [judge], [calm()], SETTINGS)
    assert judge.seen == 0


def test_one_subject_with_mated_pairs_gives_no_interval_but_a_sentence(people):
    subjects = np.where(np.arange(len(people)) < N_EACH, "one", np.arange(len(people)).astype(str))
    with pytest.raises(DataError, match="one subject"):
        evaluate([replace(people, subjects=subjects)], [Pixels()], [calm()], SETTINGS)


def test_a_constant_quality_is_no_better_than_chance(people):
    def none(crops: np.ndarray) -> np.ndarray:
        return np.zeros(len(crops))

    found = evaluate(people, Pixels(), none, SETTINGS)
    assert list(found.methods) == ["none"]
    for result in found.results:
        assert result.normalised == pytest.approx(1.0)
        assert np.isnan(result.spearman)


def test_nothing_to_discard_gets_no_normalised_area(people):
    names = people.names
    embeddings = np.eye(N_PEOPLE, dtype=np.float32)[np.arange(len(names)) // N_EACH]
    judge = precomputed(embeddings, names)
    found = evaluate([people], [judge], [calm()], SETTINGS)
    assert all(np.isnan(r.normalised) and not r.is_best and r.pauc == 0 for r in found.results)


def precomputed(embeddings: np.ndarray, names: tuple[str, ...]) -> PrecomputedEmbeddings:
    return PrecomputedEmbeddings.from_arrays(names, embeddings, "perfect")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fmrs": ()}, "fmr"),
        ({"fmrs": (0.0,)}, "fmr"),
        ({"limit": 0.0}, "limit"),
        ({"protocol": "other"}, "protocol"),
        ({"pairs": "some"}, "pairs"),
    ],
)
def test_settings_are_checked(settings, message):
    with pytest.raises(UsageError, match=message):
        Settings(**settings)


def test_names_must_tell_results_apart(people):
    with pytest.raises(UsageError, match="two methods are called 'calm'"):
        evaluate([people], [Pixels()], [calm(), calm()], SETTINGS)
    with pytest.raises(UsageError, match="two data sets"):
        evaluate([people, people], [Pixels()], [calm()], SETTINGS)
    with pytest.raises(UsageError, match="no recognisers"):
        evaluate([people], [], [calm()], SETTINGS)


def test_a_method_on_the_judges_network_is_noted(people):
    from fiqa.evaluation.rivals import EmbeddingNorm

    found = evaluate([people], [Pixels()], [as_measure(EmbeddingNorm(Pixels()))], SETTINGS)
    assert any("also judges it" in note for note in found.notes)


# --- scores of other tools ----------------------------------------------------------------------------------


def test_the_first_image_without_a_score_is_named(people):
    with pytest.raises(DataError, match=r"no score for image 'person 0/0.png' \(47 of 48"):
        measure(people, (), [ListedScores("theirs", "theirs.csv", {"person 0/1.png": 1.0})])
    with pytest.raises(DataError, match="3 different scores"):
        ListedScores("theirs", "theirs.csv", {"x/a.png": 1.0, "y/a.png": 2.0, "z/x/a.png": 3.0}).lookup(
            ["a.png"]
        )


def test_a_refused_image_leaves_first(people):
    quality = measure(people, (), [calm()]).quality["calm"]
    scores = dict(zip(people.names, quality.tolist(), strict=True))
    scores[people.names[0]] = -np.inf
    found = evaluate([people], [Pixels()], [ListedScores("theirs", "theirs.csv", scores)], SETTINGS)
    own = found.distributions[0]
    assert own.n_refused == 1
    assert own.worst[0][:2] == (0, people.names[0])
    assert np.isfinite(found.results[0].pauc)


def test_nan_from_a_method_names_the_image(people):
    broken = Measure(names=("bad",), details=("",), of_crops=lambda crops: [np.full(len(crops), np.nan)])
    with pytest.raises(DataError, match=r"'bad' gave NaN for image 'person 0/0\.png'"):
        measure(people, (), [broken])


def test_groups_and_labels_of_the_set_are_reported(people):
    quality = measure(people, (), [calm()]).quality["calm"]
    marked = replace(people, groups=np.tile(["a", "b"], len(people) // 2), labels=quality.astype(np.float32))
    found = evaluate([marked], [Pixels()], [calm()], SETTINGS)
    assert found.distributions[0].label_spearman == pytest.approx(1.0)
    assert list(found.distributions[0].groups) == ["a", "b"]
    assert found.distributions[0].groups["a"].mean == pytest.approx(quality[::2].mean())
