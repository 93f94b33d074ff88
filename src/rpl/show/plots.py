"""Learning curves and their summary, from run folders alone (the paper's figure 3)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from rpl.show.numbers import format_steps
from rpl.show.reading import LAST_TRIALS, PLANNER, RunData, read_run

# Okabe and Ito's colours, told apart with every kind of colour vision; a method keeps its own.
METHODS = {
    "rpl": ("RPL", "#0072B2"),
    "expert-explore": ("Expert Explore", "#E69F00"),
    "scratch": ("From scratch", "#009E73"),
}
OTHER_COLOURS = ("#56B4E9", "#D55E00", "#F0E442")
CONTROLLER_COLOUR = "#444444"
PANEL_SIZE = (4.6, 3.6)  # inches
PLANNER_COLOUR = "#CC79A7"


def learning_curves(folders: Sequence[Path], out: Path) -> None:
    """Draws one panel a task and one curve a method; see figure 3 of the paper.

    Several seeds become their mean and standard deviation, a single one shows the 95 %
    interval of its evaluations. The dashed line is the controller alone, the grey region
    the longest burn-in. Tasks without successes show returns. Where the controller was
    learned, curves begin at the steps that this took. A run of PETS shows its trials, one
    by one, and the mean of the last ten as a line.

    Args:
        folders: run folders, in any order.
        out: the picture; its suffix (.png, .svg, .pdf) decides the format.

    Raises:
        ValueError: if there is no folder, one is not a run, or the suffix is unknown.
    """
    runs = [read_run(folder) for folder in folders]
    if not runs:
        raise ValueError("no run folders were given: name at least one")
    by_task: dict[str, list[RunData]] = {}
    for run in runs:
        by_task.setdefault(run.task, []).append(run)
    width, height = PANEL_SIZE
    figure = Figure((width * len(by_task), height + 0.5), layout="constrained")
    panels = figure.subplots(1, len(by_task), squeeze=False)[0]
    for axes, (task, task_runs) in zip(panels, by_task.items(), strict=True):
        draw_task(axes, task, task_runs)
    _draw_legend(figure, panels)
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=160)


def draw_task(axes: Axes, task: str, runs: list[RunData]) -> None:
    """One panel: the curves of one task's methods."""
    quantity = judged_quantity(runs)
    planners = [run for run in runs if run.method == PLANNER]
    learners = [run for run in runs if run.method != PLANNER]
    if learners:
        _draw_learners(axes, learners, quantity)
    if planners:
        _draw_planners(axes, planners)
    names = {run.controller for run in learners} or {"no controller"}
    axes.set_title(f"{task} ({', '.join(sorted(names))})", fontsize=12)
    axes.set_xlabel("environment steps", fontsize=11)
    axes.set_ylabel("success rate" if quantity == "success" else "return", fontsize=11)
    if quantity == "success":
        axes.set_ylim(-0.02, 1.02)
    axes.set_xlim(0, max(run.steps.max() for run in runs) or 1)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(FuncFormatter(format_steps))
    axes.grid(color="0.9")
    axes.spines[["top", "right"]].set_visible(False)


def _draw_planners(axes: Axes, runs: list[RunData]) -> None:
    """The trials of PETS and its level: the mean of each run's last trials, over the runs."""
    for run in runs:
        earned = run.columns["policy_return"]
        axes.plot(run.steps, earned, color=PLANNER_COLOUR, linewidth=1, alpha=0.7)
    level = float(np.mean([run.last_trials for run in runs]))
    label = f"PETS (mean of its last {LAST_TRIALS} trials)"
    axes.axhline(level, color=PLANNER_COLOUR, linestyle="--", linewidth=1.5, label=label)


def _draw_learners(axes: Axes, runs: list[RunData], quantity: str) -> None:
    by_method: dict[str, list[RunData]] = {}
    for run in runs:
        by_method.setdefault(run.method, []).append(run)
    order = [*METHODS, *sorted(by_method.keys() - METHODS.keys())]
    for method in sorted(by_method, key=order.index):
        label, colour = _style(method, order)
        steps, middle, low, high = curve(by_method[method], quantity)
        axes.plot(steps, middle, color=colour, linewidth=2, label=label)
        axes.fill_between(steps, low, high, color=colour, alpha=0.2, linewidth=0)
    level = np.mean([run.columns[f"controller_{quantity}"][-1] for run in runs])
    label = "Initial (the controller alone)"
    axes.axhline(float(level), color=CONTROLLER_COLOUR, linestyle="--", linewidth=1.5, label=label)
    burn_in = max(run.burn_in_end for run in runs)
    if burn_in > 0:
        begin = max(run.charged_steps for run in runs)
        axes.axvspan(begin, burn_in, color="0.5", alpha=0.15, linewidth=0, label="Burn-in")


def _draw_legend(figure: Figure, panels: np.ndarray) -> None:
    entries = {}
    for axes in panels:
        handles, labels = axes.get_legend_handles_labels()
        entries.update(zip(labels, handles, strict=True))
    figure.legend(
        list(entries.values()),
        list(entries),
        loc="outside lower center",
        ncols=min(len(entries), 3 if len(panels) == 1 else 5),
        frameon=False,
        fontsize=10,
    )


def _style(method: str, order: list[str]) -> tuple[str, str]:
    if method in METHODS:
        return METHODS[method]
    return method, OTHER_COLOURS[(order.index(method) - len(METHODS)) % len(OTHER_COLOURS)]


def judged_quantity(runs: Sequence[RunData]) -> str:
    """What a task is judged by: its return if it says so or knows no success."""
    if any(run.judged_by == "return" or run.method == PLANNER for run in runs):
        return "return"
    judged = [np.isfinite(run.columns.get("policy_success", np.nan)).any() for run in runs]
    return "success" if any(judged) else "return"


def curve(
    runs: Sequence[RunData], quantity: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Steps, middle, low and high, each (points,), of one method's runs.

    Several runs are interpolated at all of their steps that lie within every run: mean
    and one standard deviation either side. A single run has its own intervals.

    Args:
        runs: the seeds of one method on one task.
        quantity: ``"success"`` or ``"return"``.
    """
    if len(runs) == 1:
        columns = runs[0].columns
        middle = columns[f"policy_{quantity}"]
        low, high = (columns.get(f"policy_{quantity}_{end}", middle) for end in ("low", "high"))
        return runs[0].steps, middle, low, high
    steps = np.unique(np.concatenate([run.steps for run in runs]))
    first, last = max(run.steps[0] for run in runs), min(run.steps[-1] for run in runs)
    steps = steps[(steps >= first) & (steps <= last)]
    values = [np.interp(steps, run.steps, run.columns[f"policy_{quantity}"]) for run in runs]
    middle, deviation = np.mean(values, axis=0), np.std(values, axis=0, ddof=1)
    low, high = middle - deviation, middle + deviation
    if quantity == "success":
        low, high = np.clip(low, 0.0, 1.0), np.clip(high, 0.0, 1.0)
    return steps, middle, low, high
