"""The paper's tasks, registered with Gymnasium as ``rpl/Push-v0`` and so on.

``gymnasium.make`` gives one environment, ``gymnasium.make_vec`` a batched one; both take
the task's variations (``physics="lean"``, ``friction=...``, ``noise=...``) as keywords.

They need MuJoCo, which is imported where they are made: all that concerns environments of users
works without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gymnasium

from rpl.tasks.drawing_backend import choose_gl_backend
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
from rpl.tasks.layout import Layout
from rpl.tasks.needed import needed
from rpl.tasks.pusher.options import MBRL_PUSHER, PusherOptions
from rpl.tasks.variants import VARIANTS
from rpl.tasks.wrappers import History, SingleTask

if TYPE_CHECKING:
    from rpl.tasks.fetch.hook import HookTask, make_hook_task
    from rpl.tasks.fetch.table import FetchTask
    from rpl.tasks.goal_task import GoalTask
    from rpl.tasks.pusher.task import PusherTask

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

choose_gl_backend()  # before MuJoCo is first imported

WITH_MUJOCO = {
    "FetchTask": "rpl.tasks.fetch.table",
    "GoalTask": "rpl.tasks.goal_task",
    "HookTask": "rpl.tasks.fetch.hook",
    "PusherTask": "rpl.tasks.pusher.task",
    "make_hook_task": "rpl.tasks.fetch.hook",
}
"""Where the names are whose modules need MuJoCo."""


def __getattr__(name: str) -> Any:
    if name not in WITH_MUJOCO:
        raise AttributeError(f"module 'rpl.tasks' has no attribute '{name}'")
    return getattr(needed(WITH_MUJOCO[name]), name)


for _name, _variant in VARIANTS.items():
    gymnasium.register(
        id=f"rpl/{_name}-v0",
        entry_point="rpl.tasks.variants:make_single",
        vector_entry_point="rpl.tasks.variants:make_batched",
        max_episode_steps=_variant.horizon,
        kwargs={"variant": _name},
    )
