"""The paper's tasks, registered with Gymnasium as ``rpl/Push-v0`` and so on.

``gymnasium.make`` gives one environment, ``gymnasium.make_vec`` a batched one; both take
the task's variations (``physics="lean"``, ``friction=...``) as keywords.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import gymnasium

from rpl.tasks import rendering  # noqa: F401  chooses the GL backend before MuJoCo is imported
from rpl.tasks.fetch import PICK_AND_PLACE, PUSH, SLIPPERY_PUSH, FetchOptions, FetchTask
from rpl.tasks.goal_task import GoalTask
from rpl.tasks.layout import Layout
from rpl.tasks.single_task import SingleTask

__all__ = [
    "PICK_AND_PLACE",
    "PUSH",
    "SLIPPERY_PUSH",
    "FetchOptions",
    "FetchTask",
    "GoalTask",
    "Layout",
    "SingleTask",
]

FETCH_TASKS = {"Push": PUSH, "SlipperyPush": SLIPPERY_PUSH, "PickAndPlace": PICK_AND_PLACE}


def make_fetch(variant: str, num_envs: int = 1, **keywords: Any) -> FetchTask:
    """The batched Fetch task of a Gymnasium name, with variations as keywords."""
    names = {field.name for field in fields(FetchOptions)}
    variations = {name: keywords.pop(name) for name in names & keywords.keys()}
    options = replace(FETCH_TASKS[variant], **variations)
    return FetchTask(num_envs, options, **keywords)


def make_single_fetch(variant: str, **keywords: Any) -> SingleTask:
    """One Fetch environment of a Gymnasium name."""
    return SingleTask(make_fetch(variant, num_envs=1, num_threads=1, **keywords))


def _register() -> None:
    for variant in FETCH_TASKS:
        gymnasium.register(
            id=f"rpl/{variant}-v0",
            entry_point="rpl.tasks:make_single_fetch",
            vector_entry_point="rpl.tasks:make_fetch",
            max_episode_steps=50,
            kwargs={"variant": variant},
        )


_register()
