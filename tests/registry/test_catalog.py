"""Names in the catalog fit together: each task learns a little with each of its controllers."""

from dataclasses import replace

import jax
import numpy as np
import pytest

import small
from acting import Scripted
from rpl.config import BurnInConfig
from rpl.learner import LearnerState
from rpl.presets import FAST, WITHOUT_GATE, paced
from rpl.problem import Problem
from rpl.registry.builtin import make_problem
from rpl.registry.catalog import CONTROLLERS, METHODS, TASKS, preset_for
from rpl.registry.names import UnknownName, find
from rpl.registry.resolve import with_physics, without_task
from rpl.replay.buffer import Replay
from rpl.rollout.collect import collect
from rpl.rollout.policies import ExploringPolicy
from rpl.runs.session import new_learner
from rpl.training.loop import run_cycle
from rpl.training.progress import Progress

SMALL = replace(
    small.CONFIG,
    episodes_per_cycle=1,
    evaluation_episodes=1,
    burn_in=BurnInConfig(rule="steps"),
)


def replay_for(problem: Problem) -> Replay:
    base_size = problem.action_size if problem.adds else 0
    return Replay(4, problem.horizon, problem.seen, problem.action_size, base_size)


PAIRS = [(task, name) for name, entry in CONTROLLERS.items() for task in entry.tasks]


@pytest.mark.parametrize(("task", "controller"), PAIRS, ids=["-".join(pair) for pair in PAIRS])
def test_a_task_learns_from_each_of_its_controllers(task, controller):
    options = with_physics(TASKS[task].options, "lean")
    settings = without_task(controller)
    if CONTROLLERS[controller].plans:
        settings = replace(settings, expansions=1)
    problem = make_problem(task, "rpl", SMALL, options, controller, settings)
    state, replay, progress = new_learner(SMALL, problem), replay_for(problem), Progress()
    before = weights(state)
    state, metrics, steps = run_cycle(SMALL, problem, state, replay, progress)
    assert steps == TASKS[task].horizon
    assert {"critic_loss", "actor_loss"} <= metrics.keys()  # left out where they are no numbers
    assert all(np.any(old != new) for old, new in zip(before, weights(state), strict=True))


def weights(state: LearnerState) -> list[np.ndarray]:
    """Copies of the last layers' weights of actor and critic."""
    networks = state.actor.network, state.critic.first.network
    return [np.array(network.weights[-1]) for network in networks]


def test_noisy_hook_shares_its_network_between_two_frames():
    problem = make_problem("noisy-hook", "rpl", SMALL, small.lean("noisy-hook"))
    assert (problem.frames, problem.action_size) == (2, 4)
    assert problem.seen.sizes == {"observation": 80, "desired_goal": 3}
    state = new_learner(SMALL, problem)
    assert state.actor.network.weights[0].shape == (40 + 3, 8)


def test_expert_explore_asks_a_planner_only_where_it_acts():
    config = METHODS["expert-explore"].configure(replace(SMALL, episodes_per_cycle=4))
    config = replace(config, learner=replace(config.learner, zero_last=True))
    planner = replace(without_task("discrete-mpc-push"), expansions=1)
    problem = make_problem(
        "push", "expert-explore", config, small.lean("push"), "discrete-mpc-push", planner
    )
    # The simulator's state is the planner's alone.
    assert problem.seen.sizes == {"observation": 25, "desired_goal": 3}
    asked, planned = [], []

    def watched(observation):
        asked.append(observation["simulator_state"])
        planned.append(problem.controller(observation))
        return planned[-1]

    policy = ExploringPolicy(
        new_learner(config, problem),
        replace(problem, controller=watched),
        config.exploration,
        np.random.default_rng(0),
        4,
    )
    policy.reset(np.ones(4, bool))
    acted, seen = [], []

    def acting(observation, episodes, step):
        seen.append(observation["simulator_state"].copy())
        acted.append(policy(observation, None))
        return acted[-1]

    collect(problem.task, Scripted(acting), [1, 2, 3, 4], problem.horizon)
    states, actions = np.concatenate(seen), np.concatenate(acted)
    by_planner = [np.flatnonzero((states == row).all(axis=1)) for row in np.concatenate(asked)]
    assert all(len(found) == 1 for found in by_planner)
    where = np.concatenate(by_planner)
    assert len(set(where)) == len(where)  # about no state twice
    np.testing.assert_array_equal(actions[where], np.concatenate(planned))
    elsewhere = actions[np.setdiff1d(np.arange(len(actions)), where)]
    # A move of the planner is along one axis, as no random action is.
    assert not ((np.abs(elsewhere) == 1.0).sum(axis=1) == 1).any()
    # The paper explores in 0.6 of the steps, 0.8 of these times with the controller.
    assert len(where) / len(actions) == pytest.approx(0.6 * 0.8, abs=0.1)
    by_untrained_actor = (elsewhere == 0.0).all(axis=1).sum()
    assert by_untrained_actor / len(actions) == pytest.approx(1.0 - 0.6, abs=0.1)


def collected(num_envs):
    config = replace(SMALL, episodes_per_cycle=4, num_envs=num_envs)
    problem = make_problem("push", "rpl", config, small.lean("push"))
    state, replay, progress = new_learner(config, problem), replay_for(problem), Progress()
    run_cycle(config, problem, state, replay, progress)
    return replay.sample((200,), np.random.default_rng(0), 0.0, problem.rules)


def test_any_number_of_environments_collects_the_same_episodes():
    together = collected(None)
    for num_envs in (1, 3):
        apart = collected(num_envs)
        pairs = zip(jax.tree.leaves(apart), jax.tree.leaves(together), strict=True)
        for ours, theirs in pairs:
            np.testing.assert_array_equal(ours, theirs)


def test_each_task_names_a_controller_made_for_it():
    for name, entry in TASKS.items():
        assert name in CONTROLLERS[entry.controller].tasks


def test_unknown_names_list_the_known_ones():
    with pytest.raises(UnknownName, match="there is no task 'pull'; choose one of push, slippery"):
        find("task", TASKS, "pull")


def test_hindsight_on_the_pusher_uses_the_executed_action():
    """Rewards by hand, 1.25 and 0.5 a metre in the 1-norm and 0.1 a squared torque of 2 a N m."""
    problem = make_problem("mbrl-pusher", "rpl", SMALL)
    state, replay, progress = new_learner(SMALL, problem), replay_for(problem), Progress()
    run_cycle(SMALL, problem, state, replay, progress)
    layout = problem.evaluation_task.layout
    for hindsight in (0.0, 1.0):
        batch = replay.sample((300,), np.random.default_rng(0), hindsight, problem.rules)
        seen = batch.next_observation["observation"].astype(np.float64)
        goal = batch.observation["desired_goal"].astype(np.float64)
        cylinder, tip = seen[:, layout.object_position], seen[:, layout.tip_position]
        far = 1.25 * np.abs(cylinder - goal).sum(axis=1) + 0.5 * np.abs(tip - cylinder).sum(axis=1)
        effort = 0.1 * ((2 * batch.action.astype(np.float64)) ** 2).sum(axis=1)
        np.testing.assert_allclose(batch.reward, -far - effort, rtol=1e-5)
        assert len(np.unique(goal, axis=0)) > 1 or not hindsight
    # Which is neither the residual nor the base action.
    assert np.abs(batch.base_action).max() > 0.1
    assert np.abs(batch.action - batch.base_action).max() > 0.1


PLANAR = [name for name in TASKS if "hook" not in name and name != "mbrl-pusher"]
HOOKS = [name for name in TASKS if "hook" in name]


@pytest.mark.parametrize("task", TASKS)
def test_the_fast_preset_is_one_preset_paced_for_the_length_of_episodes(task):
    config, horizon = preset_for("fast", task).config, TASKS[task].horizon
    longer = horizon / TASKS["push"].horizon
    steps = config.episodes_per_cycle * horizon
    assert abs(steps - FAST.episodes_per_cycle * TASKS["push"].horizon) <= horizon / 2
    # Where every step is paid for values arrive sooner.
    sparse = TASKS[task].sparse
    sooner = 1 if sparse else 3 / FAST.replay.n_step
    if sparse and longer > 1:  # sums of a few steps, and targets that are not pessimistic
        assert (config.replay.n_step, config.learner.critics_drawn) == (2, 1)
    else:
        assert config.replay.n_step == sooner * longer * FAST.replay.n_step
        assert config.learner == FAST.learner
    assert sooner * config.burn_in.minimum_steps == longer * FAST.burn_in.minimum_steps
    assert config.exploration.alone_share == min(longer * FAST.exploration.alone_share, 0.25)
    assert config.exploration.hold == longer * FAST.exploration.hold
    assert config.exploration.noise * longer == pytest.approx(FAST.exploration.noise)
    same = replace(
        config,
        episodes_per_cycle=FAST.episodes_per_cycle,
        exploration=FAST.exploration,
        replay=FAST.replay,
        burn_in=FAST.burn_in,
        learner=FAST.learner,
    )
    assert same == FAST
    frugal = preset_for("frugal", task).config
    updates = frugal.learner.updates_per_cycle
    assert updates == 3 * config.learner.updates_per_cycle
    more = replace(config.learner, updates_per_cycle=updates)
    assert frugal == replace(config, learner=more)  # one option apart


@pytest.mark.parametrize("task", TASKS)
def test_methods_without_a_residual_learn_as_before_the_gate(task):
    config = preset_for("fast", task, residual=False).config
    assert not config.learner.gate
    longer = TASKS[task].horizon / TASKS["push"].horizon
    sooner = 1 if TASKS[task].sparse else 3
    assert config.replay.n_step == sooner * longer
    assert config.learner == WITHOUT_GATE.learner
    assert preset_for("paper", task, residual=False) == preset_for("paper", task)


def test_episodes_longer_than_a_cycle_are_collected_one_by_one():
    assert paced(FAST, 100_000).episodes_per_cycle == 1
    assert (paced(FAST, 1).replay.n_step, paced(FAST, 1).exploration.hold) == (1, 1.0)
    assert paced(WITHOUT_GATE, 1000).exploration == WITHOUT_GATE.exploration


def test_without_a_task_a_preset_is_as_it_stands():
    assert preset_for("fast", None).config == FAST == preset_for("fast", "toys:Slide").config


def test_the_paper_preset_knows_that_the_hook_tasks_had_one_worker():
    many = preset_for("paper", "push").config
    assert all(preset_for("paper", task).config == many for task in PLANAR)
    one = preset_for("paper", "hook").config
    assert all(preset_for("paper", task).config == one for task in HOOKS)
    assert many.learner.batch_size == 19 * one.learner.batch_size  # the gradients' sum
    assert many.exploration.noise == 2 * one.exploration.noise
    # Nothing else differs but how many episodes a worker had.
    alike = replace(
        one,
        episodes_per_cycle=many.episodes_per_cycle,
        learner=replace(one.learner, batch_size=many.learner.batch_size),
        exploration=replace(one.exploration, noise=many.exploration.noise),
    )
    assert alike == many


@pytest.mark.parametrize("task", ["push", "hook"])
def test_from_scratch_one_explores_as_published_for_the_task_whatever_the_preset(task):
    published = preset_for("paper", task).config
    scratch = METHODS["scratch"].configure(FAST, published)
    assert scratch.exploration == published.exploration != FAST.exploration
