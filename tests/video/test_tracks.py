"""Faces are followed by where they are expected, and told apart by their embeddings."""

from __future__ import annotations

import numpy as np
import pytest

from fiqa.errors import UsageError
from fiqa.video.tracks import Follow, Follower, overlap
from video.making import person, sighting


def follow(samples, *, jumps=(), settings=None):
    """The track number of each sighting of each sample, at five samples a second."""
    follower, numbers = Follower(settings or Follow()), []
    for i, sample in enumerate(samples):
        follower.ended(i / 5)
        numbers.append([track.number for track in follower.update(sample, jump=i in jumps)])
    return numbers


def test_a_face_that_moves_evenly_is_one_track_even_where_it_leaves_its_own_place():
    way = [sighting(i / 5, (60 + 25 * i, 200)) for i in range(4)]
    way += [sighting(i / 5, (60 + 25 * 3 + 90 * (i - 3), 200)) for i in range(4, 6)]  # faster and faster
    assert follow([[one] for one in way[:4]]) == [[1]] * 4
    slow = [[sighting(i / 5, (60 + 25 * i, 200))] for i in range(12)]
    assert follow(slow) == [[1]] * 12


def test_two_who_cross_keep_their_numbers_by_their_embeddings():
    samples = []
    for i in range(21):
        one = sighting(i / 5, (120 + 20 * i, 200), embedding=person(0, 0.9))
        other = sighting(i / 5, (520 - 20 * i, 205), embedding=person(1, 0.9))
        hidden = 9 <= i <= 11  # the second stands before the first
        samples.append([other] if hidden else [one, other] if i % 2 else [other, one])
    numbers = follow(samples)
    whose = [[(0 if one.quality.embedding[0] > 0.5 else 1) for one in sample] for sample in samples]
    pairs = {(n, who) for ns, ws in zip(numbers, whose, strict=True) for n, who in zip(ns, ws, strict=True)}
    assert pairs == {(1, 1), (2, 0)}


def test_an_embedding_that_objects_begins_a_track_at_the_same_place():
    samples = [[sighting(i / 5, embedding=person(int(i > 4)))] for i in range(10)]
    assert follow(samples) == [[1]] * 5 + [[2]] * 5


def test_the_embedding_of_a_bad_picture_may_not_object():
    samples = [[sighting(i / 5, embedding=person(0))] for i in range(4)]
    samples += [[sighting(0.8, score=5, embedding=person(1))], [sighting(1.0, embedding=person(0))]]
    assert follow(samples) == [[1]] * 6


def test_after_a_cut_a_place_says_nothing():
    samples = [[sighting(i / 5)] for i in range(6)]
    assert follow(samples) == [[1]] * 6
    assert follow(samples, jumps={3}) == [[1]] * 3 + [[2]] * 3
    known = [[sighting(i / 5, (100 + 400 * (i > 2), 200), embedding=person(0))] for i in range(6)]
    assert follow(known, jumps={3}) == [[1]] * 6


def test_a_track_ends_after_a_second_unseen():
    at = [0.0, 0.2, 1.2, 2.4]
    follower, numbers, ended = Follower(Follow()), [], []
    for time in at:
        ended += [track.number for track in follower.ended(time)]
        numbers += [track.number for track in follower.update([sighting(time)], jump=False)]
    assert numbers == [1, 1, 1, 2]
    assert ended == [1]


def test_overlap_is_intersection_over_union():
    one = np.array([10.0, 10.0, 4.0, 4.0])
    assert overlap(one, one) == 1
    assert overlap(one, np.add(one, [2, 0, 0, 0])) == pytest.approx(1 / 3)
    assert overlap(one, np.add(one, [9, 0, 0, 0])) == 0
    assert overlap(one * 0, one * 0) == 0


@pytest.mark.parametrize("wrong", [{"overlap": 2}, {"same": -3}, {"trusted": 101}, {"unseen": float("nan")}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(UsageError, match=f"{next(iter(wrong))} must be from"):
        Follow(**wrong)
