"""What the critic judges: which controllers can be asked again, and what they are asked."""

from dataclasses import replace

import gymnasium
import jax
import numpy as np
import pytest
from gymnasium.spaces import Box

import small
import toys
from rpl import learner
from rpl.config import BurnInConfig, ExplorationConfig, LearnerConfig, ResidualConfig
from rpl.registry.builtin import make_problem
from rpl.registry.custom import own_problem
from rpl.registry.names import OwnOptions
from rpl.replay.buffer import Replay
from rpl.rollout.collect import collect
from rpl.training.loop import run_cycle
from rpl.training.progress import Progress

SUM = ResidualConfig(scale=0.5, clip_controller=True, critic_input="sum")
SUMS = replace(small.CONFIG, residual=SUM)
LEAN = small.lean("slippery-push")


def test_the_batch_holds_what_was_executed_and_what_was_proposed() -> None:
    problem = make_problem("slippery-push", "rpl", SUMS, LEAN)
    executed, proposed = [], []

    def policy(observation, episodes, step):
        action = np.random.default_rng(step).uniform(-1, 1, (len(episodes), 4))
        proposed.append(np.clip(problem.controller(observation), -1.0, 1.0))
        executed.append(np.clip(proposed[-1] + 0.5 * action, -1.0, 1.0))
        return action

    episodes = collect(problem.task, policy, [3, 4], problem.horizon)
    replay = Replay(2, problem.horizon, *problem.sizes)
    replay.store(episodes)
    generator, rules = np.random.default_rng(0), problem.rules
    batch = replay.sample((100,), generator, 0.0, rules, beneath=problem.beneath)
    assert batch.proposed is not None
    steps = np.stack(executed, axis=1).reshape(-1, 4)
    asked = np.stack(proposed, axis=1).reshape(-1, 4)
    for action, here in zip(batch.action, batch.proposed, strict=True):
        # Stored observations have single precision.
        which = np.abs(steps - action).sum(axis=1).argmin()
        np.testing.assert_allclose(action, steps[which], atol=1e-4)
        np.testing.assert_allclose(here, asked[which], atol=1e-4)


def test_where_the_controller_is_observed_it_need_not_be_asked_again() -> None:
    observing = replace(SUMS, residual=replace(SUM, observe_controller=True))
    problem = make_problem("push", "rpl", observing, LEAN, "discrete-mpc-push")
    executed, proposed = [], []

    def policy(observation, episodes, step):
        action = np.random.default_rng(step).uniform(-1, 1, (len(episodes), 4))
        proposed.append(observation["observation"][:, -4:])
        executed.append(np.clip(proposed[-1] + 0.5 * action, -1.0, 1.0))
        return action

    episodes = collect(problem.task, policy, [3, 4], problem.horizon)
    replay = Replay(2, problem.horizon, *problem.sizes)
    replay.store(episodes)
    batch = replay.sample(
        (100,), np.random.default_rng(0), 0.8, problem.rules, beneath=problem.beneath
    )
    np.testing.assert_array_equal(batch.proposed, batch.observation[:, -4:])
    np.testing.assert_array_equal(batch.next_proposed, batch.next_observation[:, -4:])
    steps, asked = np.concatenate(executed), np.concatenate(proposed)
    assert np.abs(asked).max() == 1.0
    for action, here in zip(batch.action, batch.proposed, strict=True):
        which = np.abs(steps - action).sum(axis=1) + np.abs(asked - here).sum(axis=1)
        assert which.min() < 1e-5


def test_the_residual_is_judged_unless_asked_and_where_there_is_none() -> None:
    assert make_problem("slippery-push", "rpl", small.CONFIG, LEAN).beneath is None
    assert make_problem("slippery-push", "scratch", SUMS, LEAN).beneath is None


def test_a_planner_cannot_be_asked_about_the_past() -> None:
    with pytest.raises(ValueError, match="plans from the simulator's state"):
        make_problem("push", "rpl", SUMS, LEAN, "discrete-mpc-push")


def test_nor_can_one_about_parts_that_are_not_kept() -> None:
    with pytest.raises(ValueError, match="of which wind is not kept"):
        own_problem(Windy, toys.to_goal, SUMS, OwnOptions())


def test_nor_can_a_controller_with_a_memory() -> None:
    with pytest.raises(ValueError, match="has a memory"):
        own_problem("Pendulum-v1", Remembering, SUMS, OwnOptions())


def test_the_critic_learns_from_sums_on_a_user_environment() -> None:
    """The critic of a problem of one step: only what is executed counts, at twice the residual."""
    config = replace(
        SUMS,
        residual=replace(SUM, scale=2.0, clip_controller=True),
        exploration=ExplorationConfig(noise=0.0, random=1.0),
        burn_in=BurnInConfig(rule="steps"),
        episodes_per_cycle=64,
        learner=LearnerConfig(
            hidden=(32, 32),
            actor_learning_rate=5e-3,
            action_l2=0.0,
            batch_size=64,
            updates_per_cycle=300,
            discount=0.5,
        ),
    )
    problem = own_problem(OneStep, half_back, config, OwnOptions())
    state = learner.create(jax.random.key(0), *problem.sizes, config.learner)
    replay = Replay(64, problem.horizon, *problem.sizes)
    for _ in range(2):
        state, _, _ = run_cycle(config, problem, state, replay, Progress())
    executed = np.linspace(-1.0, 1.0, 9)[:, None].astype(np.float32)
    values = state.critic(np.zeros((9, 1), np.float32), executed)
    np.testing.assert_allclose(values, executed[:, 0], atol=0.15)
    # From -0.5 to the bound of 1 the residual has to go up to 0.75; beyond nothing is gained.
    residual = learner.act(state, np.zeros((1, 1), np.float32), np.zeros((1, 0), np.float32))
    assert -0.5 + 2.0 * float(residual[0, 0]) == pytest.approx(1.0, abs=0.2)


class Windy(toys.Reach):
    """Reach with a part of the observation that is neither state nor goal."""

    def __init__(self) -> None:
        super().__init__()
        wind = gymnasium.spaces.Box(-1.0, 1.0, (1,))
        self.observation_space = gymnasium.spaces.Dict({**self.observation_space, "wind": wind})

    def reset(self, *, seed=None, options=None):
        seen, info = super().reset(seed=seed)
        return seen | {"wind": np.zeros(1, np.float32)}, info

    def step(self, action):
        seen, *rest = super().step(action)
        return seen | {"wind": np.zeros(1, np.float32)}, *rest


def half_back(observation):
    return np.full((len(observation), 1), -0.5)


class OneStep(gymnasium.Env):
    """Pays the action, once."""

    observation_space = Box(-1.0, 1.0, (1,), np.float32)
    action_space = Box(-1.0, 1.0, (1,), np.float32)
    max_episode_steps = 1

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(1, np.float32), {}

    def step(self, action):
        return np.zeros(1, np.float32), float(action[0]), True, False, {}


class Remembering:
    """Swings to and fro."""

    def __init__(self):
        self.last = 1.0

    def reset(self):
        self.last = 1.0

    def __call__(self, observation):
        self.last = -self.last
        return np.array([self.last])
