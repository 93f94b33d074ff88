"""Batches of observations, taken apart."""

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Tuple

from rpl.errors import InvalidValue
from rpl.observations import is_single, row_of, rows


def test_rows_of_nested_observations_are_those_of_each_place_alone():
    batch = {
        "robot": {"joints": np.arange(6.0).reshape(3, 2), "nothing": {}},
        "goal": (np.arange(3), (), np.arange(12).reshape(3, 2, 2)),
    }
    found = rows(batch)
    assert len(found) == 3
    for i, row in enumerate(found):
        assert repr(row) == repr(row_of(batch, i))


def test_rows_of_an_array_are_its_rows():
    batch = np.arange(6.0).reshape(3, 2)
    assert all(np.array_equal(row, batch[i]) for i, row in enumerate(rows(batch)))


PLAIN = Box(-1, 1, (2,))
NESTED = Dict(robot=Dict(x=PLAIN), extra=Box(-1, 1, ()))


@pytest.mark.parametrize(
    ("observation", "space", "single"),
    [
        ([0.0, 1.0], PLAIN, True),
        (np.zeros((3, 2)), PLAIN, False),
        ({"robot": {"x": np.zeros(2)}, "extra": 1.0}, NESTED, True),
        ({"robot": {"x": np.zeros((4, 2))}, "extra": np.zeros(4)}, NESTED, False),
        (({"x": [0.0, 0.0]}, 3.0), Tuple((Dict(x=PLAIN), Box(0, 9, ()))), True),
    ],
)
def test_one_observation_is_told_from_a_batch(observation, space, single) -> None:
    assert is_single(observation, space) == single


@pytest.mark.parametrize(
    ("observation", "space", "sentence"),
    [
        (None, PLAIN, r"is a NoneType: give one, \(2,\), or a batch"),
        ("text", PLAIN, r"is of shape \(\): give one"),
        (np.zeros((1, 1, 2)), PLAIN, r"of shape \(1, 1, 2\): give one"),
        (np.zeros((0, 2)), PLAIN, r"of shape \(0, 2\)"),
        ({"x": np.zeros(2)}, PLAIN, "is a dict: give one"),
        (np.zeros(2), NESTED, "is a ndarray, not a dict of robot, extra"),
        ({}, NESTED, "is a dict, not a dict of"),
        ((1.0,), Tuple((PLAIN, PLAIN)), "is a tuple, not 2 parts"),
    ],
    ids=str,
)
def test_what_is_neither_is_refused_in_a_sentence(observation, space, sentence) -> None:
    with pytest.raises(InvalidValue, match=sentence):
        is_single(observation, space)
