"""What a task pays and when it ends, as functions of goals: what hindsight asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

OfGoals = Callable[[np.ndarray, np.ndarray, Any], np.ndarray]
"""Something that follows from achieved goals (n, goal_dim), desired goals and an info: (n,).

The info has ``{"observation", "action"}`` of the steps: the observation after the step, and the
action that was executed.
"""


class GoalRules(NamedTuple):
    """What a task pays, and when it ends, with a goal put in afterwards."""

    compute_reward: OfGoals
    compute_terminated: OfGoals | None = None
    """Whether a step ends its episode; None where goals have no say in that."""


def needs_more_than_goals(name: str, error: Exception) -> str:
    """What to do about a rule of an environment that raises when hindsight asks it."""
    return (
        f"{name} raises {type(error).__name__} ({error}) for two goals and an empty info, which is "
        "what hindsight asks: let it follow from the goals alone, or train with "
        "--replay.hindsight 0"
    )
