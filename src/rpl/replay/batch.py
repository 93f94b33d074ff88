"""What a gradient step learns from."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

Array = TypeVar("Array")
"""NumPy's where drawn, JAX's where learned from."""


class Batch(NamedTuple, Generic[Array]):
    """Transitions, or runs of n of them, each with leading dimensions (..., batch)."""

    observation: Array
    goal: Array
    action: Array
    """The residual or whatever the actor chose; where the critic judges sums, what was executed."""
    reward: Array
    """r, or the n rewards' discounted sum."""
    next_observation: Array
    """What follows after the run."""
    terminated: Array
    """1 where the episode ended by itself: nothing follows. 0 at a truncation."""
    discount: Array
    """gamma^n, what the next value counts for; n is less where the episode ends earlier."""
    proposed: Array | None = None
    """The controller's action for the observation and goal; None unless sums are judged."""
    next_proposed: Array | None = None
    """The same for the next observation."""
