"""Success and return on fixed episodes, the policy and its controller on the same ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv
from scipy import stats

from rpl.rollout.collect import ActingPolicy, collect

Interval = tuple[float, float]
FEWEST_PAIRS = 10  # episodes, below which no policy is called better


@dataclass(frozen=True)
class Outcome:
    """What happened in a list of episodes."""

    success: np.ndarray
    """(n,) bool"""
    returns: np.ndarray
    """(n,) undiscounted returns"""
    residual_size: float = 0.0
    """Mean absolute residual."""
    clipped_share: float = 0.0
    """Share of action components that the bounds cut off."""
    largest_deviation: tuple[float, ...] = ()
    """For each action component, the furthest any step was from the controller, in halves of
    the action range; empty without episodes."""
    diverged: int = 0
    """Episodes with an observation or a reward that was not finite; they count as failures."""

    @property
    def success_rate(self) -> float:
        """Share of successful episodes."""
        return float(self.success.mean())

    @property
    def mean_return(self) -> float:
        """Mean undiscounted return."""
        return float(self.returns.mean())

    @property
    def success_interval(self) -> Interval:
        """95 % Wilson interval of the success rate."""
        test = stats.binomtest(int(self.success.sum()), len(self.success))
        interval = test.proportion_ci(method="wilson")
        return float(interval.low), float(interval.high)

    @property
    def return_interval(self) -> Interval:
        """95 % bootstrap interval of the mean return."""
        return _mean_interval(self.returns)

    def summary(self) -> dict[str, float | Interval]:
        """The numbers of a report."""
        return {
            "success_rate": self.success_rate,
            "success_interval": self.success_interval,
            "mean_return": self.mean_return,
            "return_interval": self.return_interval,
            "diverged": self.diverged,
        }


def paired_difference(policy: Outcome, controller: Outcome) -> dict[str, float | Interval]:
    """Policy minus controller on the same episodes, with 95 % bootstrap intervals over pairs."""
    success = policy.success.astype(float) - controller.success
    returns = policy.returns - controller.returns
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


def _mean_interval(values: np.ndarray) -> Interval:
    if len(values) < 2 or np.ptp(values) == 0.0:
        return float(values.mean()), float(values.mean())
    interval = stats.bootstrap(
        (values,), np.mean, n_resamples=2000, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    return float(interval.low), float(interval.high)


def evaluate(
    task: VectorEnv,
    policy: ActingPolicy,
    seeds: Sequence[int],
    horizon: int,
    tell: Callable[[float], None] | None = None,
) -> Outcome:
    """Runs the policy once on each seed, and tells in every step what share of them is done.

    An episode that diverges counts as a failure with the return of a whole episode of -1, or
    of the worst other episode if that is less.
    Outcomes are in the order of the seeds, so that two policies' episodes pair up.
    """
    if tell is not None:
        policy = watched(policy, len(seeds), horizon, tell)
    episodes = collect(task, policy, seeds, horizon)
    worst = episodes.returns.min(initial=-float(horizon))
    success, returns = np.zeros(len(seeds), bool), np.full(len(seeds), worst)
    success[episodes.index] = episodes.success
    returns[episodes.index] = episodes.returns
    far = episodes.largest_deviation.max(axis=0).tolist() if len(episodes) else []
    return Outcome(
        success,
        returns,
        _mean(episodes.residual_size),
        _mean(episodes.clipped_share),
        largest_deviation=tuple(far),
        diverged=episodes.dropped,
    )


def watched(
    policy: ActingPolicy, count: int, horizon: int, tell: Callable[[float], None]
) -> ActingPolicy:
    """The policy, which tells in every step what share of ``count`` episodes is done."""

    def telling(observation: Any, episodes: np.ndarray, step: int) -> np.ndarray:
        # Rounds begin at their first episode; the last one may be filled up with others.
        here = min(len(episodes), count - int(episodes[0]))
        tell((int(episodes[0]) + here * step / horizon) / count)
        return policy(observation, episodes, step)

    return telling


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else 0.0
