"""Learning curves and their summary, from run folders alone (the paper's figure 3)."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from rpl.show.numbers import format_steps

# Okabe and Ito's colours, told apart with every kind of colour vision; a method keeps its own.
METHODS = {
    "rpl": ("RPL", "#0072B2"),
    "expert-explore": ("Expert Explore", "#E69F00"),
    "scratch": ("From scratch", "#009E73"),
}
OTHER_COLOURS = ("#CC79A7", "#56B4E9", "#D55E00")
CONTROLLER_COLOUR = "#444444"
PANEL_SIZE = (4.6, 3.6)  # inches
JUDGED = 3  # a level counts as reached when this many evaluations average it


@dataclass(frozen=True)
class Run:
    """What the plots need of one run folder."""

    folder: Path
    task: str
    method: str
    controller: str
    seed: int
    columns: dict[str, np.ndarray]
    """The columns of metrics.csv, (rows,) float64; NaN where a field is blank."""

    @property
    def steps(self) -> np.ndarray:
        """(rows,) environment steps."""
        return self.columns["environment_steps"]

    @property
    def burn_in_end(self) -> float:
        """Steps at the last evaluation of burn-in; 0 without one."""
        return float(self.steps[self.columns["burning_in"] > 0].max(initial=0.0))

    def steps_to(self, level: float, quantity: str = "policy_success") -> float | None:
        """Steps at which the last three evaluations first average ``level``; None if never."""
        values = self.columns[quantity]
        for end in range(JUDGED, len(values) + 1):
            if values[end - JUDGED : end].mean() >= level:
                return float(self.steps[end - 1])
        return None


def read_run(folder: Path) -> Run:
    """Reads config.json and metrics.csv of a run folder.

    Raises:
        ValueError: if the folder is not a run or has no evaluation yet.
    """
    folder = Path(folder)
    for name in ("config.json", "metrics.csv"):
        if not (folder / name).is_file():
            raise ValueError(f"{folder} is not a run: it has no {name}")
    try:
        config = json.loads((folder / "config.json").read_text())
        task, method, seed = config["task"], config["method"], int(config["seed"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{folder / 'config.json'} does not describe a run: {error!r}") from error
    columns = _read_columns(folder / "metrics.csv")
    return Run(folder, task, method, config.get("controller") or "controller", seed, columns)


def _read_columns(path: Path) -> dict[str, np.ndarray]:
    with path.open(newline="") as file:
        # A row that is still being written has too few fields.
        rows = [row for row in csv.DictReader(file) if None not in row.values()]
    if not rows:
        raise ValueError(f"{path} has no evaluations yet: train for longer first")
    needed = {"environment_steps", "burning_in", "policy_return", "controller_return"}
    if missing := needed - rows[0].keys():
        raise ValueError(f"{path} lacks the columns {', '.join(sorted(missing))}")
    try:
        return {name: np.array([float(row[name] or "nan") for row in rows]) for name in rows[0]}
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} has a field that is not a number: {error}") from error


def learning_curves(folders: Sequence[Path], out: Path) -> None:
    """Draws one panel a task and one curve a method; see figure 3 of the paper.

    Several seeds become their mean and standard deviation, a single one shows the 95 %
    interval of its evaluations. The dashed line is the controller alone, the grey region
    the longest burn-in. Tasks without successes show returns.

    Args:
        folders: run folders, in any order.
        out: the picture; its suffix (.png, .svg, .pdf) decides the format.

    Raises:
        ValueError: if there is no folder, one is not a run, or the suffix is unknown.
    """
    runs = [read_run(folder) for folder in folders]
    if not runs:
        raise ValueError("no run folders were given: name at least one")
    by_task: dict[str, list[Run]] = {}
    for run in runs:
        by_task.setdefault(run.task, []).append(run)
    width, height = PANEL_SIZE
    figure = Figure((width * len(by_task), height + 0.5), layout="constrained")
    panels = figure.subplots(1, len(by_task), squeeze=False)[0]
    for axes, (task, task_runs) in zip(panels, by_task.items(), strict=True):
        _draw_task(axes, task, task_runs)
    _draw_legend(figure, panels)
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=160)


def _draw_task(axes: Axes, task: str, runs: list[Run]) -> None:
    quantity = _quantity(runs)
    by_method: dict[str, list[Run]] = {}
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
        axes.axvspan(0, burn_in, color="0.5", alpha=0.15, linewidth=0, label="Burn-in")
    axes.set_title(f"{task} ({', '.join(sorted({run.controller for run in runs}))})", fontsize=12)
    axes.set_xlabel("environment steps", fontsize=11)
    axes.set_ylabel("success rate" if quantity == "success" else "return", fontsize=11)
    if quantity == "success":
        axes.set_ylim(-0.02, 1.02)
    axes.set_xlim(0, max(run.steps.max() for run in runs) or 1)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(FuncFormatter(format_steps))
    axes.grid(color="0.9")
    axes.spines[["top", "right"]].set_visible(False)


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


def _quantity(runs: list[Run]) -> str:
    """What a task is judged by: its return if it knows no success."""
    judged = [np.isfinite(run.columns.get("policy_success", np.nan)).any() for run in runs]
    return "success" if any(judged) else "return"


def curve(
    runs: Sequence[Run], quantity: str
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


def summary(folders: Sequence[Path], level: float = 0.95) -> list[dict[str, str | float | None]]:
    """One row a run: where it ended, beside its controller, and when it reached ``level``.

    Args:
        folders: run folders.
        level: the success rate that ``steps_to_level`` asks for.
    """
    rows: list[dict[str, str | float | None]] = []
    for run in map(read_run, folders):
        quantity = _quantity([run])
        rows.append(
            {
                "task": run.task,
                "method": run.method,
                "seed": run.seed,
                "environment_steps": float(run.steps[-1]),
                "quantity": quantity,
                "policy": float(run.columns[f"policy_{quantity}"][-1]),
                "controller": float(run.columns[f"controller_{quantity}"][-1]),
                "steps_to_level": run.steps_to(level) if quantity == "success" else None,
            }
        )
    return rows
