"""Whole episodes, as they happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from rpl.observations import Arrays


@dataclass
class Episodes:
    """A batch of n whole episodes of at most T steps, and what happened in them.

    Steps beyond an episode's ``length`` hold zeros.
    """

    observation: Arrays
    """What the learner is shown, by the names of its parts, each (n, T + 1, size) float32; see
    ``rpl.observations.Seen``. Without the base action, which stands beside."""
    achieved_goal: np.ndarray
    """(n, T + 1, goal_dim) float32; of width 0 on tasks without goals"""
    base_action: np.ndarray
    """(n, T + 1, action_dim) float32: what the base policy would do; of width 0 without one"""
    action: np.ndarray
    """(n, T, action_dim) float32: what was executed"""
    reward: np.ndarray
    """(n, T) float32"""
    length: np.ndarray
    """(n,) int32: steps taken"""
    terminated: np.ndarray
    """(n,) bool: ended by the task itself rather than by the clock"""
    success: np.ndarray
    """(n,) bool: the goal was reached at the last step"""
    index: np.ndarray
    """(n,) int: which of the seeds asked for"""
    dropped: int = 0
    """Episodes left out because a state or a reward was not finite."""

    def __len__(self) -> int:
        return len(self.length)

    @property
    def returns(self) -> np.ndarray:
        """(n,) undiscounted returns."""
        return self.reward.sum(axis=1, dtype=np.float64)

    @property
    def steps(self) -> int:
        """Environment steps in these episodes."""
        return int(self.length.sum())

    @property
    def taken(self) -> np.ndarray:
        """Which steps were taken, (n, T) bool."""
        return np.arange(self.action.shape[1]) < self.length[:, None]


def join(rounds: Sequence[Episodes]) -> Episodes:
    """All episodes of several rounds."""

    def joined(name: str) -> np.ndarray | Arrays:
        parts = [getattr(r, name) for r in rounds]
        if isinstance(parts[0], dict):
            return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
        return np.concatenate(parts)

    names = [field.name for field in fields(Episodes) if field.name != "dropped"]
    return Episodes(
        **{name: joined(name) for name in names},  # type: ignore[arg-type]
        dropped=sum(r.dropped for r in rounds),
    )
