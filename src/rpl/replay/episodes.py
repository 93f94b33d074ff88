"""Whole episodes, as they were seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np


@dataclass
class Episodes:
    """A batch of n whole episodes of at most T steps, and what was seen in them.

    Steps beyond an episode's ``length`` hold zeros. Tasks without goals have goal arrays
    of width 0.
    """

    observation: np.ndarray
    """(n, T + 1, observation_dim) float32"""
    achieved_goal: np.ndarray
    """(n, T + 1, goal_dim) float32"""
    desired_goal: np.ndarray
    """(n, T + 1, goal_dim) float32"""
    action: np.ndarray
    """(n, T, action_dim) float32: what the policy chose (the residual, under Residual)"""
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
    residual_size: np.ndarray
    """(n,) mean absolute residual; 0 where the task is not a Residual"""
    clipped_share: np.ndarray
    """(n,) share of action components that the bounds cut off; 0 likewise"""
    largest_deviation: np.ndarray
    """(n, action_dim): the furthest from the controller, see ``rpl.residual.deviation``"""
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


def join(rounds: Sequence[Episodes]) -> Episodes:
    """All episodes of several rounds."""
    arrays = {
        f.name: np.concatenate([getattr(r, f.name) for r in rounds])
        for f in fields(Episodes)
        if f.name != "dropped"
    }
    return Episodes(**arrays, dropped=sum(r.dropped for r in rounds))
