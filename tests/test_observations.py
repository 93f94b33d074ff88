"""Batches of observations, taken apart."""

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Tuple

import rpl
import toys
from rpl.check.episode import run_episode
from rpl.errors import InvalidValue
from rpl.observations import in_form, is_single, row_of, rows
from rpl.residual import ResidualWrapper


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


class Listed(toys.Slide):
    """Slide, with its two numbers in a list where its space has a tuple, as Gymnasium allows."""

    kind: type = list

    def __init__(self) -> None:
        super().__init__()
        self.observation_space = Tuple((Box(-9, 9, ()), Tuple((Box(0, 9, (1,)),))))
        self.action_space = Box(-1.0, 1.0, (1,))

    def _observe(self):
        return self.kind([self.x, self.kind([np.array([self.t])])])


class Tupled(Listed):
    """The same with tuples."""

    kind = tuple


def test_a_list_stands_for_a_tuple_where_a_space_has_one() -> None:
    space = Dict(plain=Box(-1, 1, (2,)), both=Tuple((Box(-1, 1, (2,)), Dict(x=Tuple((PLAIN,))))))
    given = {"plain": [0.5, 0.5], "both": [[0.1, 0.2], {"x": [[0.3, 0.4]]}], "more": [1]}
    formed = {"plain": [0.5, 0.5], "both": ([0.1, 0.2], {"x": ([0.3, 0.4],)}), "more": [1]}
    assert in_form(given, space) == formed
    assert in_form([1.0], space["both"]) == [1.0], "what does not fit is for others to refuse"


def test_lists_in_place_of_tuples_are_checked_logged_and_controlled_alike(tmp_path) -> None:
    actions, seen, logged = np.full((4, 1), 0.5, np.float32), [], []
    for env in (Listed(), Tupled()):
        seen.append(run_episode(env, 3, actions).observations)
        with rpl.EpisodeLog(tmp_path / f"{type(env).__name__}.npz", env) as log:
            log.begin(env.reset(seed=3)[0])
            log.step(actions[0], *env.step(actions[0]))
        logged.append(log.episodes[0].observations)
    assert seen[0] == seen[1]
    assert {name: part.tolist() for name, part in logged[0].items()} == {
        name: part.tolist() for name, part in logged[1].items()
    }
    env = ResidualWrapper(Listed(), rpl.per_env(lambda observation: [0.1 * observation[0]]))
    env.reset(seed=3)
    x = env.unwrapped.x
    assert env.step(np.zeros(1, np.float32))[4]["executed_action"] == pytest.approx([0.1 * x])
