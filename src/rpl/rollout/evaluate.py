"""Success and return on fixed episodes, the policy and its controller on the same ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from gymnasium.vector import VectorEnv

from rpl.controllers.contract import Policy
from rpl.replay.episodes import Episodes
from rpl.residual import deviation
from rpl.rollout.collect import Tell, collect
from rpl.settings import Record

Interval = tuple[float, float]
FEWEST_PAIRS = 10  # episodes, below which no policy is called better


MEAN = {"success": "success_rate", "return": "mean_return"}
"""What a summary calls the mean of a metric."""


@dataclass(frozen=True)
class Outcome:
    """What happened in a list of episodes."""

    success: np.ndarray
    """(n,) bool"""
    returns: np.ndarray
    """(n,) undiscounted returns"""
    mean_deviation: tuple[float, ...] = ()
    """For each action component, how far from the base action the steps were on average, in
    halves of the action range; empty without a base policy or episodes."""
    acted_share: float = 0.0
    """Share of the steps in which what was executed differs from the base action; 0 without a base
    policy."""
    clipped_share: float = 0.0
    """Share of the executed actions' components at a bound; 0 without a base policy."""
    largest_deviation: tuple[float, ...] = ()
    """For each action component, the furthest any step was from the controller, in halves of
    the action range; empty without episodes."""
    diverged: int = 0
    """Episodes with an observation or a reward that was not finite; they count as failures."""
    starts: int | None = None
    """How many different first observations the episodes had; None if nobody counted."""
    steps: int = 0
    """Environment steps taken; of an episode that diverged as many as it may have had."""

    @property
    def success_rate(self) -> float:
        """Share of successful episodes."""
        return float(self.success.mean())

    @property
    def mean_return(self) -> float:
        """Mean undiscounted return."""
        return float(self.returns.mean())

    def measured(self, metric: str) -> np.ndarray:
        """What each episode was worth by a metric, (n,) float."""
        return self.success.astype(float) if metric == "success" else self.returns

    def level(self, metric: str) -> float:
        """Its mean."""
        return float(self.measured(metric).mean())

    @property
    def success_interval(self) -> Interval:
        """95 % Wilson interval of the success rate."""
        from scipy.stats import binomtest  # slow to import

        test = binomtest(int(self.success.sum()), len(self.success))
        interval = test.proportion_ci(method="wilson")
        return float(interval.low), float(interval.high)

    @property
    def return_interval(self) -> Interval:
        """95 % bootstrap interval of the mean return."""
        return _mean_interval(self.returns)

    def summary(self) -> dict[str, float | Interval | None]:
        """The numbers of a report."""
        return {
            "success_rate": self.success_rate,
            "success_interval": self.success_interval,
            "mean_return": self.mean_return,
            "return_interval": self.return_interval,
            "diverged": self.diverged,
            "starts": self.starts,
        }


def paired_difference(policy: Outcome, controller: Outcome) -> dict[str, float | Interval]:
    """Policy minus controller on the same episodes, with 95 % bootstrap intervals over pairs."""
    success, returns = (policy.measured(name) - controller.measured(name) for name in MEAN)
    return {
        "success_rate": float(success.mean()),
        "success_interval": _mean_interval(success),
        "mean_return": float(returns.mean()),
        "return_interval": _mean_interval(returns),
    }


def verdict(interval: Interval, pairs: int) -> str:
    """What a paired interval, policy minus controller, allows to say of the policy.

    Args:
        interval: of the mean difference.
        pairs: episodes behind it; a bootstrap of a few says nothing.
    """
    low, high = interval
    if pairs < FEWEST_PAIRS:
        return "too few episodes"
    if low > 0.0:
        return "better"
    return "worse" if high < 0.0 else "no difference shown"


def compared(
    policy: Outcome, controller: Outcome, metric: str
) -> tuple[dict[str, float | Interval], str]:
    """``paired_difference`` of two outcomes, and their ``verdict`` by success or return."""
    difference = paired_difference(policy, controller)
    interval = cast(Interval, difference[f"{metric}_interval"])
    return difference, verdict(interval, len(policy.returns))


def _mean_interval(values: np.ndarray) -> Interval:
    if len(values) < 2 or np.ptp(values) == 0.0:
        return float(values.mean()), float(values.mean())
    from scipy.stats import bootstrap  # slow to import

    interval = bootstrap(
        (values,), np.mean, n_resamples=2000, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    return float(interval.low), float(interval.high)


def evaluate(
    task: VectorEnv,
    policy: Policy,
    seeds: Sequence[int],
    horizon: int,
    tell: Tell = lambda share: None,
    base: Policy | None = None,
) -> Outcome:
    """Runs the policy once on each seed, and tells in every step what share of them is done.

    An episode that diverges counts as a failure with the return of a whole episode of -1, or
    of the worst other episode if that is less.
    Outcomes are in the order of the seeds, so that two policies' episodes pair up.
    """
    episodes = collect(task, policy, seeds, horizon, base, tell)
    success = np.zeros(len(seeds), bool)
    returns = np.full(len(seeds), diverged_return(episodes, horizon))
    success[episodes.index] = episodes.success
    returns[episodes.index] = episodes.returns
    return Outcome(
        success,
        returns,
        **_beside_base(episodes),
        diverged=episodes.dropped,
        starts=_distinct_starts(episodes),
        steps=episodes.steps + episodes.dropped * horizon,
    )


def diverged_return(episodes: Episodes, horizon: int) -> float:
    """What an episode counts for that diverged beside others."""
    return float(episodes.returns.min(initial=-float(horizon)))


def _distinct_starts(episodes: Episodes) -> int:
    """How many different first observations there are: repeated ones say nothing new."""
    firsts = [part[:, 0] for part in episodes.observation.values()]
    return len(np.unique(np.concatenate(firsts, axis=1), axis=0))


def _beside_base(episodes: Episodes) -> Record:
    """How what was executed lies to the base action, each episode counting alike."""
    if not episodes.base_action.shape[2] or not len(episodes):
        return {}
    taken = episodes.taken[..., None]
    steps = np.maximum(episodes.length, 1)[:, None]
    far = taken * deviation(episodes.action, episodes.base_action[:, :-1])
    at_bound = taken * (np.abs(episodes.action) >= 1.0)
    return {
        "mean_deviation": tuple((far.sum(axis=1) / steps).mean(axis=0).tolist()),
        "largest_deviation": tuple(far.max(axis=(0, 1)).tolist()),
        "acted_share": float(((far > 0.0).any(axis=2).sum(axis=1) / steps[:, 0]).mean()),
        "clipped_share": float((at_bound.sum(axis=1) / steps).mean()),
    }
