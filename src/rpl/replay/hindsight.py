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


ROUNDING = 1e-6  # of rewards that were kept in float32
FEWEST_ENDS = 3  # before they say that the goal ends episodes


class Ends(NamedTuple):
    """The last steps of n episodes that ended by themselves."""

    reward: np.ndarray
    """(n,) as it was paid"""
    achieved: np.ndarray
    desired: np.ndarray
    info: Any


def ending_where_paid(rules: GoalRules, most_before: float, ends: Ends) -> GoalRules:
    """Rules by which reaching a goal ends an episode, if that is what the episodes say.

    They do where a few ended by themselves as they were paid more than any step before an end:
    then a step ends that pays more than that for its goal. Only ends count whose reward follows
    from their goal; a crash that costs something is none of them.

    Args:
        rules: that do not say when an episode ends.
        most_before: the most that a step paid which was not an episode's last.
        ends: how episodes ended.
    """
    reached = most_before + ROUNDING * max(abs(most_before), 1.0)
    paid = np.asarray(rules.compute_reward(ends.achieved, ends.desired, ends.info))
    by_goal = np.isclose(paid, ends.reward, rtol=1e-5, atol=ROUNDING)
    if not np.isfinite(most_before) or (by_goal & (paid > reached)).sum() < FEWEST_ENDS:
        return rules

    def ends_here(achieved: np.ndarray, desired: np.ndarray, info: Any) -> np.ndarray:
        return np.asarray(rules.compute_reward(achieved, desired, info)) > reached

    return rules._replace(compute_terminated=ends_here)


def needs_more_than_goals(name: str, error: Exception) -> str:
    """What to do about a rule of an environment that raises when hindsight asks it."""
    return (
        f"{name} raises {type(error).__name__} ({error}) for two goals and an empty info, which is "
        "what hindsight asks: let it follow from the goals alone, or train with "
        "--replay.hindsight 0"
    )
