"""How strict the gate's bound is: less so on proof, and by degrees where there is much to win."""

from __future__ import annotations

from rpl.config import LearnerConfig
from rpl.problem import Problem
from rpl.rollout.evaluate import Outcome, compared
from rpl.training.progress import Progress

EASED = 0.7
"""What remains of the pessimism after each evaluation that shows nothing worse."""

NEARLY_RIGHT = 0.9
"""A controller that succeeds as often is left alone: there is little to win, and all to lose. Of
returns nobody knows how much there is to win."""


def weigh(progress: Progress, problem: Problem, policy: Outcome, controller: Outcome) -> None:
    """Takes an evaluation into account: whether the policy is trusted, and for how long unharmed.

    Trusted is a policy that was better than its controller when last a paired evaluation told them
    apart, unharmed one that was not worse since burn-in, or since it last was.
    """
    if progress.burning_in:
        return
    shown = compared(policy, controller, problem.metric)[1]
    if progress.stands_below or shown == "worse":
        progress.trusted, progress.unharmed = False, 0
        return
    progress.trusted = progress.trusted or shown == "better"
    nearly_right = problem.metric == "success" and controller.success_rate >= NEARLY_RIGHT
    if not nearly_right:
        progress.unharmed += 1


def pessimism_of(config: LearnerConfig, progress: Progress) -> float:
    """How many standard deviations the gate's bound is below the mean, as of now."""
    first, least = config.pessimism, config.trusted_pessimism
    if least is None:
        return first
    return least if progress.trusted else max(first * EASED**progress.unharmed, min(first, least))
