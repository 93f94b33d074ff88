"""Every setting of a run, from names and options: the one place that decides them."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import replace
from typing import Any

import tyro

from rpl.config import Config
from rpl.presets import PAPER, PRESETS, Preset, for_dense_rewards, paced
from rpl.registry.catalog import (
    CONTROLLERS,
    TASKS,
    find,
)
from rpl.registry.names import environment_maker
from rpl.tasks.gym.requirements import episode_limit
from rpl.tasks.gym.task import MakeEnv


def without_task(controller: str) -> Any:
    """The settings of a controller, without the fields that the task fills."""
    entry = find("controller", CONTROLLERS, controller)
    hidden = tyro.conf.Suppress[tyro.conf.Fixed[Any]]
    settings = dataclasses.make_dataclass(
        entry.make.__name__,
        [(name, hidden, None) for name in entry.from_task],
        bases=(entry.make,),
        frozen=True,
    )
    return settings()


@dataclasses.dataclass(frozen=True)
class OwnSettings:
    """Somebody's own controller has its settings in its own code."""


def preset_for(name: str | None, task: str | None) -> Preset:
    """The preset of a name, by default ``fast``, as it is on a task.

    ``paper`` is what was published for the task, ``fast`` is paced for its episodes.
    """
    preset = PRESETS.get(name or "fast", PRESETS["fast"])
    if task not in TASKS:
        return preset
    entry = TASKS[task]
    if preset.config is PAPER:
        return replace(preset, config=entry.published)
    config = paced(preset.config, entry.horizon)
    return replace(preset, config=config if entry.sparse else for_dense_rewards(config))


def with_physics(task: Any, physics: str) -> Any:
    """The task's options with the preset's physics, where the task leaves a choice."""
    return replace(task, physics=physics) if hasattr(task, "physics") else task


# One's own episodes have any length, and are few: evaluations and updates are counted in steps.
STEPS_PER_EPOCH = 10_000


STEPS_PER_UPDATE = 4


LONGEST_VIEW = 100  # steps: a discount of 0.99, also where episodes are longer


def horizon_of(source: str | MakeEnv, max_episode_steps: int | None) -> int:
    """The most steps of an episode of an environment."""
    if max_episode_steps is not None:
        return max_episode_steps
    env = environment_maker(source)()
    try:
        return episode_limit(env)
    finally:
        env.close()


def own_config(config: Config, horizon: int, processes: int = 1) -> Config:
    """A preset in the rhythm of episodes of ``horizon`` steps.

    Args:
        config: the preset's.
        horizon: T, the most steps of an episode.
        processes: environments at once; cycles are filled up to a multiple.
    """
    episodes = math.ceil(paced(config, horizon).episodes_per_cycle / processes) * processes
    steps = episodes * horizon
    updates = max(steps // STEPS_PER_UPDATE, 1)
    return replace(
        config,
        steps=100_000,
        episodes_per_cycle=episodes,
        cycles_per_epoch=max(round(STEPS_PER_EPOCH / steps), 1),
        evaluation_episodes=20,
        final_evaluation_episodes=100,
        learner=replace(
            config.learner,
            discount=1.0 - 1.0 / min(horizon, LONGEST_VIEW),
            updates_per_cycle=updates,
            # The slow copies move once a cycle: as far as in as many cycles of the preset.
            polyak=config.learner.polyak ** (updates / config.learner.updates_per_cycle),
        ),
        burn_in=config.burn_in
        if config.burn_in.is_none
        else replace(config.burn_in, minimum_steps=10_000),
    )
