"""Which sightings become shots: confirmed peaks, inside the frame, apart from one another."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiqa.errors import UsageError
from fiqa.video.choice import Candidate, Candidates, Choice, choose, is_inside
from video.making import sighting


def chosen(scores, choice=None, room=100, **place):
    """Indices of the shots among samples of these scores, five a second."""
    choice = choice or Choice()
    candidates = Candidates(choice, room)
    for i, score in enumerate(scores):
        candidates.see(sighting(i / 5, score=score, **place))
    return [(round(one.sighting.time * 5), one.remark) for one in choose(candidates.all(), choice)]


def test_the_best_come_first_and_half_a_second_apart():
    assert [i for i, _ in chosen([50, 70, 72, 90, 88, 60, 80, 78])] == [3, 6, 0]


def test_a_lone_peak_is_not_believed():
    assert chosen([60, 95, 60, 80, 79])[0] == (3, "")
    assert chosen([60, 95], Choice(confirm=0.5, top=1)) == [(1, "")]
    ((index, remark),) = chosen([95], Choice(top=1))
    assert (index, remark) == (0, "no neighbouring sample is nearly as good")


def test_a_sample_far_away_confirms_nothing():
    choice = Choice(top=1)
    candidates = Candidates(choice, 10)
    for time, score in ((0.0, 70), (0.2, 70), (3.0, 90), (6.0, 90)):
        candidates.see(sighting(time, score=score))
    (best,) = choose(candidates.all(), choice)
    assert best.sighting.time in (0.0, 0.2)


def test_a_face_at_the_edge_is_taken_only_where_there_is_no_other():
    candidates = Candidates(Choice(top=2), 10)
    for i, centre in enumerate([(30, 240), (30, 240), (320, 240), (320, 240)]):
        candidates.see(sighting(i / 5, centre, score=90 - 10 * (i > 1)))
    shots = choose(candidates.all(), Choice(top=2))
    assert [one.inside for one in shots] == [True]
    assert "edge" in chosen([90, 90], centre=(30, 240))[0][1]


@pytest.mark.parametrize("centre", [(50, 240), (590, 240), (320, 50), (320, 430), (10, 10)])
def test_inside_keeps_off_every_side(centre):
    assert not is_inside(sighting(0, centre))


def test_of_equal_scores_the_larger_face_wins():
    candidates = Candidates(Choice(top=1), 10)
    for i, side in enumerate([100, 140, 120]):
        candidates.see(sighting(i / 5, side=side, score=80 + 0.1 * (i == 0)))
    (best,) = choose(candidates.all(), Choice(top=1))
    assert best.sighting.time == 0.2


@given(st.lists(st.integers(0, 100), min_size=1, max_size=60), st.integers(1, 4), st.floats(0, 1.5))
def test_what_is_remembered_is_enough(scores, top, apart):
    """The shots are the same as if every sighting had been kept."""
    choice = Choice(top=top, apart=apart)
    room = top * (2 * int(np.ceil(apart * 5)) + 1)
    assert chosen(scores, choice, room) == chosen(scores, choice, 1000)


@pytest.mark.parametrize("wrong", [{"top": 0}, {"confirm": 1.5}, {"apart": -1}, {"neighbour": float("inf")}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(UsageError, match=f"{next(iter(wrong))} must be"):
        Choice(**wrong)


def test_nobody_gives_no_shots():
    assert choose([], Choice()) == []
    assert Candidate(sighting=sighting(0), confirmed=True, inside=True).remark == ""
