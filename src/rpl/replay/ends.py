"""Whether reaching its goal ends an episode, as far as episodes say so and no rule does."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rpl.replay.hindsight import GoalRules

ROUNDING = 1e-6  # of rewards that were kept in float32
FEWEST_ENDS = 3  # before they say that the goal ends episodes


class Ends(NamedTuple):
    """The last steps of n episodes that ended by themselves."""

    reward: np.ndarray
    """(n,) as it was paid"""
    achieved: np.ndarray
    desired: np.ndarray
    info: object


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

    def ends_here(achieved: np.ndarray, desired: np.ndarray, info: object) -> np.ndarray:
        return np.asarray(rules.compute_reward(achieved, desired, info)) > reached

    return rules._replace(compute_terminated=ends_here)


def most_before_the_last(
    reward: np.ndarray, start: np.ndarray, length: np.ndarray, rows_in_all: int
) -> float:
    """The most that a step paid which was not its episode's last; -inf without any.

    Args:
        reward: a ring in which episodes lie end to end, each with a row more than steps.
        start: (n,) where the episodes begin, the newest first.
        length: (n,) their steps.
        rows_in_all: of the ring, of which not all need be there yet.
    """
    going = np.ones(rows_in_all, bool)
    for beyond in (length - 1, length):
        going[(start + beyond) % rows_in_all] = False
    rows = (start[-1] + np.arange((length + 1).sum())) % rows_in_all
    return float(reward[rows[going[rows]]].max(initial=-np.inf))
