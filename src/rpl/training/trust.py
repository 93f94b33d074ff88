"""How strict the gate's bound is: less so on proof, and by degrees where there is much to win."""

from __future__ import annotations

from rpl.config import LearnerConfig
from rpl.problem import Problem
from rpl.rollout.evaluate import Outcome, compared
from rpl.training.progress import Progress

FULL = 2
"""Degrees of trust at which the bound is as strict as for a policy known to be better."""

EASED = 0.7
"""What remains of the pessimism with each degree of trust below ``FULL``."""

NEARLY_RIGHT = 0.9
"""A controller that succeeds as often is left alone: there is little to win, and all to lose. Of
returns nobody knows how much there is to win."""


def weigh(progress: Progress, problem: Problem, policy: Outcome, controller: Outcome) -> None:
    """Takes an evaluation into account, paired with the controller's on the same episodes.

    A policy that is better has all trust, one that is worse none. One that is neither gains a
    degree, unless its controller is nearly right; one that stood below its controller in the few
    episodes in which it acted alone loses one: by chance alone every sixth does.
    """
    if progress.burning_in:
        return
    shown = compared(policy, controller, problem.metric)[1]
    nearly_right = problem.metric == "success" and controller.success_rate >= NEARLY_RIGHT
    if shown == "worse":
        progress.trust = 0
    elif progress.stands_below:
        progress.trust = max(progress.trust - 1, 0)
    elif shown == "better":
        progress.trust = FULL
    elif not nearly_right:
        progress.trust = min(progress.trust + 1, FULL)


def pessimism_of(config: LearnerConfig, progress: Progress) -> float:
    """How many standard deviations the gate's bound is below the mean, as of now."""
    first, least = config.pessimism, config.trusted_pessimism
    if least is None:
        return first
    if progress.trust >= FULL:
        return least
    return max(first * EASED**progress.trust, min(first, least))
