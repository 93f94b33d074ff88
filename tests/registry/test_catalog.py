"""Names in the catalog fit together: each task learns a little with each of its controllers."""

from dataclasses import replace

import jax
import numpy as np
import pytest

import small
from rpl import learner
from rpl.config import BurnInConfig
from rpl.registry.builtin import make_problem
from rpl.registry.catalog import CONTROLLERS, METHODS, TASKS, UnknownName, find
from rpl.registry.resolve import with_physics, without_task
from rpl.replay.buffer import Replay
from rpl.rollout.collect import collect
from rpl.rollout.policies import exploring_policy
from rpl.training.loop import run_cycle
from rpl.training.progress import Progress

SMALL = replace(
    small.CONFIG,
    episodes_per_cycle=1,
    evaluation_episodes=1,
    burn_in=BurnInConfig(rule="steps"),
)
PAIRS = [(task, name) for name, entry in CONTROLLERS.items() for task in entry.tasks]


@pytest.mark.parametrize(("task", "controller"), PAIRS, ids=["-".join(pair) for pair in PAIRS])
def test_a_task_learns_from_each_of_its_controllers(task, controller):
    options = with_physics(TASKS[task].options, "lean")
    settings = without_task(controller)
    if CONTROLLERS[controller].plans:
        settings = replace(settings, expansions=1)
    problem = make_problem(task, "rpl", SMALL, options, controller, settings)
    state = learner.create(jax.random.key(0), *problem.sizes, SMALL.learner, problem.frames)
    before = weights(state)
    replay, progress = Replay(4, problem.horizon, *problem.sizes), Progress()
    state, metrics, steps = run_cycle(SMALL, problem, state, replay, progress)
    assert steps == TASKS[task].horizon
    assert {"critic_loss", "actor_loss"} <= metrics.keys()  # left out where they are no numbers
    assert all(np.any(old != new) for old, new in zip(before, weights(state), strict=True))


def weights(state: learner.LearnerState) -> list[np.ndarray]:
    """Copies of the last layers' weights of actor and critic."""
    networks = state.actor.network, state.critic.first.network
    return [np.array(network.weights[-1]) for network in networks]


def test_noisy_hook_shares_its_network_between_two_frames():
    problem = make_problem("noisy-hook", "rpl", SMALL, small.lean("noisy-hook"))
    assert (problem.frames, problem.sizes) == (2, (80, 3, 4))
    state = learner.create(jax.random.key(0), *problem.sizes, SMALL.learner, problem.frames)
    assert state.actor.network.weights[0].shape == (40 + 3, 8)


def test_expert_explore_asks_a_planner_only_where_it_acts():
    config = METHODS["expert-explore"].configure(replace(SMALL, episodes_per_cycle=4))
    settings = replace(config.learner, zero_last=True)
    planner = replace(without_task("discrete-mpc-push"), expansions=1)
    problem = make_problem(
        "push", "expert-explore", config, small.lean("push"), "discrete-mpc-push", planner
    )
    assert problem.sizes[0] == 25  # the simulator's state is the planner's alone
    asked, planned = [], []

    def watched(observation):
        asked.append(observation["simulator_state"])
        planned.append(problem.controller(observation))
        return planned[-1]

    state = learner.create(jax.random.key(0), *problem.sizes, settings)
    policy = exploring_policy(
        state,
        replace(problem, controller=watched),
        replace(config.exploration, noise=0.0),
        np.random.default_rng(0),
        4,
    )
    acted, seen = [], []

    def acting(observation, episodes, step):
        seen.append(observation["simulator_state"].copy())
        acted.append(policy(observation, episodes, step))
        return acted[-1]

    collect(problem.task, acting, [1, 2, 3, 4], problem.horizon)
    states, actions = np.concatenate(seen), np.concatenate(acted)
    idle = (actions == 0.0).all(axis=1)  # where an untrained actor acts
    moves = (np.abs(actions) == 1.0).sum(axis=1) == 1  # along one axis, as no random action is
    by_planner = [np.flatnonzero((states == row).all(axis=1)) for row in np.concatenate(asked)]
    assert all(len(found) == 1 for found in by_planner)
    where = np.concatenate(by_planner)
    assert len(set(where)) == len(where)  # about no state twice
    np.testing.assert_array_equal(actions[where], np.concatenate(planned))
    elsewhere = np.setdiff1d(np.arange(len(actions)), where)
    assert not moves[elsewhere].any()
    # The paper explores in 0.6 of the steps, 0.8 of these times with the controller.
    assert len(where) / len(actions) == pytest.approx(0.6 * 0.8, abs=0.1)
    assert idle[elsewhere].sum() / len(actions) == pytest.approx(1.0 - 0.6, abs=0.1)


def collected(num_envs):
    config = replace(SMALL, episodes_per_cycle=4, num_envs=num_envs)
    problem = make_problem("push", "rpl", config, small.lean("push"))
    state = learner.create(jax.random.key(0), *problem.sizes, config.learner)
    replay, progress = Replay(4, 50, *problem.sizes), Progress()
    run_cycle(config, problem, state, replay, progress)
    return replay.sample((200,), np.random.default_rng(0), 0.0, problem.rules)


def test_any_number_of_environments_collects_the_same_episodes():
    together = collected(None)
    for num_envs in (1, 3):
        apart = collected(num_envs)
        for ours, theirs in zip(apart, together, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_each_task_names_a_controller_made_for_it():
    for name, entry in TASKS.items():
        assert name in CONTROLLERS[entry.controller].tasks


def test_unknown_names_list_the_known_ones():
    with pytest.raises(UnknownName, match="there is no task 'pull'; choose one of push, slippery"):
        find("task", TASKS, "pull")


def test_hindsight_on_the_pusher_knows_the_executed_action():
    problem = make_problem("mbrl-pusher", "rpl", SMALL)
    state = learner.create(jax.random.key(0), *problem.sizes, SMALL.learner)
    replay, progress = Replay(4, problem.horizon, *problem.sizes), Progress()
    run_cycle(SMALL, problem, state, replay, progress)
    generator = np.random.default_rng
    batch = replay.sample((300,), generator(0), 1.0, problem.rules)
    stored = replay.sample((300,), generator(0), 0.0, problem.rules)
    layout = problem.controller_task.layout
    achieved = batch.next_observation[:, layout.object_position]
    # By hand: only the cylinder's distance to the goal changes, 1.25 a metre in the 1-norm.
    there, here = (np.abs(achieved - part.goal).sum(axis=1) for part in (batch, stored))
    np.testing.assert_allclose(batch.reward, stored.reward - 1.25 * (there - here), atol=1e-5)
    assert np.abs(there - here).max() > 0.1
    # And the stored reward counts the executed action, which is not the stored residual.
    tip = batch.next_observation[:, layout.tip_position]
    effort = -stored.reward - 1.25 * here - 0.5 * np.abs(tip - achieved).sum(axis=1)
    assert (effort > -1e-5).all()
    assert np.abs(effort - 0.1 * ((2 * batch.action) ** 2).sum(axis=1)).max() > 0.01
