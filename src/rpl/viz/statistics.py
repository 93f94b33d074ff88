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


def interquartile_mean(groups: Sequence[np.ndarray]) -> tuple[float, Interval | None]:
    """The mean of the middle half of all values, with its stratified 95 % bootstrap interval.

    Seeds are drawn again within their group (a task), never across groups; one seed a
    group leaves nothing to draw, and no interval.
    """
    groups = [np.asarray(group, float) for group in groups]

    def middle(*samples: np.ndarray, axis: int = -1) -> np.ndarray:
        return stats.trim_mean(np.concatenate(samples, axis=axis), 0.25, axis=axis)

    value = float(middle(*groups))
    if min(map(len, groups)) < 2:
        return value, None
    if all(np.ptp(group) == 0.0 for group in groups):
        return value, (value, value)
    interval = stats.bootstrap(
        groups,
        middle,
        n_resamples=RESAMPLES,
        method="percentile",
        vectorized=True,
        rng=np.random.default_rng(0),
    ).confidence_interval
    return value, (float(interval.low), float(interval.high))


def lowest_after_burn_in(runs: Sequence[RunData], column: str) -> float | None:
    """The lowest value after burn-in of any run; None for methods without one."""
    if not all(run.columns.get("burning_in", np.zeros(1)).any() for run in runs):
        return None
    after = [run.columns[column][run.steps > run.burn_in_end] for run in runs]
    return float(min(values.min() for values in after)) if all(map(len, after)) else None


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
    ends = [_end(run, metric) for run in runs]
    middle = [interquartile_mean([np.array(values)]) for values in zip(*ends, strict=True)]
    rows = [
        [str(run.seed), *_about([run], metric, number(level), _final(run, metric, final))]
        for run, (level, final) in zip(runs, ends, strict=True)
    ]
    if len(runs) > 1:
        together = number(middle[0][0]), with_interval(*middle[1])
        rows.append(["IQM", *_about(runs, metric, *together)])
    return COLUMNS, rows


def _end(run: RunData, metric: str) -> tuple[float, float]:
    """The controller's level and the policy's; a planner has no controller beside it."""
    if run.plans:
        return float("nan"), run.last_trials
    last = {name: float(values[-1]) for name, values in run.columns.items()}
    return last[f"controller_{metric}"], last[f"policy_{metric}"]


def _final(run: RunData, metric: str, value: float) -> str:
    columns = (run.columns.get(f"policy_{metric}_{side}") for side in ("low", "high"))
    low, high = (None if column is None else float(column[-1]) for column in columns)
    return with_interval(value, None if low is None or high is None else (low, high))


def _about(runs: Sequence[RunData], metric: str, controller: str, policy: str) -> list[str]:
    steps = min(run.steps[-1] for run in runs)
    lowest = lowest_after_burn_in(runs, f"policy_{metric}")
    return [format_steps(steps), controller, policy, number(lowest), _steps_to(runs, metric)]


def _steps_to(runs: Sequence[RunData], metric: str) -> str:
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
