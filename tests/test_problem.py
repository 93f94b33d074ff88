"""What a problem is made of, and what the critic judges: with any controller, what happened."""

from dataclasses import replace

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box

import small
import toys
from acting import Adding
from rpl import learner
from rpl.config import BurnInConfig, Config, ExplorationConfig, LearnerConfig, ResidualConfig
from rpl.controllers.contract import Policy
from rpl.problem import Problem
from rpl.registry.builtin import make_problem
from rpl.registry.catalog import CONTROLLERS
from rpl.registry.custom import user_problem
from rpl.registry.names import EnvironmentOptions
from rpl.registry.resolve import without_task
from rpl.replay.buffer import Replay
from rpl.rollout.collect import collect
from rpl.runs.session import new_learner
from rpl.training.loop import run_cycle
from rpl.training.progress import Progress

SUM = ResidualConfig(scale=0.5, clip_controller=True, critic_input="sum")
SUMS = replace(small.CONFIG, residual=SUM)
LEAN = small.lean("slippery-push")
TINY = LearnerConfig(hidden=(8,), batch_size=8, updates_per_cycle=2)


def stored(problem: Problem, policy: Policy, seeds: list[int]) -> Replay:
    """A replay of these episodes, in which the policy acts on the problem's base policy."""
    base = problem.exploring_base()
    episodes = collect(problem.task, policy, seeds, problem.horizon, base)
    size = problem.action_size
    replay = Replay(len(seeds), problem.horizon, problem.seen, size, size)
    replay.store(episodes)
    return replay


def rows_of(*parts: np.ndarray) -> set[tuple[float, ...]]:
    """The rows of arrays side by side, to look others up in, bit for bit."""
    flat = [np.float32(part).reshape(-1, part.shape[-1]) for part in parts]
    return set(map(tuple, np.concatenate(flat, axis=1).tolist()))


def assert_says_what_happened(problem: Problem, acting: Adding, replay: Replay) -> None:
    """Each drawn transition has the base and the executed action of the very step it is of."""
    happened = rows_of(np.stack(acting.base), np.stack(acting.executed))
    for hindsight in (0.0, 0.8):
        batch = replay.sample((200,), np.random.default_rng(0), hindsight, problem.rules)
        assert rows_of(np.concatenate([batch.base_action, batch.action], axis=-1)) <= happened
        assert np.abs(batch.action - batch.base_action).max() > 0.1
        if problem.observes_base:
            np.testing.assert_array_equal(batch.observation["base_action"], batch.base_action)
            after = batch.next_observation["base_action"]
            np.testing.assert_array_equal(after, batch.next_base_action)


def residuals(size: int) -> Adding:
    generator = np.random.default_rng(0)
    return Adding(lambda seen, base: generator.uniform(-1, 1, (len(base), size)), scale=0.5)


observing_or_not = pytest.mark.parametrize("observing", [False, True], ids=["bare", "observing"])


def sums(observing: bool) -> Config:
    return replace(SUMS, residual=replace(SUM, observe_controller=observing))


@observing_or_not
@pytest.mark.parametrize("controller", ["reactive-push", "discrete-mpc-push"])
def test_replay_holds_what_was_executed_and_what_the_base_policy_did(controller, observing) -> None:
    """Of a planner too, which nobody could ask again about what was long ago."""
    settings = without_task(controller)
    if CONTROLLERS[controller].plans:
        settings = replace(settings, expansions=1)
    problem = make_problem("push", "rpl", sums(observing), LEAN, controller, settings)
    assert list(problem.seen.sizes) == [
        "observation",
        *(["base_action"] if observing else []),
        "desired_goal",
    ]
    acting = residuals(4)
    assert_says_what_happened(problem, acting, stored(problem, acting, [3, 4]))
    assert np.abs(acting.base).max() == 1.0


@observing_or_not
def test_a_controller_with_a_memory_is_a_base_policy_like_any_other(observing) -> None:
    problem = user_problem(
        "Pendulum-v1", Remembering, sums(observing), EnvironmentOptions(max_episode_steps=5)
    )
    acting = residuals(1)
    replay = stored(problem, acting, [3, 4])
    assert_says_what_happened(problem, acting, replay)
    batch = replay.sample((50,), np.random.default_rng(0), 0.0, problem.rules)
    # To and fro from each episode's beginning on, and asked once a step: the next is the other.
    np.testing.assert_array_equal(batch.next_base_action, -batch.base_action)
    np.testing.assert_array_equal(np.array(acting.base)[:, 0, 0], [-0.5, 0.5, -0.5, 0.5, -0.5])


@observing_or_not
def test_a_controller_may_go_by_parts_that_are_neither_state_nor_goal(observing) -> None:
    problem = user_problem(toys.Windy, toys.against_the_wind, sums(observing), EnvironmentOptions())
    assert list(problem.seen.sizes) == [
        "observation",
        "wind",
        *(["base_action"] if observing else []),
        "desired_goal",
    ]
    acting = residuals(2)
    replay = stored(problem, acting, [3, 4])
    assert_says_what_happened(problem, acting, replay)
    batch = replay.sample((100,), np.random.default_rng(0), 0.0, problem.rules)
    seen = batch.observation
    asked = toys.against_the_wind(
        {
            "achieved_goal": seen["observation"][:, :2],
            "desired_goal": seen["desired_goal"],
            "wind": seen["wind"],
        }
    )
    assert np.ptp(seen["wind"]) > 1.0
    np.testing.assert_allclose(batch.base_action, np.clip(asked, -1, 1), atol=1e-5)


@pytest.mark.parametrize("own", ["planner", "memory", "parts"])
def test_with_any_controller_a_critic_of_sums_learns(own) -> None:
    config = replace(sums(False), burn_in=BurnInConfig(rule="steps"), learner=TINY)
    if own == "planner":
        settings = replace(without_task("discrete-mpc-push"), expansions=1)
        problem = make_problem("push", "rpl", config, LEAN, "discrete-mpc-push", settings)
    elif own == "memory":
        problem = user_problem(
            "Pendulum-v1", Remembering, config, EnvironmentOptions(max_episode_steps=9)
        )
    else:
        problem = user_problem(toys.Windy, toys.against_the_wind, config, EnvironmentOptions())
    size = problem.action_size
    replay = Replay(4, problem.horizon, problem.seen, size, size)
    state = new_learner(config, problem)
    learned, metrics, _ = run_cycle(config, problem, state, replay, Progress())
    assert {"critic_loss", "actor_loss"} <= metrics.keys()
    assert np.isfinite(list(metrics.values())).all()
    assert np.any(learned.actor.network.weights[-1] != 0.0)


def test_a_problem_says_what_the_learner_adds_to_and_sees() -> None:
    problem = make_problem("slippery-push", "rpl", SUMS, LEAN)
    assert problem.adds
    assert not problem.observes_base
    np.testing.assert_array_equal(problem.scale, [0.5] * 4)
    assert make_problem("slippery-push", "rpl", sums(True), LEAN).observes_base
    alone = make_problem("slippery-push", "scratch", sums(True), LEAN)
    assert (alone.adds, alone.observes_base, alone.base()) == (False, False, None)
    assert list(alone.seen.sizes) == ["observation", "desired_goal"]
    unclipped = replace(problem, residual=replace(SUM, clip_controller=False))
    base = unclipped.base()
    assert base is not None
    assert (unclipped.level().clip, base.clip) == (True, False)


@pytest.mark.parametrize("critic_input", ["sum", "residual"])
def test_the_critic_learns_what_it_is_to_judge_on_ones_own_environment(critic_input) -> None:
    """The critic of a problem of one step: only what is executed counts, at twice the residual."""
    config = replace(
        SUMS,
        residual=replace(SUM, scale=2.0, clip_controller=True, critic_input=critic_input),
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
    problem = user_problem(OneStep, half_back, config, EnvironmentOptions())
    state = new_learner(config, problem)
    replay = Replay(64, problem.horizon, problem.seen, 1, 1)
    for _ in range(2):
        state, _, _ = run_cycle(config, problem, state, replay, Progress())
    executed = np.linspace(-1.0, 1.0, 9)[:, None].astype(np.float32)
    judged = executed if critic_input == "sum" else (executed + 0.5) / 2.0
    values = state.critic(np.zeros((9, 1), np.float32), judged)
    np.testing.assert_allclose(values, executed[:, 0], atol=0.15)
    # From -0.5 to the bound of 1 the residual has to go up to 0.75; beyond nothing is gained.
    residual = learner.act(state, {"observation": np.zeros((1, 1), np.float32)})
    assert -0.5 + 2.0 * float(residual[0, 0]) == pytest.approx(1.0, abs=0.2)


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
