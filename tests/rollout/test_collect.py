"""Whole episodes: their order, their lengths, and those that are lost."""

from dataclasses import replace

import numpy as np
import pytest

from rpl.rollout.collect import collect
from rpl.tasks import PUSH
from toys import Batched

HORIZON = 6


class Countdown(Batched):
    """Episode s observes (s, t), pays 10 s + t, and ends itself after 1 + s % 5 steps.

    Seeds from 100 on are truncated instead of terminated; seed 13 turns into NaN at t = 2,
    and seed 17 pays NaN. It runs on beyond its end, as tasks without autoreset do.
    """

    def __init__(self, num_envs: int) -> None:
        super().__init__(num_envs, 2, 1)

    def reset(self, *, seed=None, options=None):
        self.seeds, self.t = np.asarray(seed), 0
        return self._observe(), {}

    def _observe(self):
        observation = np.stack([self.seeds, np.full(self.num_envs, self.t)], axis=1).astype(float)
        observation[(self.seeds == 13) & (self.t >= 2)] = np.nan
        return observation

    def step(self, actions):
        assert np.isfinite(actions).all()
        self.t += 1
        ended = self.t >= 1 + self.seeds % 5
        reward = np.where(self.seeds == 17, np.nan, 10.0 * self.seeds + self.t)
        success = {"is_success": (self.t == 1 + self.seeds % 5) & (self.seeds % 2 == 0)}
        by_itself = self.seeds < 100
        return self._observe(), reward, ended & by_itself, ended & ~by_itself, success


def say_position(observation, episodes, step):
    """An action that tells which episode and step it was asked for."""
    assert np.isfinite(observation).all()
    return (episodes[:, None] + step / 100.0).astype(np.float32)


@pytest.mark.parametrize("num_envs", [1, 2, 3, 7])
def test_episodes_come_in_the_order_of_their_seeds(num_envs) -> None:
    seeds = [4, 102, 0, 3, 101]
    episodes = collect(Countdown(num_envs), say_position, seeds, HORIZON)
    assert len(episodes) == 5
    np.testing.assert_array_equal(episodes.length, [5, 3, 1, 4, 2])
    np.testing.assert_array_equal(episodes.terminated, [True, False, True, True, False])
    np.testing.assert_array_equal(episodes.success, [True, True, True, False, False])
    assert episodes.steps == 15
    for i, seed in enumerate(seeds):
        length = 1 + seed % 5
        t = np.arange(HORIZON + 1)
        expected = np.where(t[:, None] <= length, np.stack([np.full(7, seed), t], axis=1), 0)
        np.testing.assert_array_equal(episodes.observation[i], expected)
        t = t[:-1]
        np.testing.assert_allclose(episodes.action[i, :, 0], np.where(t < length, i + t / 100, 0))
        np.testing.assert_array_equal(
            episodes.reward[i], np.where(t < length, 10 * seed + t + 1, 0)
        )
    np.testing.assert_array_equal(episodes.returns, episodes.reward.sum(axis=1))
    assert episodes.returns[1] == 3 * 1020 + 1 + 2 + 3


def test_plain_observations_have_goals_of_width_zero() -> None:
    episodes = collect(Countdown(2), say_position, [1, 2], HORIZON)
    assert episodes.observation.shape == (2, HORIZON + 1, 2)
    assert episodes.achieved_goal.shape == episodes.desired_goal.shape == (2, HORIZON + 1, 0)
    assert episodes.observation.dtype == episodes.reward.dtype == np.float32


@pytest.mark.parametrize("num_envs", [1, 3, 4])
def test_diverged_episodes_are_dropped_and_counted_once(num_envs) -> None:
    episodes = collect(Countdown(num_envs), say_position, [4, 13, 9, 17], HORIZON)
    assert episodes.dropped == 2
    np.testing.assert_array_equal(episodes.observation[:, 0, 0], [4, 9])
    np.testing.assert_array_equal(episodes.length, [5, 5])
    assert np.isfinite(episodes.observation).all()


def test_divergence_after_the_end_of_an_episode_is_of_no_account() -> None:
    class LateNaN(Countdown):
        def _observe(self):
            observation = super()._observe()
            observation[self.t > 1 + self.seeds % 5] = np.nan
            return observation

    episodes = collect(LateNaN(2), say_position, [0, 4], HORIZON)
    assert episodes.dropped == 0
    np.testing.assert_array_equal(episodes.length, [1, 5])


def test_a_whole_round_of_divergence_leaves_no_episodes() -> None:
    episodes = collect(Countdown(1), say_position, [13], HORIZON)
    assert (len(episodes), episodes.dropped) == (0, 1)


@pytest.mark.parametrize("num_envs", [1, 2, 8])
def test_an_episode_does_not_depend_on_its_neighbours(make_task, num_envs) -> None:
    task = make_task(num_envs, replace(PUSH, physics="lean"), max_episode_steps=8)
    actions = np.random.default_rng(0).uniform(-1, 1, (5, 8, 4))
    seeds = [11, 3, 8, 2, 90]

    def replayed(observation, episodes, step):
        return actions[episodes, step]

    episodes = collect(task, replayed, seeds, horizon=8)
    alone = collect(
        make_task(1, replace(PUSH, physics="lean"), max_episode_steps=8), replayed, seeds, 8
    )
    for name in ("observation", "achieved_goal", "desired_goal", "action", "reward", "success"):
        np.testing.assert_array_equal(getattr(episodes, name), getattr(alone, name))
    np.testing.assert_array_equal(episodes.length, 8)
    assert not episodes.terminated.any()


class Strange(Countdown):
    """Episode 19 begins with NaN, 21 observes and 23 pays more than a float32 can hold."""

    def _observe(self):
        observation = super()._observe()
        observation[(self.seeds == 19) & (self.t == 0)] = np.nan
        observation[(self.seeds == 21) & (self.t == 1)] = 1e39
        return observation

    def step(self, actions):
        observation, reward, *rest = super().step(actions)
        return observation, np.where(self.seeds == 23, -1e39, reward), *rest


@pytest.mark.parametrize("num_envs", [1, 5])
def test_what_no_float_can_hold_is_not_finite_from_the_first_observation_on(num_envs) -> None:
    episodes = collect(Strange(num_envs), say_position, [18, 19, 21, 23, 24], HORIZON)
    assert episodes.index.tolist() == [0, 4]
    assert episodes.dropped == 3
    assert np.isfinite(episodes.observation).all()
