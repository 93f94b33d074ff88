"""Names in the catalog fit together: each task learns a little with each of its controllers."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from rpl import learner
from rpl.config import BurnInConfig, ExplorationConfig
from rpl.presets import FAST, PAPER
from rpl.registry.builtin import make_problem
from rpl.registry.catalog import CONTROLLERS, METHODS, TASKS, UnknownName, find, preset_for
from rpl.registry.resolve import with_physics, without_task
from rpl.replay.buffer import Replay
from rpl.training.loop import run_cycle
from rpl.training.progress import Progress

SMALL = replace(
    FAST,
    episodes_per_cycle=1,
    evaluation_episodes=1,
    num_threads=1,
    learner=replace(FAST.learner, hidden=(8,), batch_size=8, updates_per_cycle=2),
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
    replay, progress = Replay(4, problem.horizon, *problem.sizes), Progress()
    _, metrics, steps = run_cycle(SMALL, problem, state, replay, progress)
    assert steps == TASKS[task].horizon
    assert all(np.isfinite(value) for value in metrics.values())


def test_the_paper_preset_knows_that_the_hook_tasks_had_one_worker():
    for task in ("hook", "noisy-hook", "complex-hook"):
        published = preset_for("paper", task).config
        assert published.episodes_per_cycle == 4
        assert published.learner.batch_size == 256
        assert published.exploration == ExplorationConfig(noise=0.1, random=0.3)
        scratch = METHODS["scratch"].configure(FAST, published)
        assert scratch.exploration == published.exploration
    assert preset_for("paper", "push").config == PAPER


@pytest.mark.parametrize(
    ("task", "episodes", "n_step", "burn_in"),
    [("push", 8, 1, 40_000), ("noisy-hook", 4, 2, 80_000), ("mbrl-pusher", 3, 9, 40_000)],
)
def test_the_fast_preset_is_one_preset_paced_for_the_length_of_episodes(
    task, episodes, n_step, burn_in
):
    config = preset_for("fast", task).config
    assert (config.episodes_per_cycle, config.replay.n_step) == (episodes, n_step)
    assert config.burn_in.minimum_steps == burn_in
    same = replace(config, episodes_per_cycle=8, replay=FAST.replay, burn_in=FAST.burn_in)
    assert same == FAST
    assert preset_for("fast", None).config == FAST


def test_noisy_hook_shares_its_network_between_two_frames():
    options = replace(TASKS["noisy-hook"].options, physics="lean")
    problem = make_problem("noisy-hook", "rpl", SMALL, options)
    assert (problem.frames, problem.sizes) == (2, (80, 3, 4))
    state = learner.create(jax.random.key(0), *problem.sizes, SMALL.learner, problem.frames)
    assert state.actor.network.weights[0].shape == (40 + 3, 8)


def test_expert_explore_asks_a_planner_only_where_it_acts():
    problem = make_problem(
        "push",
        "expert-explore",
        METHODS["expert-explore"].configure(SMALL),
        replace(TASKS["push"].options, physics="lean"),
        "discrete-mpc-push",
    )
    assert "simulator_state" in problem.task.single_observation_space.spaces
    assert problem.sizes[0] == 25  # which the learner never sees


def collected(num_envs):
    config = replace(SMALL, episodes_per_cycle=4, num_envs=num_envs)
    problem = make_problem("push", "rpl", config, replace(TASKS["push"].options, physics="lean"))
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


def test_each_task_names_a_controller_of_its_own():
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
