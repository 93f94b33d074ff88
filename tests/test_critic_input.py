"""What the critic judges: which controllers can be asked again, and what they are asked."""

from dataclasses import replace

import numpy as np
import pytest

from rpl.catalog import TASKS
from rpl.config import FAST, ResidualConfig
from rpl.learner.replay import Replay
from rpl.making import make_problem
from rpl.own import OwnOptions
from rpl.own_problem import own_problem
from rpl.rollout import collect

SMALL = replace(FAST, episodes_per_cycle=2, evaluation_episodes=2)
SUM = ResidualConfig(scale=0.5, clip_controller=True, critic_input="sum")
SUMS = replace(SMALL, residual=SUM)
LEAN = replace(TASKS["slippery-push"].options, physics="lean")


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
    generator, reward = np.random.default_rng(0), problem.rules
    batch = replay.sample((100,), generator, 0.0, reward, beneath=problem.beneath)
    assert batch.proposed is not None
    steps = np.stack(executed, axis=1).reshape(-1, 4)
    asked = np.stack(proposed, axis=1).reshape(-1, 4)
    for action, here in zip(batch.action, batch.proposed, strict=True):
        # Stored observations have single precision.
        which = np.abs(steps - action).sum(axis=1).argmin()
        np.testing.assert_allclose(action, steps[which], atol=1e-4)
        np.testing.assert_allclose(here, asked[which], atol=1e-4)


def test_the_residual_is_judged_unless_asked_and_where_there_is_none() -> None:
    assert make_problem("slippery-push", "rpl", SMALL, LEAN).beneath is None
    assert make_problem("slippery-push", "scratch", SUMS, LEAN).beneath is None


def test_a_planner_cannot_be_asked_about_the_past() -> None:
    with pytest.raises(ValueError, match="plans from the simulator's state"):
        make_problem("push", "rpl", SUMS, LEAN, "discrete-mpc-push")


def test_nor_can_a_controller_with_a_memory() -> None:
    with pytest.raises(ValueError, match="has a memory"):
        own_problem("Pendulum-v1", Remembering, SUMS, OwnOptions())


class Remembering:
    """Swings to and fro."""

    def __init__(self):
        self.last = 1.0

    def reset(self):
        self.last = 1.0

    def __call__(self, observation):
        self.last = -self.last
        return np.array([self.last])
