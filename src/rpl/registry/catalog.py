"""The one place where tasks, controllers and methods have names and go together."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, replace
from typing import Any

from rpl.config import BurnInConfig, Config, ExplorationConfig
from rpl.controllers.cached import CachedPETS
from rpl.controllers.discrete_mpc import DiscreteMPCPush
from rpl.controllers.hook import ReactiveHook
from rpl.controllers.pick_and_place import ReactivePickAndPlace
from rpl.controllers.push import ReactivePush
from rpl.presets import PRESETS, PUBLISHED, Preset
from rpl.problem import Metric
from rpl.registry.names import (
    EnvironmentOptions,
    UnknownName,
    did_you_mean,
    find,
    is_custom_controller,
    is_user_task,
)
from rpl.settings import Settings
from rpl.tasks.fetch.options import FetchOptions, HookOptions
from rpl.tasks.pusher.options import PusherOptions
from rpl.tasks.variants import VARIANTS, Variant

TaskOptions = FetchOptions | HookOptions | PusherOptions | EnvironmentOptions


@dataclass(frozen=True)
class TaskEntry:
    """A task of the paper."""

    summary: str
    variant: Variant
    controller: str
    """The paper's controller for it."""
    value_bounds: tuple[float, float] | None = None
    """What discounted returns can be; None derives it from rewards of -1 and 0."""
    metric: Metric = "success"
    """Which outcome of an episode says how good it was."""

    @property
    def options(self) -> TaskOptions:
        """The task's variations; ``--task.*`` on the command line."""
        return self.variant.options

    @property
    def horizon(self) -> int:
        """T, the most steps of an episode."""
        return self.variant.horizon

    @property
    def sparse(self) -> bool:
        """Whether its rewards are -1, and 0 at the goal."""
        return self.value_bounds is None


@dataclass(frozen=True)
class ControllerEntry:
    """A controller of the paper; its dataclass fields are ``--controller.*``."""

    summary: str
    make: type
    """A dataclass; a field ``layout`` is filled with the task's, ``task`` with the task itself."""
    tasks: tuple[str, ...]
    """Where it makes sense."""

    @property
    def from_task(self) -> tuple[str, ...]:
        """The fields that the task fills; the others are the controller's settings."""
        names = [field.name for field in dataclasses.fields(self.make)]
        return tuple(name for name in ("layout", "task") if name in names)

    def settings(self) -> Settings:
        """Its default settings: an instance that has no task yet."""
        return self.make(**dict.fromkeys(self.from_task))

    @property
    def plans(self) -> bool:
        """Whether it continues copies of the task's simulation."""
        return "task" in self.from_task


@dataclass(frozen=True)
class Method:
    """A row of the comparison: what is learned, on which task, exploring how."""

    summary: str
    residual: bool = False
    """Learn the residual on the controller; else the whole action."""
    plans: bool = False
    """Learn a model of the task instead, and plan with it: no controller, no evaluations, and a
    policy that takes its time."""
    preset: str = "fast"
    """The preset where none is named."""
    exploration: ExplorationConfig | None = None
    """In place of the preset's."""
    published_exploration: bool = False
    """Explore as published for the task, whatever the preset."""
    burn_in: BurnInConfig | None = None
    """In place of the preset's."""
    learner: tuple[tuple[str, Any], ...] = ()
    """Learner settings in place of the preset's."""

    @property
    def asks_controller(self) -> bool:
        """Whether what is learned depends on the controller, which else is only a level."""
        return self.residual or (self.exploration is not None and self.exploration.expert > 0.0)

    def configure(self, config: Config, published: Config = PRESETS[PUBLISHED].config) -> Config:
        """The preset's configuration with this method's differences.

        Args:
            published: the task's published one.
        """
        kept = published if self.published_exploration else config
        return replace(
            config,
            exploration=self.exploration or kept.exploration,
            burn_in=self.burn_in or config.burn_in,
            learner=replace(config.learner, **dict(self.learner)),
        )


TASKS: dict[str, TaskEntry] = {
    "push": TaskEntry("push a cube to a goal on the table", VARIANTS["Push"], "reactive-push"),
    "slippery-push": TaskEntry(
        "the same with a fifth of the friction", VARIANTS["SlipperyPush"], "reactive-push"
    ),
    "pick-and-place": TaskEntry(
        "carry a cube to a goal on or above the table",
        VARIANTS["PickAndPlace"],
        "reactive-pick-and-place",
    ),
    "hook": TaskEntry(
        "drag a cube that is out of reach with a hook", VARIANTS["Hook"], "reactive-hook"
    ),
    "noisy-hook": TaskEntry("the same under sensor noise", VARIANTS["NoisyHook"], "reactive-hook"),
    "complex-hook": TaskEntry(
        "the same with other objects, over bumps that are not observed",
        VARIANTS["ComplexHook"],
        "reactive-hook",
    ),
    "mbrl-pusher": TaskEntry(
        "push a cylinder to a place with the torques of seven joints; dense reward",
        VARIANTS["MBRLPusher"],
        "cached-pets",
        value_bounds=(-math.inf, 0.0),
        metric="return",
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
    "reactive-hook": ControllerEntry(
        "grasps the hook, puts it behind the object, pulls",
        ReactiveHook,
        ("hook", "noisy-hook", "complex-hook"),
    ),
    "discrete-mpc-push": ControllerEntry(
        "searches ten situations ahead in copies of the simulator; slow",
        DiscreteMPCPush,
        ("push", "slippery-push"),
    ),
    "cached-pets": ControllerEntry(
        "does what a planner with a learned model did in the nearest of 500 states",
        CachedPETS,
        ("mbrl-pusher",),
    ),
}

NO_BURN_IN = BurnInConfig(rule="steps", minimum_steps=0)
# A fresh actor must be able to take any first action; a residual must not (paper, IV-A).
FROM_SCRATCH = (
    ("zero_last", False),
    ("actor_learning_rate", 1e-3),
    ("learning_rate_halving", None),
    ("polyak", 0.95),
    ("action_l2", 1.0),
    ("action_l2_by_error", False),
)
EPSILON, ALPHA = 0.6, 0.8  # Expert Explore, appendix B

METHODS: dict[str, Method] = {
    "rpl": Method("the residual on the controller", residual=True),
    "scratch": Method(
        "DDPG and HER without the controller",
        published_exploration=True,
        burn_in=NO_BURN_IN,
        learner=FROM_SCRATCH,
    ),
    "expert-explore": Method(
        "from scratch, the controller only helps to explore",
        exploration=ExplorationConfig(
            noise=0.0, random=EPSILON * (1 - ALPHA), expert=EPSILON * ALPHA
        ),
        burn_in=NO_BURN_IN,
        learner=FROM_SCRATCH,
    ),
    "pets": Method(
        "learns a model of the task and plans with it; needs no controller",
        plans=True,
        preset="small",
    ),
}


def check_task(name: str) -> None:
    """Refuses a name that is neither in TASKS nor one of somebody's own environment.

    Raises:
        UnknownName: with the names there are.
    """
    if name not in TASKS and not is_user_task(name):
        raise UnknownName(
            f"there is no task '{name}'; {did_you_mean(name, TASKS)}choose one of "
            f"{', '.join(TASKS)}, or name your own: a Gymnasium id, or module:function that makes "
            "one"
        )


def preset_for(name: str, task: str | None, residual: bool = True) -> Preset:
    """The preset of a name, as it is on a task, for methods that learn a residual or none.

    ``paper`` is what was published for the task, the others are paced for its episodes.
    """
    preset = find("preset", PRESETS, name).of(residual)
    if task not in TASKS:
        return preset
    entry = TASKS[task]
    return replace(preset, config=preset.on(task, entry.horizon, entry.sparse))


def controller_name(task: str, given: str | None) -> str | None:
    """The controller that a run uses: the one given, else the task's; None without either.

    Raises:
        UnknownName: if there is no such controller, or it is for other tasks.
    """
    if given is None and task in TASKS:
        return TASKS[task].controller
    if given is None or is_custom_controller(given):
        return given
    entry = find("controller", CONTROLLERS, given)
    if task not in entry.tasks:
        raise UnknownName(
            f"'{given}' is a controller for {', '.join(entry.tasks)}, not for {task}: name your "
            "own as module:controller, or an .onnx or .npz file"
        )
    return given
