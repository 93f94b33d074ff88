"""The paper's tasks: what each is made by, with which options, and how long its episodes are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

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
from rpl.tasks.needed import needed
from rpl.tasks.pusher.options import MBRL_PUSHER, PusherOptions
from rpl.tasks.wrappers import SingleTask

if TYPE_CHECKING:
    from rpl.tasks.goal_task import GoalTask


@dataclass(frozen=True)
class Variant:
    """A task of the paper."""

    options: FetchOptions | HookOptions | PusherOptions
    maker: str
    """``module:name`` of what makes it, imported where it is asked for: it needs MuJoCo."""
    horizon: int
    """T, the most steps of an episode."""

    @property
    def make(self) -> Callable[..., GoalTask]:
        """make(num_envs, options, **keywords)

        Raises:
            NeedsMuJoCo: if it cannot be made here.
        """
        module, _, name = self.maker.partition(":")
        return getattr(needed(module), name)


def _fetch(options: FetchOptions) -> Variant:
    return Variant(options, "rpl.tasks.fetch.table:FetchTask", 50)


def _hook(options: HookOptions) -> Variant:
    return Variant(options, "rpl.tasks.fetch.hook:make_hook_task", 100)


VARIANTS = {
    "Push": _fetch(PUSH),
    "SlipperyPush": _fetch(SLIPPERY_PUSH),
    "PickAndPlace": _fetch(PICK_AND_PLACE),
    "Hook": _hook(HOOK),
    "NoisyHook": _hook(NOISY_HOOK),
    "ComplexHook": _hook(COMPLEX_HOOK),
    "MBRLPusher": Variant(MBRL_PUSHER, "rpl.tasks.pusher.task:PusherTask", 150),
}
"""By the name that Gymnasium registers: ``rpl/<name>-v0``."""


def make_batched(variant: str, num_envs: int = 1, **keywords: object) -> GoalTask:
    """The batched task of a Gymnasium name, with variations as keywords.

    Raises:
        NeedsMuJoCo: if it cannot be made here.
    """
    made = VARIANTS[variant]
    names = {field.name for field in fields(made.options)} & keywords.keys()
    variations = {name: keywords.pop(name) for name in names}
    return made.make(num_envs, replace(made.options, **variations), **keywords)


def make_single(variant: str, **keywords: object) -> SingleTask:
    """One environment of a Gymnasium name.

    Raises:
        NeedsMuJoCo: if it cannot be made here.
    """
    return SingleTask(make_batched(variant, num_envs=1, num_threads=1, **keywords))
