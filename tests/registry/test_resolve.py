"""Presets on a task: paced for its episodes, or as they were published for it."""

from dataclasses import replace

import pytest

from rpl.presets import FAST, paced
from rpl.registry.catalog import METHODS, TASKS
from rpl.registry.resolve import preset_for

PLANAR = [name for name in TASKS if "hook" not in name and name != "mbrl-pusher"]
HOOKS = [name for name in TASKS if "hook" in name]


@pytest.mark.parametrize("task", TASKS)
def test_the_fast_preset_is_one_preset_paced_for_the_length_of_episodes(task):
    config, horizon = preset_for(None, task).config, TASKS[task].horizon
    longer = horizon / TASKS["push"].horizon
    steps = config.episodes_per_cycle * horizon
    assert abs(steps - FAST.episodes_per_cycle * TASKS["push"].horizon) <= horizon / 2
    # Where every step is paid for values arrive three times as soon.
    sooner = 1 if TASKS[task].sparse else 3
    assert config.replay.n_step == sooner * longer * FAST.replay.n_step
    assert sooner * config.burn_in.minimum_steps == longer * FAST.burn_in.minimum_steps
    same = replace(
        config, episodes_per_cycle=FAST.episodes_per_cycle, replay=FAST.replay, burn_in=FAST.burn_in
    )
    assert same == FAST


def test_episodes_longer_than_a_cycle_are_collected_one_by_one():
    assert paced(FAST, 100_000).episodes_per_cycle == 1
    assert paced(FAST, 1).replay.n_step == 1


def test_without_a_task_a_preset_is_as_it_stands():
    assert preset_for("fast", None).config == FAST == preset_for(None, "toys:Slide").config


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
