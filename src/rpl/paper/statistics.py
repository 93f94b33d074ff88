"""Numbers that sum up a cell of runs: where it ended, how soon, and how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from rpl.paper.matrix import Cell
from rpl.registry.catalog import METHODS, TASKS
from rpl.rollout.evaluate import Interval, Outcome
from rpl.viz.run_data import LEVEL, RunData
from rpl.viz.statistics import dip, interquartile_mean, lowest_after_burn_in


@dataclass(frozen=True)
class Summary:
    """A cell in numbers; None where there is no run, or no such number for the task."""

    cell: Cell
    runs: Sequence[RunData] = field(repr=False)
    initial: float | None = None
    """The controller's mean level in the last evaluations."""
    initial_interval: Interval | None = None
    """Its 95 % Wilson interval over all of their episodes."""
    final: float | None = None
    """The policy's mean level in the last evaluations."""
    final_interval: Interval | None = None
    """Its 95 % interval over all of their episodes: Wilson's, or of returns the bootstrap's."""
    middle: float | None = None
    """The interquartile mean of the seeds' last evaluations."""
    middle_interval: Interval | None = None
    """Its 95 % bootstrap interval over seeds."""
    steps_to_level: float | None = None
    """Mean over the seeds that reach ``LEVEL``, with what the controller was learned from."""
    reached: int = 0
    """How many seeds reach it."""
    area: float | None = None
    """Mean level over the steps that RPL gets on the task: the area under the curve."""
    lowest: float | None = None
    """The lowest evaluation after burn-in of any seed."""
    dip: float | None = None
    """The lowest one less the controller on the same episodes, of any seed."""

    @property
    def metric(self) -> str:
        """``success`` or ``return``."""
        return metric_of(self.cell.task)


def metric_of(task: str) -> str:
    """What a task is judged by."""
    return TASKS[task].metric


def summarise(cell: Cell, runs: Sequence[RunData], horizon: float) -> Summary:
    """A cell in numbers, from its finished runs; areas are over ``horizon`` environment steps."""
    if not runs:
        return Summary(cell, ())
    metric = metric_of(cell.task)
    if METHODS[cell.method].plans:
        levels = np.array([run.last_trials for run in runs])
        return Summary(cell, runs, final=float(levels.mean()), middle=float(levels.mean()))
    final = np.array([run.columns[f"policy_{metric}"][-1] for run in runs])
    initial = np.array([run.columns[f"controller_{metric}"][-1] for run in runs])
    middle, middle_interval = interquartile_mean([final])
    reached = [steps for run in runs if (steps := run.steps_to(LEVEL, metric)) is not None]
    areas = [mean_until(run, f"policy_{metric}", horizon) for run in runs]
    whole = [area for area in areas if area is not None]
    return Summary(
        cell,
        runs,
        float(initial.mean()),
        _pooled_interval(runs, initial, metric),
        float(final.mean()),
        _pooled_interval(runs, final, metric) or _interval_of_returns(runs, final),
        middle,
        middle_interval,
        float(np.mean(reached)) if reached and metric == "success" else None,
        len(reached),
        float(np.mean(whole)) if len(whole) == len(runs) else None,
        lowest_after_burn_in(runs, f"policy_{metric}"),
        dip(runs, metric),
    )


def mean_until(run: RunData, column: str, steps: float) -> float | None:
    """Mean of a curve over its first steps (trapezoids); None if it ends before."""
    if steps <= 0 or run.steps[-1] < steps:
        return None
    inside = run.steps < steps
    x = np.append(run.steps[inside], steps)
    y = np.append(run.columns[column][inside], np.interp(steps, run.steps, run.columns[column]))
    return float(np.trapezoid(y, x) / (x[-1] - x[0]))


def _pooled_interval(runs: Sequence[RunData], rates: np.ndarray, metric: str) -> Interval | None:
    """Wilson, over the episodes of all seeds; None for returns."""
    if metric != "success":
        return None
    counts = np.array([run.columns["evaluation_episodes"][-1] for run in runs])
    success = np.arange(counts.sum()) < np.rint(rates * counts).sum()
    return Outcome(success, np.empty(0)).success_interval


def _interval_of_returns(runs: Sequence[RunData], means: np.ndarray) -> Interval | None:
    """The runs' own bootstrap intervals, as one for the mean of their means."""
    if not all("policy_return_low" in run.columns for run in runs):
        return None
    low = np.array([run.columns["policy_return_low"][-1] for run in runs])
    high = np.array([run.columns["policy_return_high"][-1] for run in runs])
    # Independent errors add by their squares.
    below, above = (np.sqrt(np.square(side - means).sum()) / len(runs) for side in (low, high))
    return float(means.mean() - below), float(means.mean() + above)
