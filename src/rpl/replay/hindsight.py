"""What a task pays and when it ends, as functions of goals: what hindsight asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

OfGoals = Callable[[np.ndarray, np.ndarray, Any], np.ndarray]
"""Something that follows from achieved goals (n, goal_dim), desired goals and an info: (n,).

The info has, as stored, ``{"observation", "action", "desired_goal", "reward"}`` of the steps: the
observation after the step, and the goal that the reward was earned with.
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


def relabelled_by_difference(compute_reward: OfGoals) -> OfGoals:
    """Hindsight's reward where the task's own depends on the executed action.

    The replay holds the residual and not the executed action. The stored reward is right
    for the goal it was earned with, and a new goal adds the difference of the two goals'
    rewards: r + R(s', g', a) - R(s', g, a), in which a cancels as long as the reward is a
    sum of a term without the goal and one without the action.

    Args:
        compute_reward: the task's.
    """

    def relabelled(achieved_goal: np.ndarray, desired_goal: np.ndarray, info: Any) -> np.ndarray:
        earned_with = compute_reward(achieved_goal, info["desired_goal"], info)
        return info["reward"] + compute_reward(achieved_goal, desired_goal, info) - earned_with

    return relabelled
