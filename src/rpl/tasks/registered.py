"""The paper's tasks as Gymnasium makes them, batched or alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

from rpl.tasks.fetch.hook import make_hook_task
from rpl.tasks.fetch.options import (
    COMPLEX_HOOK,
    HOOK,
    NOISY_HOOK,
    PICK_AND_PLACE,
    PUSH,
    SLIPPERY_PUSH,
    FetchOptions,
    HookOptions,
)
from rpl.tasks.fetch.table import FetchTask
from rpl.tasks.goal_task import GoalTask
from rpl.tasks.pusher.options import MBRL_PUSHER, PusherOptions
from rpl.tasks.pusher.task import PusherTask
from rpl.tasks.wrappers import SingleTask

_Make = Callable[..., GoalTask]
VARIANTS: dict[str, tuple[_Make, FetchOptions | HookOptions | PusherOptions]] = {
    "Push": (FetchTask, PUSH),
    "SlipperyPush": (FetchTask, SLIPPERY_PUSH),
    "PickAndPlace": (FetchTask, PICK_AND_PLACE),
    "Hook": (make_hook_task, HOOK),
    "NoisyHook": (make_hook_task, NOISY_HOOK),
    "ComplexHook": (make_hook_task, COMPLEX_HOOK),
    "MBRLPusher": (PusherTask, MBRL_PUSHER),
}
"""By name: what makes the batched task, and its options."""


def make_batched(variant: str, num_envs: int = 1, **keywords: Any) -> GoalTask:
    """The batched task of a Gymnasium name, with variations as keywords."""
    make, options = VARIANTS[variant]
    names = {field.name for field in fields(options)} & keywords.keys()
    variations = {name: keywords.pop(name) for name in names}
    return make(num_envs, replace(options, **variations), **keywords)


def make_single(variant: str, **keywords: Any) -> SingleTask:
    """One environment of a Gymnasium name."""
    return SingleTask(make_batched(variant, num_envs=1, num_threads=1, **keywords))
