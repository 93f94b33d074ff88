"""Every setting of a run, from words and objects: the one place that decides them."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import tyro

from rpl.config import Config
from rpl.pets.config import PRESETS as PLANNERS
from rpl.pets.config import PETSConfig
from rpl.presets import PRESETS, PUBLISHED, Preset, paced, with_learner
from rpl.registry.catalog import (
    CONTROLLERS,
    METHODS,
    TASKS,
    Method,
    TaskEntry,
    TaskOptions,
    check_task,
    controller_name,
    preset_for,
)
from rpl.registry.environments import environment_maker
from rpl.registry.names import EnvironmentOptions, UnknownName, find, name_of
from rpl.settings import Settings
from rpl.tasks.fetch.options import FetchOptions, HookOptions
from rpl.tasks.gym.requirements import episode_limit
from rpl.tasks.gym.task import MakeEnv

# Episodes of users have any length, and are few: evaluations and updates are counted in steps.
STEPS_PER_EPOCH = 10_000
STEPS_PER_UPDATE = 4
FEWEST_JUDGED, MOST_JUDGED = 20, 50  # episodes; between them as many steps as an epoch trains
LONGEST_VIEW = 100  # steps: a discount of 0.99, also where episodes are longer


@dataclass(frozen=True)
class TaskSpec:
    """A task and its variations."""

    source: str | MakeEnv
    """A name in TASKS, a Gymnasium id, ``module:factory``, or the factory."""
    options: TaskOptions

    @property
    def name(self) -> str:
        """As ``config.json`` records it."""
        return name_of(self.source)

    @property
    def entry(self) -> TaskEntry | None:
        """Its row in the catalog; None for a user's environment."""
        return TASKS.get(self.name)


@dataclass(frozen=True)
class ControllerSpec:
    """A controller and its settings."""

    source: object = None
    """A name in CONTROLLERS, ``module:controller``, a file or the object; None acts for none."""
    options: Settings | None = None
    """None where its code has its settings."""

    @property
    def name(self) -> str | None:
        """As ``config.json`` records it."""
        return None if self.source is None else name_of(self.source)


@dataclass(frozen=True)
class RunSpec:
    """Everything that decides a run."""

    task: TaskSpec
    method: str
    """A name in METHODS."""
    controller: ControllerSpec
    config: Config | PETSConfig
    preset: str | None = None
    """Where the configuration began; None if it was made by hand."""

    @property
    def row(self) -> Method:
        """The method's row in the catalog."""
        return find("method", METHODS, self.method)

    @property
    def learner(self) -> str | None:
        """A name in LEARNERS; None for a planner."""
        return self.config.learner.algorithm if isinstance(self.config, Config) else None


def resolve(
    task: str | MakeEnv,
    method: str = "rpl",
    *,
    preset: str | None = None,
    learner: str | None = None,
    controller: object = None,
    task_options: TaskOptions | None = None,
    controller_options: Settings | None = None,
    config: Config | None = None,
) -> RunSpec:
    """Decides what was left open.

    Args:
        task: a name in TASKS, a Gymnasium id, ``module:factory``, or the factory.
        method: a name in METHODS.
        preset: a name in ``presets_of(method)``; None for the method's own.
        learner: a name in LEARNERS; None for that of the configuration.
        controller: see ``ControllerSpec``; None for the task's.
        task_options: the task's variations; None for its own, with the preset's physics.
        controller_options: the controller's settings; None for its own.
        config: in place of a preset's.

    Raises:
        UnknownName: if there is no such name, or the controller is for other tasks.
        UnsuitableEnvironment: if nobody says how long episodes are.
    """
    row, name = find("method", METHODS, method), name_of(task)
    if isinstance(task, str):
        check_task(task)
    if config is None:
        preset = preset or row.preset
        find("preset", presets_of(row), preset)
    spec = TaskSpec(task, task_options or default_options(name, None if row.plans else preset))
    settings = config or default_config(spec, row, preset or row.preset)
    if isinstance(settings, PETSConfig):
        return RunSpec(spec, method, ControllerSpec(), settings, preset)
    settings = settings if learner is None else with_learner(settings, learner)
    acting = resolve_controller(name, controller, controller_options)
    return RunSpec(spec, method, acting, settings, preset)


def presets_of(row: Method) -> Mapping[str, Preset] | Mapping[str, PETSConfig]:
    """What a method can start from, by name."""
    return PLANNERS if row.plans else PRESETS


def default_options(task: str, preset: str | None = None) -> TaskOptions:
    """The variations of a task, with a preset's physics where the task leaves a choice."""
    options = TASKS[task].options if task in TASKS else EnvironmentOptions()
    return options if preset is None else with_physics(options, PRESETS[preset].physics)


def with_physics(options: TaskOptions, physics: object) -> TaskOptions:
    """The options with a kind of physics, where the task leaves a choice."""
    if isinstance(options, (FetchOptions, HookOptions)):
        return replace(options, physics=physics)
    return options


def default_config(task: TaskSpec, row: Method, preset: str) -> Config | PETSConfig:
    """A preset with the method's differences, in the rhythm of the task's episodes."""
    if row.plans:
        return PLANNERS[preset]
    published = preset_for(PUBLISHED, task.name).config
    config = row.configure(preset_for(preset, task.name, row.residual).config, published)
    if not isinstance(task.options, EnvironmentOptions):
        return config
    horizon = task.options.max_episode_steps or limit_of(task.source, task.options)
    return config_for_horizon(config, horizon, task.options.processes)


def resolve_controller(
    task: str, given: object = None, options: Settings | None = None
) -> ControllerSpec:
    """The controller of a run and its settings; that of the task if none is given.

    Raises:
        UnknownName: if the name is unknown, or the controller is for other tasks.
    """
    source = given
    if given is None or isinstance(given, str):
        source = controller_name(task, given)
    settings = settings_of(source)
    return ControllerSpec(source, settings and (options or settings))


def require_controller(spec: RunSpec) -> None:
    """Refuses a run that nobody gave the controller it needs.

    Raises:
        UnknownName: with how to name one.
    """
    if spec.row.asks_controller and spec.controller.source is None:
        raise UnknownName(
            f"{spec.task.name} has no controller of its own: name yours with --controller, as "
            "module:controller, or an .onnx or .npz file"
        )


def settings_of(controller: object) -> Settings | None:
    """The default settings of a controller of the catalog; None of any other's."""
    if not isinstance(controller, str) or controller not in CONTROLLERS:
        return None
    return without_task(controller)


@functools.cache
def without_task(controller: str) -> Settings:
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


@dataclass(frozen=True)
class NoSettings:
    """A custom controller has its settings in its code."""


def limit_of(source: str | MakeEnv, options: EnvironmentOptions) -> int:
    """The most steps of an episode of an environment, as it says itself."""
    env = environment_maker(source, keywords=options.keywords())()
    try:
        return episode_limit(env)
    finally:
        env.close()


def config_for_horizon(config: Config, horizon: int, processes: int = 1) -> Config:
    """A preset in the rhythm of episodes of ``horizon`` steps.

    Args:
        config: the preset's.
        horizon: T, the most steps of an episode.
        processes: environments at once; cycles are filled up to a multiple.
    """
    view = min(horizon, LONGEST_VIEW)
    fitted, seen = paced(config, horizon), paced(config, view)
    episodes = math.ceil(fitted.episodes_per_cycle / processes) * processes
    steps = episodes * horizon
    updates = max(steps // STEPS_PER_UPDATE, 1)
    return replace(
        config,
        steps=100_000,
        episodes_per_cycle=episodes,
        cycles_per_epoch=max(round(STEPS_PER_EPOCH / steps), 1),
        evaluation_episodes=min(max(STEPS_PER_EPOCH // horizon, FEWEST_JUDGED), MOST_JUDGED),
        final_evaluation_episodes=100,
        # What an action does here nobody knows: a disturbance is as large as in the preset.
        exploration=replace(
            fitted.exploration, noise=config.exploration.noise, hold=seen.exploration.hold
        ),
        # Sums as long as disturbances stay; where they do not, as the preset says.
        replay=seen.replay if config.exploration.hold > 1.0 else config.replay,
        learner=replace(
            config.learner,
            discount=1.0 - 1.0 / view,
            updates_per_cycle=updates,
            # Target networks move once a cycle: as far as in as many cycles of the preset.
            polyak=config.learner.polyak ** (updates / config.learner.updates_per_cycle),
        ),
        burn_in=config.burn_in
        if config.burn_in.is_none
        else replace(config.burn_in, minimum_steps=10_000),
    )
