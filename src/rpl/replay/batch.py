"""What a gradient step learns from, and which stored steps it is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

from rpl.observations import map_parts

Array = TypeVar("Array")
"""NumPy's where drawn, JAX's where learned from."""


class Batch(NamedTuple, Generic[Array]):
    """Transitions, or runs of n of them, each with leading dimensions (..., batch)."""

    observation: dict[str, Array]
    """What the learner is shown, by the names of its parts, with the goal as relabelled."""
    base_action: Array | None
    """What the base policy did for the episode's own goal; None where there is none."""
    action: Array
    """What was executed."""
    reward: Array
    """r, or the n rewards' discounted sum."""
    next_observation: dict[str, Array]
    """What follows after the run."""
    next_base_action: Array | None
    """What the base policy would do next."""
    terminated: Array
    """1 where the episode ended by itself: nothing follows. 0 at a truncation."""
    discount: Array
    """gamma^n, what the next value counts for; n is less where the episode ends earlier."""


class Drawn(NamedTuple):
    """Steps of stored episodes, each array (n, ...)."""

    episode: np.ndarray
    """Slots."""
    t: np.ndarray
    goal: np.ndarray | None
    """As relabelled; None without goals."""
    relabelled: np.ndarray

    def after(self, k: int, which: np.ndarray) -> Drawn:
        """What follows k steps after some of them."""
        goal = None if self.goal is None else self.goal[which]
        return Drawn(self.episode[which], self.t[which] + k, goal, self.relabelled[which])


def mapped(change: Callable[..., Any], *batches: Batch[Any]) -> Batch[Any]:
    """Applies a function to every array of a batch, or to those of several alike."""
    changed: list[Any] = [
        None if alike[0] is None else map_parts(change, *alike)
        for alike in zip(*batches, strict=True)
    ]
    return Batch(*changed)
