"""What a task pays and when it ends, as functions of goals: what hindsight asks."""

from __future__ import annotations

import contextlib
import reprlib
from collections.abc import Callable
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from numpy.typing import ArrayLike

from rpl.errors import Failure, frames_of_user_code

OfGoals = Callable[[np.ndarray, np.ndarray, Any], np.ndarray]
"""Something that follows from achieved goals (n, goal_dim), desired goals and an info: (n,).

The info has ``{"observation", "action"}`` of the steps: the observation after the step, and the
action that was executed.
"""


Rule = Callable[..., Any]
"""``compute_reward`` or ``compute_terminated`` of an environment: (achieved, desired, info)."""


class GoalRules(NamedTuple):
    """What a task pays, and when it ends, with a goal put in afterwards."""

    compute_reward: OfGoals
    compute_terminated: OfGoals | None = None
    """Whether a step ends its episode; None where goals have no say in that."""


def needs_more_than_goals(name: str, error: Exception) -> str:
    """What to do about a rule of an environment that raises when hindsight asks it."""
    if isinstance(error, TypeError) and not frames_of_user_code(error):
        return f"{name} cannot be called with (achieved_goal, desired_goal, info): {error}"
    return (
        f"{name} raises {type(error).__name__} ({error}) for two goals and an empty info, which is "
        "what hindsight asks: let it follow from the goals alone, or train with "
        "--replay.hindsight 0"
    )


class RuleError(Failure, ValueError):
    """A rule of an environment returned what hindsight cannot use."""


def numbers_of(name: str, returned: ArrayLike, count: int) -> np.ndarray:
    """What a rule of an environment returned for so many pairs of goals, (count,) float64.

    Raises:
        RuleError: if it is not as many finite real numbers.
    """
    with contextlib.suppress(TypeError, ValueError):
        values = np.asarray(returned, None if np.iscomplexobj(returned) else np.float64)
        if values.dtype == np.float64 and values.size == count and np.isfinite(values).all():
            return values.reshape(count)
    said = " ".join(reprlib.repr(returned).split())
    raise RuleError(
        f"{name} returned {said} for {count} pair{'s' * (count > 1)} of goals, as hindsight asks "
        "of it: let it return a finite number for each, or train with --replay.hindsight 0"
    )


def rule_of(env: gymnasium.Env, name: str) -> Rule | None:
    """``name(achieved_goal, desired_goal, info)`` of an environment, or of one that it wraps."""
    try:
        return env.get_wrapper_attr(name)
    except AttributeError:
        return None


def one_by_one(name: str, rule: Rule) -> OfGoals:
    """A rule of an environment, asked of each pair of goals with an empty info.

    The function raises RuleError where the rule does not return a number.
    """

    def of_goals(achieved: np.ndarray, desired: np.ndarray, info: object) -> np.ndarray:
        pairs = zip(achieved, desired, strict=True)
        return np.array([numbers_of(name, rule(a, d, {}), 1)[0] for a, d in pairs])

    return of_goals
