"""From samples to persons: tracks are joined, people who go are given at once, and memory stays bounded."""

from __future__ import annotations

import numpy as np
import pytest

from fiqa import Scorer
from fiqa.errors import UsageError
from fiqa.types import Face
from fiqa.video import Choice, Follow, best_shots
from fiqa.video.persons import gather
from fiqa.video.results import Sample
from fiqa.video.shots import hurry
from fiqa.video.tracks import Follower
from video.making import person, sighting


def samples(*persons, n=30):
    """Five samples a second; each person is (embedding, centre, {sample: score})."""
    for i in range(n):
        seen = [
            sighting(i / 5, centre, score=scores[i], embedding=embedding)
            for embedding, centre, scores in persons
            if i in scores
        ]
        yield Sample(time=i / 5, jump=False, sightings=seen)


def best(source, *, choice=None, follow=None, seen=None):
    choice = choice or Choice()
    return list(gather(source, Follower(follow or Follow()), choice, 20, seen))


def test_who_comes_back_is_one_person_and_who_is_there_meanwhile_is_another():
    first = dict.fromkeys((*range(6), *range(20, 26)), 60)
    one, other = best(
        samples((person(0), (100, 200), first), (person(1), (400, 200), dict.fromkeys(range(30), 70)))
    )
    assert (one.person, one.tracks, one.n_seen) == (1, (1, 3), 12)
    assert (one.first, one.last) == (0.0, 5.0)
    assert (other.person, other.n_seen) == (2, 30)
    assert [shot.rank for shot in one.shots] == [1, 2, 3]
    np.testing.assert_allclose(one.embedding, person(0), atol=1e-6)


def test_without_embeddings_the_place_alone_tells_and_not_for_long():
    first, soon, late = dict.fromkeys(range(6), 60), dict.fromkeys(range(20, 26), 60), range(40, 46)
    there, elsewhere = (100, 200), (500, 400)
    assert [one.tracks for one in best(samples((None, there, first | soon)))] == [(1, 2)]
    moved = samples((None, there, first), (None, elsewhere, soon))
    assert [one.tracks for one in best(moved)] == [(1,), (2,)]
    after = samples((None, there, first | dict.fromkeys(late, 60)), n=50)
    assert [one.tracks for one in best(after)] == [(1,), (2,)]


def test_two_who_are_seen_at_once_are_never_one():
    twins = samples(
        (person(0), (100, 200), dict.fromkeys(range(12), 60)),
        (person(0), (400, 200), dict.fromkeys(range(6, 20), 60)),
    )
    assert [one.tracks for one in best(twins)] == [(1,), (2,)]


def test_a_face_that_is_too_poor_to_be_known_is_whoever_was_lost_there():
    moving = [Sample(time=i / 5, jump=False, sightings=[]) for i in range(20)]
    for i in (*range(6), *range(13, 20)):  # away for more than a second
        poor = sighting(i / 5, (100 + 10 * i, 200), score=60 if i < 6 else 5, embedding=person(int(i > 6)))
        moving[i].sightings.append(poor)
    (one,) = best(iter(moving))
    assert one.tracks == (1, 2)
    for i in range(13, 20):  # elsewhere it is another
        moving[i].sightings[:] = [sighting(i / 5, (500, 400), score=5, embedding=person(0))]
    assert len(best(iter(moving))) == 2


def test_a_find_that_nothing_repeats_is_nobody():
    assert best(samples((None, (100, 200), {3: 90}))) == []
    assert len(best(samples((None, (100, 200), {0: 90}), n=1))) == 1  # of a single picture all counts


def test_who_has_gone_is_given_before_the_end():
    given = gather(
        samples((person(0), (100, 200), dict.fromkeys(range(5), 60)), n=10_000),
        Follower(Follow(stitch=2.0)), Choice(), 20, None,
    )  # fmt: skip
    assert next(given).person == 1
    assert list(given) == []


def test_the_embedding_is_weighted_by_the_scores():
    way = [(0, 90.0), (0, 90.0), (1, 30.0)]
    source = [
        Sample(time=i / 5, jump=False, sightings=[sighting(i / 5, score=s, embedding=person(0, 1 - 0.2 * p))])
        for i, (p, s) in enumerate(way)
    ]
    (one,) = best(iter(source))
    expected = 180 * person(0) + 30 * person(0, 0.8)
    np.testing.assert_allclose(one.embedding, expected / np.linalg.norm(expected), atol=1e-6)


def test_quick_gives_the_first_that_passes_and_the_best_of_each_interval_until_then():
    scores = dict(enumerate([20, 40, 30, 25, 30, 80, 90, 95]))
    given = list(hurry(samples((None, (100, 200), scores)), Follower(Follow()), 75.0, 0.6, None))
    assert [(one.shots[0].time, one.shots[0].remark) for one in given] == [(0.2, "below the gate"), (1.0, "")]
    never = list(
        hurry(samples((None, (100, 200), {0: 20, 1: 30}), n=12), Follower(Follow()), 75.0, 5.0, None)
    )
    assert [one.shots[0].time for one in never] == [0.2]


class Squares:
    """Finds one face where the picture is bright."""

    def detect(self, image):
        rows, columns = np.nonzero(image[:, :, 1] > 128)
        if not len(rows):
            return []
        left, top, side = float(columns.min()), float(rows.min()), float(np.ptp(columns) + 1)
        marks = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]]) * side + (left, top)
        return [Face((left, top, left + side, top + side), marks.astype(np.float32))]


def test_arrays_go_through_a_scorer():
    scorer = Scorer(methods=("vitnt:blocks=0,1",), engine="onnxruntime", threads=1, detector=Squares())
    pictures = []
    for i in range(8):
        picture = np.zeros((120, 200, 3), dtype=np.uint8)
        if i != 4:
            picture[30:90, 20 + 4 * i : 80 + 4 * i] = 200
        pictures.append(picture)
    seen = []
    (one,) = best_shots(pictures, scorer, seen=lambda track, sight: seen.append((track, sight.frame)))
    assert seen == [(1, i) for i in range(8) if i != 4]
    assert one.n_seen == 7
    assert one.embedding is None
    assert all(shot.quality.crop.shape == (112, 112, 3) for shot in one.shots)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"mode": "fast"}, "mode must be one of best, quick"),
        ({"mode": "quick"}, "needs a gate"),
        ({"interval": 0}, "interval must be"),
        ({"fps": -1}, "fps must be positive"),
    ],
)
def test_wrong_settings_are_said_before_anything_is_read(wrong, message):
    with pytest.raises(UsageError, match=message):
        best_shots([], **wrong)
