"""Who acts, behind one protocol: what it is told, what it remembers, what is executed."""

from dataclasses import replace

import jax
import numpy as np
import pytest

import toys
from acting import Scripted
from rpl import Residual, learner
from rpl.config import Config, ExplorationConfig
from rpl.controllers.contract import ControllerPolicy, Policy
from rpl.pets.dynamics import ModelConfig, create
from rpl.pets.planner import PETS, PlannerConfig
from rpl.presets import WITHOUT_GATE
from rpl.problem import Problem
from rpl.registry.builtin import make_problem
from rpl.registry.catalog import METHODS, TASKS
from rpl.registry.custom import user_problem
from rpl.registry.names import EnvironmentOptions
from rpl.rollout.collect import collect
from rpl.rollout.policies import ExploringPolicy, GreedyPolicy, WholePolicy, held
from rpl.runs.session import new_learner

CONFIG = replace(
    WITHOUT_GATE,
    episodes_per_cycle=2,
    evaluation_episodes=2,
    num_threads=1,
    learner=replace(WITHOUT_GATE.learner, hidden=(8,), zero_last=False),
)
LEAN = replace(TASKS["push"].options, physics="lean")
OBSERVING = replace(CONFIG, residual=replace(CONFIG.residual, observe_controller=True))


def trained_on(config: Config, problem: Problem) -> learner.LearnerState:
    """A learner whose last layer is not zero, and that has seen something."""
    state = new_learner(config, problem)
    generator = np.random.default_rng(0)
    sizes = problem.seen.sizes.items()
    shown = {name: generator.normal(size=(50, size)).astype(np.float32) for name, size in sizes}
    return learner.observe(state, shown)


class Remembering:
    """A controller with a memory, of how often it was asked."""

    def __init__(self) -> None:
        self.masks, self.asked = [], 0

    def reset(self, mask) -> None:
        self.masks.append(mask.tolist())
        self.asked = 0

    def __call__(self, observation):
        self.asked += 1
        return np.full((len(observation), 1), 0.1 * self.asked)


ALL, SOME = np.ones(2, bool), np.array([False, True])


def test_a_controller_is_a_policy_and_has_a_memory_if_it_can_be_reset() -> None:
    forgetful, remembering = ControllerPolicy(toys.batch, 1), Remembering()
    remembers = ControllerPolicy(remembering, 1)
    assert (forgetful.has_memory, remembers.has_memory) == (False, True)
    forgetful.reset(ALL)  # which does nothing
    seen = np.array([[0.4, 0.0], [-8.0, 0.0]])
    np.testing.assert_allclose(forgetful(seen, None), [[-0.2], [1.0]])
    np.testing.assert_array_equal(forgetful(seen), forgetful(seen, np.ones((2, 1))))
    np.testing.assert_allclose(ControllerPolicy(toys.batch, 1, clip=False)(seen), [[-0.2], [4.0]])
    for mask in (ALL, SOME):
        remembers.reset(mask)
    assert remembering.masks == [[True, True], [False, True]]


@pytest.mark.parametrize("config", [CONFIG, OBSERVING], ids=["bare", "observing"])
def test_the_greedy_policy_remembers_nothing_and_executes_what_the_residual_makes(config) -> None:
    problem = make_problem("push", "rpl", config, LEAN)
    state = trained_on(config, problem)
    policy, base = GreedyPolicy(state, problem), problem.base()
    assert base is not None
    assert not policy.has_memory
    observation, _ = problem.evaluation_task.reset(seed=0)
    base_action = base(observation)
    shown = {k: np.float32(observation[k]) for k in ("observation", "desired_goal")}
    if config is OBSERVING:
        shown["base_action"] = np.float32(base_action)
    said = np.asarray(learner.act(state, shown))
    assert np.abs(said).max() > 0.01
    executed = policy(observation, base_action)
    np.testing.assert_array_equal(executed, np.clip(base_action + problem.scale * said, -1.0, 1.0))
    policy.reset(ALL)
    np.testing.assert_array_equal(policy(observation, base_action), executed)


def test_a_learner_that_acts_alone_executes_what_it_says() -> None:
    config = METHODS["scratch"].configure(CONFIG)
    config = replace(config, learner=CONFIG.learner)
    problem = make_problem("push", "scratch", config, LEAN)
    assert problem.base() is None
    assert problem.exploring_base() is None
    policy = GreedyPolicy(trained_on(config, problem), problem)
    observation, _ = problem.evaluation_task.reset(seed=0)
    np.testing.assert_array_equal(policy(observation, None), policy.learned(observation, None))


def test_a_whole_policy_says_where_it_left_its_base_action() -> None:
    moved = Scripted(lambda observation, episodes, step: np.array([[0.2, 0.4], [0.2, 0.3]]))
    base = Scripted(lambda observation, episodes, step: np.array([[0.2, 0.3], [0.2, 0.3]]))
    whole = WholePolicy(moved, base)
    whole.reset(np.ones(2, bool))
    whole(np.zeros((2, 1)))
    assert whole.acted.tolist() == [True, False]


@pytest.mark.parametrize("config", [CONFIG, OBSERVING], ids=["bare", "observing"])
def test_the_policy_does_what_the_residual_task_executes(config) -> None:
    """What others are given as a wrapper, our loop does without: the same numbers."""
    problem, other = (make_problem("push", "rpl", config, LEAN) for _ in range(2))
    state = trained_on(config, problem)
    policy = GreedyPolicy(state, problem)
    whole = WholePolicy(policy, problem.base())
    wrapped = Residual(
        other.evaluation_task,
        other.controller,
        config.residual.scale,
        config.residual.clip_controller,
        config.residual.observe_controller,
    )
    observation, _ = problem.evaluation_task.reset(seed=0)
    shown, _ = wrapped.reset(seed=0)
    whole.reset(ALL)
    for _ in range(5):
        action = whole(observation)
        given, base_action = dict(shown), None
        if config is OBSERVING:
            given["observation"] = shown["observation"][:, :-4]
            base_action = shown["observation"][:, -4:]
        said = policy.learned(given, base_action)
        shown, *_, info = wrapped.step(said)
        np.testing.assert_array_equal(action, info["executed_action"])
        assert not np.allclose(action, info["controller_action"])
        observation, *_ = problem.evaluation_task.step(action)


def test_the_whole_policy_resets_and_asks_both_and_remembers_if_one_of_them_does() -> None:
    controller, inner = Remembering(), Watching()
    base = ControllerPolicy(controller, 1)
    whole = WholePolicy(inner, base)
    assert whole.has_memory
    assert not WholePolicy(inner, None).has_memory
    assert not WholePolicy(inner, ControllerPolicy(toys.batch, 1)).has_memory
    assert WholePolicy(base, None).has_memory
    for mask in (ALL, SOME):
        whole.reset(mask)
    assert controller.masks == inner.masks == [[True, True], [False, True]]
    seen = np.zeros((2, 2))
    np.testing.assert_allclose(whole(seen), [[0.1], [0.1]])
    np.testing.assert_allclose(whole(seen, np.ones((2, 1))), [[0.2], [0.2]])
    assert controller.asked == 2
    assert WholePolicy(inner, None)(seen) is None  # without a base policy it is told of none


class Watching:
    """A policy that leaves it to its base policy, and keeps what it is told."""

    has_memory = False

    def __init__(self) -> None:
        self.masks = []

    def reset(self, mask) -> None:
        self.masks.append(mask.tolist())

    def __call__(self, observation, base_action):
        return base_action


def test_a_controller_made_from_the_environment_acts_by_the_one_that_it_acts_in() -> None:
    problem = make_problem(
        "push",
        "rpl",
        replace(CONFIG, learner=replace(CONFIG.learner, zero_last=True)),
        controller="toys:to_the_block",
    )
    greedy = GreedyPolicy(new_learner(WITHOUT_GATE, problem), problem)
    policies: tuple[tuple[Policy, Policy | None], ...] = (
        (greedy, problem.base()),
        (WholePolicy(greedy, problem.base()), None),
        (problem.level(), None),
    )
    added, whole, alone = (
        collect(problem.evaluation_task, policy, [1, 2], 10, base) for policy, base in policies
    )
    assert np.ptp(alone.action[..., :3], axis=1).max() > 0.1
    np.testing.assert_array_equal(added.action, alone.action)
    np.testing.assert_array_equal(whole.action, alone.action)
    np.testing.assert_array_equal(added.base_action[:, :-1], alone.action)


EXPLORATION = ExplorationConfig(noise=0.3, random=0.2, expert=0.3)


@pytest.mark.parametrize("method", ["rpl", "expert-explore"])
@pytest.mark.parametrize("learner_name", ["ddpg", "sac"])
def test_exploration_is_the_same_for_any_number_of_environments(method, learner_name) -> None:
    config = METHODS[method].configure(CONFIG)
    changes = {"algorithm": learner_name}
    config = replace(config, learner=replace(CONFIG.learner, **changes), episodes_per_cycle=4)

    def episodes_of(num_envs: int):
        problem = make_problem("push", method, replace(config, num_envs=num_envs), LEAN)
        state = trained_on(config, problem)
        policy = ExploringPolicy(state, problem, EXPLORATION, np.random.default_rng(1), 5)
        return collect(problem.task, policy, [2, 4, 6, 8, 10], 10, problem.exploring_base())

    together = episodes_of(5)
    # Each episode has disturbances of its own.
    assert all(len(np.unique(together.action[:, t], axis=0)) == 5 for t in range(10))
    for num_envs in (1, 2, 3):
        apart = episodes_of(num_envs)
        # One environment multiplies vectors where five multiply matrices: equal but for rounding.
        np.testing.assert_allclose(apart.action, together.action, atol=1e-4)
        np.testing.assert_allclose(apart.base_action, together.base_action, atol=1e-3)


def test_exploration_repeats_no_disturbance_and_begins_anew_with_a_new_policy() -> None:
    problem = user_problem("toys:Slide", toys.batch, CONFIG, EnvironmentOptions(metric="return"))
    state = new_learner(replace(CONFIG, learner=replace(CONFIG.learner, zero_last=True)), problem)
    noisy = ExplorationConfig(noise=0.3, random=0.0)

    def disturbances() -> np.ndarray:
        policy = ExploringPolicy(state, problem, noisy, np.random.default_rng(1), 4)
        assert policy.has_memory
        said = []
        for _ in range(2):  # two rounds of two episodes
            policy.reset(ALL)
            said += [policy(np.zeros((2, 2)), np.zeros((2, 1))) for _ in range(8)]
        return np.array(said)

    first = disturbances()
    assert len(np.unique(first)) > 30
    np.testing.assert_array_equal(disturbances(), first)


def test_a_held_disturbance_stays_for_as_many_steps_on_average() -> None:
    noise = np.random.default_rng(0).standard_normal((200, 500, 2), np.float32)
    stayed = held(noise, 8.0, np.random.default_rng(1))
    changed = np.any(stayed[:, 1:] != stayed[:, :-1], axis=2)
    assert 1.0 / changed.mean() == pytest.approx(8.0, rel=0.05)
    assert np.array_equal(stayed[:, 0], noise[:, 0])
    is_new = np.concatenate([np.ones((200, 1), bool), changed], axis=1)
    assert np.array_equal(stayed[is_new], noise[is_new])
    assert stayed.std() == pytest.approx(1.0, rel=0.05)


def test_a_disturbance_can_stay_for_the_episode_or_for_a_step() -> None:
    noise, generator = np.ones((3, 4, 1)) * np.arange(4)[:, None], np.random.default_rng(2)
    assert np.array_equal(held(noise, np.inf, generator), np.zeros((3, 4, 1)))
    before = generator.bit_generator.state
    assert np.array_equal(held(noise, 1.0, generator), noise)
    assert generator.bit_generator.state == before


def test_exploration_disturbs_by_what_stays() -> None:
    problem = user_problem("toys:Slide", "toys:one", CONFIG, EnvironmentOptions())
    state = new_learner(replace(CONFIG, learner=replace(CONFIG.learner, zero_last=True)), problem)
    exploration = ExplorationConfig(noise=0.1, random=0.0, hold=np.inf)
    policy = ExploringPolicy(state, problem, exploration, np.random.default_rng(0), 2)
    episodes = collect(problem.task, policy, [0, 1], problem.horizon, problem.base())
    residual = episodes.action - episodes.base_action[:, :-1]
    assert np.ptp(residual, axis=1).max() < 1e-6
    assert np.abs(residual[:, 0]).min() > 0.0


def test_an_expert_with_a_memory_is_reset_and_sees_each_step_of_exploration() -> None:
    expert = Remembering()
    config = METHODS["expert-explore"].configure(CONFIG)
    options = EnvironmentOptions(metric="return")
    problem = user_problem(toys.Slide, toys.batch, config, options, residual=False)
    problem = replace(problem, controller=expert, exploring_controller=None)
    policy = ExploringPolicy(
        new_learner(config, problem),
        problem,
        ExplorationConfig(noise=0.0, random=0.0, expert=0.5),
        np.random.default_rng(0),
        4,
    )
    num_envs = problem.task.num_envs
    acted = collect(problem.task, policy, [0, 2, 4, 6], 8)
    assert expert.masks == [[True] * num_envs] * (4 // num_envs)
    assert expert.asked == acted.length[-num_envs:].max()  # however rarely it acted


def test_a_planner_with_a_memory_is_told_where_episodes_begin() -> None:
    settings = ModelConfig(networks=2, hidden=(4,), weight_decay=(0.0, 0.0))
    ensemble = create(jax.random.key(0), 2, 1, settings).ensemble
    plans = PlannerConfig(horizon=3, iterations=1, population=10, elites=2, particles=2)
    pets = PETS(ensemble, lambda seen, action, goal: (action**2).sum(-1), 1, plans, seed=0)
    policy = ControllerPolicy(pets, pets.action_size)
    assert policy.has_memory
    seen = np.zeros((2, 2))
    assert policy(seen, None).shape == (2, 1)
    assert np.any(pets._mean)
    policy.reset(SOME)
    assert np.any(pets._mean[0])
    assert not np.any(pets._mean[1])
