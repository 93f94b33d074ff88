"""The paper's tasks, registered with Gymnasium as ``rpl/Push-v0`` and so on.

``gymnasium.make`` gives one environment, ``gymnasium.make_vec`` a batched one; both take
the task's variations (``physics="lean"``, ``friction=...``, ``noise=...``) as keywords.
"""

from __future__ import annotations

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

FETCH_TASKS = {"Push": PUSH, "SlipperyPush": SLIPPERY_PUSH, "PickAndPlace": PICK_AND_PLACE}
HOOK_TASKS = {"Hook": HOOK, "NoisyHook": NOISY_HOOK, "ComplexHook": COMPLEX_HOOK}
PUSHER_TASKS = {"MBRLPusher": MBRL_PUSHER}


def make_batched(variant: str, num_envs: int = 1, **keywords: Any) -> GoalTask:
    """The batched task of a Gymnasium name, with variations as keywords."""
    preset = {**FETCH_TASKS, **HOOK_TASKS, **PUSHER_TASKS}[variant]
    names = {field.name for field in fields(preset)}
    variations = {name: keywords.pop(name) for name in names & keywords.keys()}
    options = replace(preset, **variations)
    if isinstance(options, FetchOptions):
        return FetchTask(num_envs, options, **keywords)
    if isinstance(options, PusherOptions):
        return PusherTask(num_envs, options, **keywords)
    return make_hook_task(num_envs, options, **keywords)


def make_single(variant: str, **keywords: Any) -> SingleTask:
    """One environment of a Gymnasium name."""
    return SingleTask(make_batched(variant, num_envs=1, num_threads=1, **keywords))


def _register() -> None:
    for horizon, variants in ((50, FETCH_TASKS), (100, HOOK_TASKS), (150, PUSHER_TASKS)):
        for variant in variants:
            gymnasium.register(
                id=f"rpl/{variant}-v0",
                entry_point="rpl.tasks:make_single",
                vector_entry_point="rpl.tasks:make_batched",
                max_episode_steps=horizon,
                kwargs={"variant": variant},
            )


_register()
