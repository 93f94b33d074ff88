"""The paper's tasks, registered with Gymnasium as ``rpl/Push-v0`` and so on.

``gymnasium.make`` gives one environment, ``gymnasium.make_vec`` a batched one; both take
the task's variations (``physics="lean"``, ``friction=...``, ``noise=...``) as keywords.
"""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import gymnasium

from rpl.tasks import rendering  # noqa: F401  chooses the GL backend before MuJoCo is imported
from rpl.tasks.fetch.hook import (
    COMPLEX_HOOK,
    HOOK,
    NOISY_HOOK,
    HookOptions,
    HookTask,
    make_hook_task,
)
from rpl.tasks.fetch.table import PICK_AND_PLACE, PUSH, SLIPPERY_PUSH, FetchOptions, FetchTask
from rpl.tasks.goal_task import GoalTask
from rpl.tasks.layout import Layout
from rpl.tasks.pusher.task import MBRL_PUSHER, PusherOptions, PusherTask
from rpl.tasks.wrappers import History, SingleTask

__all__ = [
    "COMPLEX_HOOK",
    "HOOK",
    "MBRL_PUSHER",
    "NOISY_HOOK",
    "PICK_AND_PLACE",
    "PUSH",
    "SLIPPERY_PUSH",
    "FetchOptions",
    "FetchTask",
    "GoalTask",
    "History",
    "HookOptions",
    "HookTask",
    "Layout",
    "PusherOptions",
    "PusherTask",
    "SingleTask",
    "make_hook_task",
]

_Make = Callable[..., GoalTask]
VARIANTS: dict[str, tuple[_Make, FetchOptions | HookOptions | PusherOptions, int]] = {
    "Push": (FetchTask, PUSH, FetchTask.horizon),
    "SlipperyPush": (FetchTask, SLIPPERY_PUSH, FetchTask.horizon),
    "PickAndPlace": (FetchTask, PICK_AND_PLACE, FetchTask.horizon),
    "Hook": (make_hook_task, HOOK, HookTask.horizon),
    "NoisyHook": (make_hook_task, NOISY_HOOK, HookTask.horizon),
    "ComplexHook": (make_hook_task, COMPLEX_HOOK, HookTask.horizon),
    "MBRLPusher": (PusherTask, MBRL_PUSHER, PusherTask.horizon),
}
"""By name: what makes the batched task, its options, and its horizon."""


def make_batched(variant: str, num_envs: int = 1, **keywords: Any) -> GoalTask:
    """The batched task of a Gymnasium name, with variations as keywords."""
    make, options, _ = VARIANTS[variant]
    names = {field.name for field in fields(options)} & keywords.keys()
    variations = {name: keywords.pop(name) for name in names}
    return make(num_envs, replace(options, **variations), **keywords)


def make_single(variant: str, **keywords: Any) -> SingleTask:
    """One environment of a Gymnasium name."""
    return SingleTask(make_batched(variant, num_envs=1, num_threads=1, **keywords))


for _variant, (*_, _horizon) in VARIANTS.items():
    gymnasium.register(
        id=f"rpl/{_variant}-v0",
        entry_point="rpl.tasks:make_single",
        vector_entry_point="rpl.tasks:make_batched",
        max_episode_steps=_horizon,
        kwargs={"variant": _variant},
    )
