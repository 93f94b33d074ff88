"""Whole episodes: their order, their lengths, and those that are lost."""

from dataclasses import replace

import numpy as np
import pytest

from acting import Adding, Scripted
from rpl.controllers.contract import ControllerPolicy
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


def position(observation, episodes, step):
    """An action that tells which episode and step it was asked for."""
    assert np.isfinite(observation).all()
    return (episodes[:, None] + step / 100.0).astype(np.float32)


def say_position() -> Scripted:
    return Scripted(position)


@pytest.mark.parametrize("num_envs", [1, 2, 3, 7])
def test_episodes_come_in_the_order_of_their_seeds(num_envs) -> None:
    seeds = [4, 102, 0, 3, 101]
    episodes = collect(Countdown(num_envs), say_position(), seeds, HORIZON)
    assert len(episodes) == 5
    np.testing.assert_array_equal(episodes.length, [5, 3, 1, 4, 2])
    np.testing.assert_array_equal(episodes.terminated, [True, False, True, True, False])
    np.testing.assert_array_equal(episodes.success, [True, True, True, False, False])
    assert episodes.steps == 15
    for i, seed in enumerate(seeds):
        length = 1 + seed % 5
        t = np.arange(HORIZON + 1)
        expected = np.where(t[:, None] <= length, np.stack([np.full(7, seed), t], axis=1), 0)
        np.testing.assert_array_equal(episodes.observation["observation"][i], expected)
        t = t[:-1]
        np.testing.assert_allclose(episodes.action[i, :, 0], np.where(t < length, i + t / 100, 0))
        np.testing.assert_array_equal(
            episodes.reward[i], np.where(t < length, 10 * seed + t + 1, 0)
        )
    np.testing.assert_array_equal(episodes.returns, episodes.reward.sum(axis=1))
    assert episodes.returns[1] == 3 * 1020 + 1 + 2 + 3


def test_plain_observations_have_goals_of_width_zero() -> None:
    episodes = collect(Countdown(2), say_position(), [1, 2], HORIZON)
    assert episodes.observation.keys() == {"observation"}
    observation = episodes.observation["observation"]
    assert observation.shape == (2, HORIZON + 1, 2)
    assert episodes.achieved_goal.shape == episodes.base_action.shape == (2, HORIZON + 1, 0)
    assert observation.dtype == episodes.reward.dtype == episodes.action.dtype == np.float32


@pytest.mark.parametrize("num_envs", [1, 3, 4])
def test_diverged_episodes_are_dropped_and_counted_once(num_envs) -> None:
    episodes = collect(Countdown(num_envs), say_position(), [4, 13, 9, 17], HORIZON)
    assert episodes.dropped == 2
    np.testing.assert_array_equal(episodes.observation["observation"][:, 0, 0], [4, 9])
    np.testing.assert_array_equal(episodes.length, [5, 5])
    assert np.isfinite(episodes.observation["observation"]).all()


def test_divergence_after_the_end_of_an_episode_is_of_no_account() -> None:
    class LateNaN(Countdown):
        def _observe(self):
            observation = super()._observe()
            observation[self.t > 1 + self.seeds % 5] = np.nan
            return observation

    episodes = collect(LateNaN(2), say_position(), [0, 4], HORIZON)
    assert episodes.dropped == 0
    np.testing.assert_array_equal(episodes.length, [1, 5])


def test_a_whole_round_of_divergence_leaves_no_episodes() -> None:
    episodes = collect(Countdown(1), say_position(), [13], HORIZON)
    assert (len(episodes), episodes.dropped) == (0, 1)


@pytest.mark.parametrize("num_envs", [1, 2, 8])
def test_an_episode_does_not_depend_on_its_neighbours(make_task, num_envs) -> None:
    task = make_task(num_envs, replace(PUSH, physics="lean"), max_episode_steps=8)
    actions = np.random.default_rng(0).uniform(-1, 1, (5, 8, 4))
    seeds = [11, 3, 8, 2, 90]

    def replayed(observation, episodes, step):
        return actions[episodes, step]

    episodes = collect(task, Scripted(replayed, 5), seeds, horizon=8)
    one = make_task(1, replace(PUSH, physics="lean"), max_episode_steps=8)
    alone = collect(one, Scripted(replayed), seeds, 8)
    for name in ("achieved_goal", "action", "reward", "success"):
        np.testing.assert_array_equal(getattr(episodes, name), getattr(alone, name))
    assert list(episodes.observation) == list(alone.observation) == ["observation", "desired_goal"]
    for name, part in episodes.observation.items():
        np.testing.assert_array_equal(part, alone.observation[name])
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
    episodes = collect(Strange(num_envs), say_position(), [18, 19, 21, 23, 24], HORIZON)
    assert episodes.index.tolist() == [0, 4]
    assert episodes.dropped == 3
    assert np.isfinite(episodes.observation["observation"]).all()


class Recorded(Countdown):
    """Keeps what it is told to do, and pays for it."""

    def reset(self, *, seed=None, options=None):
        self.got = []
        return super().reset(seed=seed)

    def step(self, actions):
        self.got.append(np.array(actions))
        return super().step(actions)


def third(observation):
    """A controller whose answers no float32 holds exactly, some of them beyond the bounds."""
    return (observation[:, :1] - observation[:, 1:]) / 3.0


@pytest.mark.parametrize("clip", [True, False])
@pytest.mark.parametrize("num_envs", [1, 3])
def test_episodes_hold_what_was_executed_and_what_the_base_policy_would_do(clip, num_envs) -> None:
    task, seeds = Recorded(num_envs), [2, 104, 3]
    policy = Adding(lambda observation, base: 0.5 * np.cos(7.0 * observation[:, 1:]))
    base = ControllerPolicy(third, 1, clip)
    for first in range(0, 3, num_envs):
        here = seeds[first : first + num_envs]
        episodes = collect(task, policy, here, 4, base)
        got = np.float32(np.stack(task.got, axis=1))
        for i, seed in enumerate(here):
            length = min(1 + seed % 5, 4)  # one is over before the horizon, one at it, one cut off
            assert episodes.length[i] == length
            # To the last bit what the environment got, and nothing after the end.
            np.testing.assert_array_equal(episodes.action[i, :length], got[i, :length])
            assert not episodes.action[i, length:].any()
            # At each observation what the controller answers, the last one included.
            t = np.arange(length + 1)
            seen = np.stack([np.full(length + 1, seed), t], axis=1).astype(float)
            asked = third(seen)
            expected = np.clip(asked, -1, 1) if clip else asked
            base_action = episodes.base_action[i, : length + 1]
            np.testing.assert_array_equal(base_action, np.float32(expected))
            assert not episodes.base_action[i, length + 1 :].any()
    assert episodes.action.dtype == episodes.base_action.dtype == np.float32


class Counted:
    """A controller that keeps what it is asked, and when it is reset."""

    def __init__(self) -> None:
        self.asked, self.resets = [], []

    def reset(self, mask) -> None:
        self.resets.append((len(self.asked), mask.tolist()))

    def __call__(self, observation):
        self.asked.append(observation.copy())
        return np.zeros((len(observation), 1))


def test_the_base_policy_is_asked_once_for_each_observation_the_last_one_included() -> None:
    controller = Counted()
    policy = Adding(lambda observation, base: np.zeros((2, 1)))
    collect(Countdown(2), policy, [2, 3, 1], HORIZON, ControllerPolicy(controller, 1))
    times = [asked[0, 1] for asked in controller.asked]
    # Two rounds, of at most four steps and of two.
    assert times == [0, 1, 2, 3, 4, 0, 1, 2]
    assert len(policy.base) == len(times) - 2  # nothing is done after the last observations
    assert controller.resets == [(0, [True, True]), (5, [True, True])]


def test_what_is_told_of_is_the_share_of_episodes_that_is_done() -> None:
    told: list[float] = []
    task = Countdown(2)
    # Rounds of two, two, and one beside a repetition, each of five steps of at most ten.
    collect(task, say_position(), [4, 9, 14, 19, 24], 10, tell=told.append)
    assert len(told) == 15
    np.testing.assert_allclose(told[:5], np.arange(5) * 2 / 50)
    np.testing.assert_allclose(told[5:10], 0.4 + np.arange(5) * 2 / 50)
    np.testing.assert_allclose(told[10:], 0.8 + np.arange(5) / 50)


def test_of_an_observation_that_diverged_policy_and_base_policy_see_zeros() -> None:
    controller = Counted()
    collect(Countdown(2), say_position(), [13, 4], HORIZON, ControllerPolicy(controller, 1))
    assert np.isfinite(controller.asked).all()
    assert not np.array(controller.asked)[2:, 0].any()
    assert np.array(controller.asked)[:, 1, 0].tolist() == [4] * 6
