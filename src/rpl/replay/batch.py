"""What a gradient step learns from."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

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
