"""What a gradient step learns from, and which stored steps it is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

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


def mapped(batch: Batch[Any], change: Callable[[Any], Any]) -> Batch[Any]:
    """The batch with every array changed."""

    def changed(part: Any) -> Any:
        if isinstance(part, dict):
            return {name: change(array) for name, array in part.items()}
        return None if part is None else change(part)

    return Batch(*map(changed, batch))


def side_by_side(first: Batch[Any], second: Batch[Any], axis: int) -> Batch[Any]:
    """Two batches of the same parts as one, the second behind the first along an axis."""

    def joined(one: Any, other: Any) -> Any:
        if isinstance(one, dict):
            return {name: joined(part, other[name]) for name, part in one.items()}
        return None if one is None else np.concatenate([one, other], axis=axis)

    return Batch(*map(joined, first, second))
