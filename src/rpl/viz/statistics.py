"""Numbers that sum up seeds: where they ended, how far they fell, how soon they were good."""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from rpl.rollout.evaluate import Interval
from rpl.viz.run_data import LEVEL, RunData, format_steps, metric_of_runs

RESAMPLES = 2000
NOTHING = "-"
COLUMNS = ("seed", "steps", "controller", "policy [95 %]", "dip to", f"{LEVEL} at")
"""Of a table of seeds; the dip is the lowest evaluation after burn-in."""


def interquartile_mean(
    groups: Sequence[np.ndarray], episodes: int | None = None
) -> tuple[float, Interval | None]:
    """The mean of the middle half of all values, with its stratified 95 % bootstrap interval.

    Args:
        groups: values of seeds by group (a task): seeds are drawn again within it.
        episodes: what each value is a success rate of; its successes are then drawn again too.

    Returns:
        The mean and its interval; None where a single seed leaves nothing to draw.
    """
    groups = [np.asarray(group, float) for group in groups]
    value = float(stats.trim_mean(np.concatenate(groups), 0.25))
    if episodes is None and min(map(len, groups)) < 2:
        return value, None
    rng = np.random.default_rng(0)
    drawn = np.concatenate([_drawn(group, rng) for group in groups], axis=1)
    if episodes is not None:
        drawn = rng.binomial(episodes, drawn) / episodes
    return value, _middle_of(stats.trim_mean(drawn, 0.25, axis=1))


def probability_of_improvement(
    pairs: Sequence[tuple[np.ndarray, np.ndarray]],
) -> tuple[float, Interval | None]:
    """How likely a run of one method is above a run of another, mean over tasks.

    Args:
        pairs: of each task, what the runs of the one and of the other reached; a tie is a half.

    Returns:
        The probability and its stratified 95 % bootstrap interval over seeds; None where a single
        seed leaves nothing to draw.
    """
    value = float(np.mean([_above(one[None], other[None]) for one, other in pairs]))
    if min(len(values) for pair in pairs for values in pair) < 2:
        return value, None
    rng = np.random.default_rng(0)
    each = [_above(_drawn(one, rng), _drawn(other, rng)) for one, other in pairs]
    return value, _middle_of(np.mean(each, axis=0))


def _drawn(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Bootstrap samples of them, (RESAMPLES, n)."""
    return values[rng.integers(len(values), size=(RESAMPLES, len(values)))]


def _middle_of(samples: np.ndarray) -> Interval:
    low, high = np.percentile(samples, (2.5, 97.5))
    return float(low), float(high)


def _above(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Share of pairs of values in which the one is greater, (samples,) of (samples, n)."""
    difference = one[:, :, None] - other[:, None, :]
    return ((difference > 0.0) + 0.5 * (difference == 0.0)).mean(axis=(1, 2))


def lowest_after_burn_in(
    runs: Sequence[RunData], column: str, less: str | None = None
) -> float | None:
    """The lowest value after burn-in of any run; None for methods without one, or before its end.

    Args:
        runs: all of one method.
        column: whose values.
        less: the column to subtract, row by row.
    """
    if not all(run.columns.get("burning_in", np.zeros(1)).any() for run in runs):
        return None
    values = [run.columns[column] - (run.columns[less] if less else 0.0) for run in runs]
    after = [v[run.steps > run.burn_in_end] for run, v in zip(runs, values, strict=True)]
    return float(min(v.min() for v in after)) if all(map(len, after)) else None


def dip(runs: Sequence[RunData], metric: str) -> float | None:
    """The lowest evaluation after burn-in of any run, less its controller on the same episodes."""
    return lowest_after_burn_in(runs, f"policy_{metric}", less=f"controller_{metric}")


def steps_in_words(mean: float | None, reached: int, runs: int) -> str:
    """The mean steps to a level over the runs that reach it, and how many do not."""
    if mean is None:
        return "never"
    some = f" ({reached} of {runs})" if reached < runs else ""
    return format_steps(round(mean, -3 if mean >= 1000 else 0)) + some


def seeds_table(runs: Sequence[RunData]) -> tuple[tuple[str, ...], list[list[str]]]:
    """The head and the rows of a table of seeds; the last one is all of them together.

    That one has the interquartile means (IQM) with their bootstrap intervals, the lowest of the
    dips, and the mean steps of those that reach the level.
    """
    metric = metric_of_runs(runs)
    ends = [end_of(run, metric) for run in runs]
    middle = [interquartile_mean([np.array(values)]) for values in zip(*ends, strict=True)]
    rows = [
        [str(run.seed), *_about([run], metric, number(level), final_of(run, metric, final))]
        for run, (level, final) in zip(runs, ends, strict=True)
    ]
    if len(runs) > 1:
        together = number(middle[0][0]), with_interval(*middle[1])
        rows.append(["IQM", *_about(runs, metric, *together)])
    return COLUMNS, rows


def end_of(run: RunData, metric: str) -> tuple[float, float]:
    """The controller's level and the policy's; a planner has no controller beside it."""
    if run.plans:
        return float("nan"), run.last_trials
    last = {name: float(values[-1]) for name, values in run.columns.items()}
    return last[f"controller_{metric}"], last[f"policy_{metric}"]


def final_of(run: RunData, metric: str, value: float) -> str:
    """The policy's level with its interval, where the run has one."""
    columns = (run.columns.get(f"policy_{metric}_{side}") for side in ("low", "high"))
    low, high = (None if column is None else float(column[-1]) for column in columns)
    return with_interval(value, None if low is None or high is None else (low, high))


def _about(runs: Sequence[RunData], metric: str, controller: str, policy: str) -> list[str]:
    steps = min(run.steps[-1] for run in runs)
    lowest = lowest_after_burn_in(runs, f"policy_{metric}")
    return [format_steps(steps), controller, policy, number(lowest), steps_to_level(runs, metric)]


def steps_to_level(runs: Sequence[RunData], metric: str) -> str:
    """How many steps it took to ``LEVEL``, in words."""
    if metric != "success" or any(run.plans for run in runs):
        return NOTHING
    reached = [steps for run in runs if (steps := run.steps_to(LEVEL)) is not None]
    return steps_in_words(float(np.mean(reached)) if reached else None, len(reached), len(runs))


def number(value: float | None) -> str:
    """0.985, -75.2, or a dash."""
    if value is None or np.isnan(value):
        return NOTHING
    return f"{value:.3f}" if abs(value) <= 1.0 else f"{value:.1f}"


def with_interval(value: float | None, interval: Interval | None) -> str:
    """0.985 [0.978, 0.990]"""
    if value is None or interval is None:
        return number(value)
    return f"{number(value)} [{number(interval[0])}, {number(interval[1])}]"
