"""Learning curves and their summary, from run folders alone (the paper's figure 3)."""

import itertools
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from rpl.errors import whole_file
from rpl.viz.run_data import LAST_TRIALS, RunData, format_steps, metric_of_runs, read_run

# Okabe and Ito's colours, told apart with every kind of colour vision; a method keeps its own.
METHODS = {
    "rpl": ("RPL", "#0072B2"),
    "expert-explore": ("Expert Explore", "#E69F00"),
    "scratch": ("From scratch", "#009E73"),
}
OTHER_COLOURS = ("#56B4E9", "#D55E00", "#F0E442")
CONTROLLER_COLOUR = "#444444"
CONTROLLER_STYLES = ("--", ":", "-.")
PANEL_SIZE = (4.6, 3.6)  # inches
MOST_COLUMNS = 5  # of a legend
INCHES_OF_A_LETTER, INCHES_OF_A_LINE = 0.08, 0.6  # in a legend, with the gap beside the line
PLANNER_COLOUR = "#CC79A7"
PLAIN_TEXT: Any = {"text.parse_math": False}
"""Names of tasks and folders may have dollars in them, between which there is no formula."""


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
    with whole_file(out) as beside:
        draw_curves(folders, beside)


def draw_curves(folders: Sequence[Path], out: Path | TextIO, format: str | None = None) -> None:
    """The same, to an open file too; see ``learning_curves``."""
    runs = [read_run(folder) for folder in folders]
    if not runs:
        raise ValueError("no run folders were given: name at least one")
    with rc_context(PLAIN_TEXT):
        _figure_of(runs).savefig(out, dpi=160, format=format)


def _figure_of(runs: Sequence[RunData]) -> Figure:
    by_task: dict[str, list[RunData]] = {}
    for run in runs:
        by_task.setdefault(run.task, []).append(run)
    width, height = PANEL_SIZE
    figure = Figure((width * len(by_task), height + 0.5), layout="constrained")
    panels = figure.subplots(1, len(by_task), squeeze=False)[0]
    for axes, (task, task_runs) in zip(panels, by_task.items(), strict=True):
        draw_task(axes, task, task_runs)
    _draw_legend(figure, panels)
    return figure


def draw_task(axes: Axes, task: str, runs: list[RunData]) -> None:
    """One panel: the curves of one task's methods."""
    metric = metric_of_runs(runs)
    planners = [run for run in runs if run.plans]
    learners = [run for run in runs if not run.plans]
    if learners:
        _draw_learners(axes, learners, metric)
    if planners:
        _draw_planners(axes, planners)
    names = {run.controller for run in learners} or {"no controller"}
    label_axes(axes, f"{task} ({', '.join(sorted(names))})", metric, 12)
    axes.set_xlim(0, max(run.steps.max() for run in runs) or 1)
    draw_scale(axes)


def label_axes(axes: Axes, title: str, metric: str, size: float) -> None:
    """The title, of ``size`` points, and in letters a point smaller what the axes show."""
    axes.set_title(title, fontsize=size)
    axes.set_xlabel("environment steps", fontsize=size - 1)
    axes.set_ylabel("success rate" if metric == "success" else "return", fontsize=size - 1)
    if metric == "success":
        axes.set_ylim(-0.02, 1.02)


def draw_scale(axes: Axes) -> None:
    """Steps in thousands and millions, a grid and no frame."""
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(FuncFormatter(format_steps))
    axes.grid(color="0.9")
    axes.spines[["top", "right"]].set_visible(False)


def draw_curve(
    axes: Axes,
    runs: Sequence[RunData],
    metric: str,
    label: str,
    colour: str,
    width: float,
    style: str = "-",
) -> None:
    """The mean of some runs over the steps, in points' width, and the band about it."""
    steps, middle, low, high = curve(runs, metric)
    axes.plot(steps, middle, color=colour, linestyle=style, linewidth=width, label=label)
    axes.fill_between(steps, low, high, color=colour, alpha=0.2, linewidth=0)


def _draw_planners(axes: Axes, runs: list[RunData]) -> None:
    """The trials of PETS and its level: the mean of each run's last trials, over the runs."""
    for run in runs:
        earned = run.columns["policy_return"]
        axes.plot(run.steps, earned, color=PLANNER_COLOUR, linewidth=1, alpha=0.7)
    level = float(np.mean([run.last_trials for run in runs]))
    label = f"PETS (mean of its last {LAST_TRIALS} trials)"
    axes.axhline(level, color=PLANNER_COLOUR, linestyle="--", linewidth=1.5, label=label)


def _draw_learners(axes: Axes, runs: list[RunData], metric: str) -> None:
    by_method: dict[str, list[RunData]] = {}
    for run in runs:
        by_method.setdefault(run.method, []).append(run)
    others = itertools.cycle(OTHER_COLOURS)
    for method in sorted(by_method, key=lambda name: ([*METHODS, name].index(name), name)):
        label, colour = METHODS.get(method) or (method, next(others))
        for i, (variant, seeds) in enumerate(variants(by_method[method])):
            name = f"{label}, {variant}" if variant else label
            draw_curve(axes, seeds, metric, name, next(others) if i else colour, 2)
    _draw_controllers(axes, runs, metric)
    burn_in = max(run.burn_in_end for run in runs)
    if burn_in > 0:
        begin = max(run.charged_steps for run in runs)
        axes.axvspan(begin, burn_in, color="0.5", alpha=0.15, linewidth=0, label="Burn-in")


def _draw_controllers(axes: Axes, runs: list[RunData], metric: str) -> None:
    levels: dict[str, list[float]] = {}
    for run in runs:
        levels.setdefault(run.controller, []).append(run.columns[f"controller_{metric}"][-1])
    styles = itertools.cycle(CONTROLLER_STYLES)
    for (name, values), style in zip(sorted(levels.items()), styles, strict=False):
        label = f"Initial ({'the controller' if len(levels) == 1 else name} alone)"
        level = float(np.mean(values))
        axes.axhline(level, color=CONTROLLER_COLOUR, linestyle=style, linewidth=1.5, label=label)


def _draw_legend(figure: Figure, panels: np.ndarray) -> None:
    entries = {}
    for axes in panels:
        handles, labels = axes.get_legend_handles_labels()
        entries.update(zip(labels, handles, strict=True))
    columns = _legend_columns(list(entries), figure.get_figwidth())
    style = {"loc": "outside lower center", "ncols": columns, "frameon": False, "fontsize": 10}
    figure.legend(list(entries.values()), list(entries), **style)


def _legend_columns(labels: Sequence[str], inches: float) -> int:
    """As many columns as fit side by side; entries go down the first, then the second."""
    for count in range(min(len(labels), MOST_COLUMNS), 1, -1):
        height = math.ceil(len(labels) / count)
        columns = [labels[i : i + height] for i in range(0, len(labels), height)]
        widths = [INCHES_OF_A_LETTER * max(map(len, c)) + INCHES_OF_A_LINE for c in columns]
        if sum(widths) <= inches:
            return count
    return 1


def seeds_of_one(runs: Sequence[RunData]) -> list[list[RunData]]:
    """The runs in groups of several seeds that share task, method and settings."""
    alike: dict[tuple[str, str], list[RunData]] = {}
    for run in runs:
        alike.setdefault((run.task, run.method), []).append(run)
    groups = [seeds for those in alike.values() for seeds in _by_settings(those)]
    return [seeds for seeds in groups if len(seeds) > 1]


def variants(runs: Sequence[RunData]) -> list[tuple[str, list[RunData]]]:
    """The runs of one method by their settings, each with what tells it from the others.

    Runs with the same settings are seeds of one variant, which has no name if it is the only one.
    """
    groups = _by_settings(runs)
    names = _names([seeds[0] for seeds in groups]) if len(groups) > 1 else [""]
    return list(zip(names, groups, strict=True))


def _by_settings(runs: Sequence[RunData]) -> list[list[RunData]]:
    groups: list[list[RunData]] = []
    for run in runs:
        seeds = next((group for group in groups if _numbers(group[0]) == _numbers(run)), [])
        if not seeds:
            groups.append(seeds)
        seeds.append(run)
    return groups


def _numbers(run: RunData) -> dict[str, object]:
    """The settings without the names under which they were chosen."""
    return {name: v for name, v in run.settings.items() if name not in ("learner", "preset")}


def _names(runs: Sequence[RunData]) -> list[str]:
    """What tells runs of different settings apart: a word if it can be, else their folders."""
    of_numbers = [_numbers(run) for run in runs]
    known = sorted({name for numbers in of_numbers for name in numbers})
    differing = [n for n in known if len({str(numbers.get(n)) for numbers in of_numbers}) > 1]
    ways = [[str(run.settings.get(name)) for run in runs] for name in ("learner", "preset")]
    if len(differing) == 1:
        short = differing[0].rpartition(".")[2].replace("_", " ")
        ways.append([f"{short} {numbers.get(differing[0])}" for numbers in of_numbers])
    ways.append([_folder_name(run.folder) for run in runs])
    ways.append([str(run.folder) for run in runs])
    return next(names for names in ways if len(set(names)) == len(runs))


def _folder_name(folder: Path) -> str:
    """The run folder's name, or its parent's, without the seed."""
    folder = folder.resolve()
    named = re.sub(r"-?seed\d+$", "", folder.name)
    return named or folder.parent.name


def curve(
    runs: Sequence[RunData], metric: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Steps, middle, low and high, each (points,), of the seeds of one method on one task.

    Several runs are interpolated at all of their steps that lie within every run: mean
    and one standard deviation either side. A single run has its own intervals.
    """
    if len(runs) == 1:
        columns = runs[0].columns
        middle = columns[f"policy_{metric}"]
        low, high = (columns.get(f"policy_{metric}_{end}", middle) for end in ("low", "high"))
        return runs[0].steps, middle, low, high
    steps = np.unique(np.concatenate([run.steps for run in runs]))
    first, last = max(run.steps[0] for run in runs), min(run.steps[-1] for run in runs)
    steps = steps[(steps >= first) & (steps <= last)]
    values = [np.interp(steps, run.steps, run.columns[f"policy_{metric}"]) for run in runs]
    middle, deviation = np.mean(values, axis=0), np.std(values, axis=0, ddof=1)
    low, high = middle - deviation, middle + deviation
    if metric == "success":
        low, high = np.clip(low, 0.0, 1.0), np.clip(high, 0.0, 1.0)
    return steps, middle, low, high
