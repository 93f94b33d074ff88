"""The one place where tasks, controllers and methods have names and go together."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from gymnasium.vector import VectorEnv

from rpl.config import BurnInConfig, Config, ExplorationConfig
from rpl.controllers.pick_and_place import ReactivePickAndPlace
from rpl.controllers.push import ReactivePush
from rpl.residual import Controller, Residual
from rpl.tasks.fetch import PICK_AND_PLACE, PUSH, SLIPPERY_PUSH, FetchOptions, FetchTask
from rpl.tasks.goal_task import GoalTask
from rpl.train import Problem


class UnknownName(KeyError):
    """A name that the catalog does not have; the message lists those it has."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True)
class TaskEntry:
    """A task of the paper."""

    summary: str
    options: FetchOptions
    """The task's variations; ``--task.*`` on the command line."""
    make: Callable[..., GoalTask]
    """make(num_envs, options, **keywords)"""
    controller: str
    """The paper's controller for it."""
    horizon: int


@dataclass(frozen=True)
class ControllerEntry:
    """A controller of the paper; its dataclass fields are ``--controller.*``."""

    summary: str
    make: type
    """A dataclass whose first field is the task's layout."""
    tasks: tuple[str, ...]
    """Where it makes sense."""


@dataclass(frozen=True)
class Method:
    """A row of the comparison: what is learned, on which task, exploring how."""

    summary: str
    residual: bool
    """Learn the residual on the controller; else the whole action."""
    exploration: ExplorationConfig | None = None
    """In place of the preset's."""
    burn_in: BurnInConfig | None = None
    """In place of the preset's."""
    learner: tuple[tuple[str, Any], ...] = ()
    """Learner settings in place of the preset's."""

    def configure(self, config: Config) -> Config:
        """The preset's configuration with this method's differences."""
        return replace(
            config,
            exploration=self.exploration or config.exploration,
            burn_in=self.burn_in or config.burn_in,
            learner=replace(config.learner, **dict(self.learner)),
        )


TASKS: dict[str, TaskEntry] = {
    "push": TaskEntry("push a cube to a goal on the table", PUSH, FetchTask, "reactive-push", 50),
    "slippery-push": TaskEntry(
        "the same with a fifth of the friction", SLIPPERY_PUSH, FetchTask, "reactive-push", 50
    ),
    "pick-and-place": TaskEntry(
        "carry a cube to a goal on or above the table",
        PICK_AND_PLACE,
        FetchTask,
        "reactive-pick-and-place",
        50,
    ),
}

CONTROLLERS: dict[str, ControllerEntry] = {
    "reactive-push": ControllerEntry(
        "goes behind the block and pushes; tuned on push",
        ReactivePush,
        ("push", "slippery-push"),
    ),
    "reactive-pick-and-place": ControllerEntry(
        "grasps and carries; carrying_gain 100 is miscalibrated, 10 tuned",
        ReactivePickAndPlace,
        ("pick-and-place",),
    ),
}

NO_BURN_IN = BurnInConfig(rule="steps", minimum_steps=0)
# A fresh actor must be able to take any first action; a residual must not (paper, IV-A).
FROM_SCRATCH = (("zero_last", False), ("actor_learning_rate", 1e-3), ("polyak", 0.95))
EPSILON, ALPHA = 0.6, 0.8  # Expert Explore, appendix B

METHODS: dict[str, Method] = {
    "rpl": Method("the residual on the controller", residual=True),
    "scratch": Method(
        "DDPG and HER without the controller",
        residual=False,
        exploration=ExplorationConfig(noise=0.2, random=0.3),
        burn_in=NO_BURN_IN,
        learner=FROM_SCRATCH,
    ),
    "expert-explore": Method(
        "from scratch, the controller only helps to explore",
        residual=False,
        exploration=ExplorationConfig(
            noise=0.0, random=EPSILON * (1 - ALPHA), expert=EPSILON * ALPHA
        ),
        burn_in=NO_BURN_IN,
        learner=FROM_SCRATCH,
    ),
}


def find(kind: str, entries: dict[str, Any], name: str) -> Any:
    """The entry of a name.

    Raises:
        UnknownName: with the names there are.
    """
    if name not in entries:
        raise UnknownName(f"there is no {kind} '{name}'; choose one of {', '.join(entries)}")
    return entries[name]


def make_controller(name: str, task: VectorEnv, options: Any = None) -> Controller:
    """A controller for a task, with ``options`` (an instance without a layout) if given."""
    cls = find("controller", CONTROLLERS, name).make
    values = {}
    if options is not None:
        values = {f.name: getattr(options, f.name) for f in dataclasses.fields(cls)[1:]}
    return cls(task.unwrapped.layout, **values)  # type: ignore[attr-defined]


def make_problem(
    task: str,
    method: str,
    config: Config,
    task_options: FetchOptions | None = None,
    controller: str | None = None,
    controller_options: Any = None,
    render_mode: str | None = None,
) -> Problem:
    """Builds what a run learns.

    Args:
        task: a name in TASKS.
        method: a name in METHODS.
        config: the run's configuration.
        task_options: the task's variations; None for its own.
        controller: a name in CONTROLLERS; None for the task's.
        controller_options: a controller instance whose settings to use.
        render_mode: of the evaluation task.
    """
    entry = find("task", TASKS, task)
    options = entry.options if task_options is None else task_options

    def make(num_envs: int, **keywords: Any) -> GoalTask:
        return entry.make(num_envs, options, num_threads=config.num_threads, **keywords)

    bare = make(config.evaluation_episodes, render_mode=render_mode)
    acting = make_controller(controller or entry.controller, bare, controller_options)

    def prepared(bare_task: GoalTask) -> VectorEnv:
        if not find("method", METHODS, method).residual:
            return bare_task
        return Residual(bare_task, acting, config.residual.scale, config.residual.clip_controller)

    return Problem(
        task=prepared(make(config.episodes_per_cycle)),
        evaluation_task=prepared(make(config.evaluation_episodes, render_mode=render_mode)),
        controller_task=bare,
        controller=acting,
        horizon=entry.horizon,
        compute_reward=bare.compute_reward,
    )
