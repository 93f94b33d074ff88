"""The newest frame first, per episode, and invisible to controllers."""

import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import VectorEnv
from numpy.testing import assert_array_equal

from rpl.tasks.wrappers import History

SIZE = 2


class Counting(VectorEnv):
    """Observes [10 * simulation + steps since its reset, steps of all]; goals are constant."""

    def __init__(self) -> None:
        self.num_envs = 2
        box = spaces.Box(-np.inf, np.inf, (SIZE,), np.float64)
        self.single_observation_space = spaces.Dict({"observation": box, "achieved_goal": box})
        self._steps = np.zeros(2)
        self.layout = "the task's layout"

    def _observe(self):
        rows = np.stack([self._steps + np.array((0, 10)), np.full(2, 7.0)], axis=1)
        return {"observation": rows, "achieved_goal": np.ones((2, SIZE))}

    def reset(self, *, seed=None, options=None):
        self._steps[np.asarray((options or {}).get("reset_mask", np.ones(2)), bool)] = 0.0
        return self._observe(), {}

    def step(self, actions):
        self._steps += 1.0
        return self._observe(), np.zeros(2), np.zeros(2, bool), np.zeros(2, bool), {}


def counts(observation) -> np.ndarray:
    """What each frame counted, (simulations, frames)."""
    return observation["observation"][:, ::SIZE]


def test_frames_are_newest_first_and_begin_with_the_first() -> None:
    task = History(Counting(), 3)
    seen, _ = task.reset()
    assert_array_equal(counts(seen), [[0, 0, 0], [10, 10, 10]])
    seen, *_ = task.step(np.zeros((2, 1)))
    assert_array_equal(counts(seen), [[1, 0, 0], [11, 10, 10]])
    task.step(np.zeros((2, 1)))
    seen, *_ = task.step(np.zeros((2, 1)))
    assert_array_equal(counts(seen), [[3, 2, 1], [13, 12, 11]])


def test_a_new_episode_forgets_and_its_neighbour_does_not() -> None:
    task = History(Counting(), 2)
    task.reset()
    task.step(np.zeros((2, 1)))
    seen, _ = task.reset(options={"reset_mask": np.array([True, False])})
    assert_array_equal(counts(seen), [[0, 0], [11, 10]])
    seen, *_ = task.step(np.zeros((2, 1)))
    assert_array_equal(counts(seen), [[1, 0], [12, 11]])


def test_a_mask_of_integers_is_no_list_of_simulations() -> None:
    task = History(Counting(), 2)
    task.reset()
    task.step(np.zeros((2, 1)))
    seen, _ = task.reset(options={"reset_mask": np.array([0, 1])})
    assert_array_equal(counts(seen)[0], [1, 0])
    assert counts(seen)[1, 1] == counts(seen)[1, 0]


def test_an_observation_handed_out_does_not_change_later() -> None:
    task = History(Counting(), 2)
    first, _ = task.reset()
    task.step(np.zeros((2, 1)))
    assert_array_equal(counts(first), [[0, 0], [10, 10]])


def test_only_the_observation_grows() -> None:
    task = History(Counting(), 3)
    seen, _ = task.reset()
    assert task.observation_space["observation"].shape == (2, 3 * SIZE)
    assert task.single_observation_space["observation"].shape == (3 * SIZE,)
    assert seen["observation"].shape == (2, 3 * SIZE)
    assert seen["achieved_goal"].shape == (2, SIZE)
    assert task.layout == "the task's layout"


def test_no_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="frames must be at least 1"):
        History(Counting(), 0)
