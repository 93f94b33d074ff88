"""The paper's figures 3 and 4, the presets side by side, and the ablations."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rpl.errors import UnreadableFile, whole_file
from rpl.paper.ablations import Ablation
from rpl.paper.matrix import Cell
from rpl.paper.results import FIGURE_TASKS, Results, cell_of, planner_of
from rpl.paper.statistics import metric_of
from rpl.runs.files import read_rows
from rpl.viz.curves import (
    CONTROLLER_COLOUR,
    METHODS,
    PANEL_SIZE,
    PLANNER_COLOUR,
    RunData,
    draw_curve,
    draw_scale,
    label_axes,
)

MISSING_COLOUR = "0.6"
COLUMNS = ("states", "trials", "mean_return", "std_return", "planner_return")
# One hue from light to dark for what is a range, the reference on top in its own colour.
VARIANT_COLOURS = ("#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999933", "#332288")


def draw_all(results: Results, folder: Path, ablations: Sequence[Ablation]) -> list[Path]:
    """Draws every figure as PNG and SVG; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, tasks in FIGURE_TASKS.items():
        written += save(methods_figure(results, tasks), folder / name)
    written += save(presets_figure(results), folder / "presets")
    written += save(cache_figure(results), folder / "figure6")
    for ablation in ablations:
        if any(results.runs(cell) for cell in ablation.cells):
            figure = ablation_figure(results, ablation)
            written += save(figure, folder / f"ablation-{ablation.name}")
    return written


def methods_figure(results: Results, tasks: Sequence[str]) -> Figure:
    """A panel a task: RPL, Expert Explore, from scratch, and the initial policy's level."""
    figure, panels = _panels(len(tasks))
    for letter, axes, task in zip("abc", panels, tasks, strict=False):
        for method, (label, colour) in METHODS.items():
            cell = results.rpl(task) if method == "rpl" else cell_of(task, method)
            if cell is not None:
                draw_runs(axes, results.runs(cell), cell, label, colour)
        _draw_initial(axes, results, task)
        _draw_pets(axes, results, task)
        _finish(axes, f"({letter}) {task}", metric_of(task))
    return figure


def presets_figure(results: Results) -> Figure:
    """The two presets on the tasks that have both, RPL and from scratch."""
    tasks = ("slippery-push", "pick-and-place")
    figure, panels = _panels(len(tasks))
    for axes, task in zip(panels, tasks, strict=True):
        for method in ("rpl", "scratch"):
            for variant, style in (("", "-"), ("-paper", "--")):
                cell = cell_of(task, method + variant)
                assert cell is not None
                label, colour = METHODS[method]
                name = f"{label}, {cell.preset}"
                draw_runs(axes, results.runs(cell), cell, name, colour, style)
        _draw_initial(axes, results, task)
        _finish(axes, task, metric_of(task))
    return figure


def cache_figure(results: Results) -> Figure:
    """The return of CachedPETS against the size of its cache; empty while it is not measured."""
    measured = results.folder / "figure6.csv"
    if measured.is_file():
        return plot_cache_sizes(measured)
    figure, (axes,) = _panels(1)
    _draw_missing(axes, "CachedPETS")
    _finish(axes, "mbrl-pusher, return by cache size", "return")
    return figure


def ablation_figure(results: Results, ablation: Ablation) -> Figure:
    """One panel: the reference and its variants, up to where the comparison ends."""
    figure, (axes,) = _panels(1, width=8.0)
    task = ablation.reference.task
    runs = [shortened(run, ablation.steps) for run in results.runs(ablation.reference)]
    label, colour = f"{ablation.reference_label} (as it is)", METHODS["rpl"][1]
    draw_runs(axes, runs[: ablation.seeds], ablation.reference, label, colour)
    names = [label for _, label, _ in ablation.variants]
    for cell, name, colour in zip(ablation.cells, names, VARIANT_COLOURS, strict=False):
        draw_runs(axes, results.runs(cell), cell, name, colour)
    _draw_initial(axes, results, task)
    title = ablation.title if task in ablation.title else f"{ablation.title} ({task})"
    _finish(axes, title, metric_of(task))
    # Variants have long names, and many of them lie close together.
    axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def shortened(run: RunData, steps: float) -> RunData:
    """A run as it was after so many steps."""
    inside = run.steps <= steps
    columns = {name: values[inside] for name, values in run.columns.items()}
    return replace(run, columns=columns)


def draw_runs(
    axes: Axes, runs: Sequence[RunData], cell: Cell, label: str, colour: str, style: str = "-"
) -> None:
    """A curve with its mean and standard deviation; without runs, an entry that says so."""
    if not runs:
        _draw_missing(axes, label)
        return
    seeds = f"{len(runs)} seeds" if len(runs) > 1 else "1 seed"
    draw_curve(axes, runs, metric_of(cell.task), f"{label} ({seeds})", colour, 1.8, style)


def _draw_missing(axes: Axes, label: str) -> None:
    axes.plot([], [], color=MISSING_COLOUR, linestyle=":", label=f"{label}: missing")


def _draw_initial(axes: Axes, results: Results, task: str) -> None:
    """The initial policy's level, as the runs that use it met it."""
    initial = results.initial(task)
    if initial is not None:
        axes.axhline(initial, color=CONTROLLER_COLOUR, linewidth=1.4, label="Initial")


def _draw_pets(axes: Axes, results: Results, task: str) -> None:
    cell = planner_of(task)
    if cell is None:
        return
    level = results.summary(cell).final
    if level is None:
        _draw_missing(axes, "PETS")
    else:
        axes.axhline(level, color=PLANNER_COLOUR, linestyle="--", linewidth=1.4, label="PETS")


def _panels(count: int, width: float = PANEL_SIZE[0]) -> tuple[Figure, np.ndarray]:
    figure = Figure((width * count, PANEL_SIZE[1]), layout="constrained")
    return figure, figure.subplots(1, count, squeeze=False)[0]


def _finish(axes: Axes, title: str, metric: str) -> None:
    label_axes(axes, title, metric, 11)
    if not any(np.size(line.get_xdata()) for line in axes.lines):
        axes.text(0.5, 0.5, "no runs yet", transform=axes.transAxes, ha="center", color="0.4")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.legend(frameon=False, fontsize=8, loc="upper left")
        return
    axes.set_xlim(left=0)
    draw_scale(axes)
    axes.legend(frameon=False, fontsize=8, loc="best")


def save(figure: Figure, stem: Path) -> list[Path]:
    """Writes a figure as PNG and SVG, the same bytes for the same figure."""
    with matplotlib.rc_context({"svg.hashsalt": "rpl", "svg.fonttype": "none"}):
        with whole_file(stem.with_suffix(".svg")) as beside:
            figure.savefig(beside, metadata={"Date": None, "Creator": None})
        with whole_file(stem.with_suffix(".png")) as beside:
            figure.savefig(beside, dpi=130, metadata={"Software": None})
    return [stem.with_suffix(".png"), stem.with_suffix(".svg")]


def plot_cache_sizes(path: Path) -> Figure:
    """Mean and one standard deviation of the return for each size of the cache.

    Args:
        path: what ``benchmarks/cache_sizes.py`` wrote, one row a size: ``states``, ``trials``,
            ``mean_return``, ``std_return``, and ``planner_return``, what the policy earned whose
            states are cached, in the episodes that they are from: a dashed line.

    Raises:
        ValueError: if the file is not such a table.
    """
    states, trials, mean, std, planner = read_cache_sizes(path)
    figure, (axes,) = _panels(1)
    colour = METHODS["rpl"][1]
    axes.plot(states, mean, color=colour, marker="o", markersize=4, label="CachedPETS")
    axes.fill_between(states, mean - std, mean + std, color=colour, alpha=0.2, linewidth=0)
    axes.axhline(planner[0], color=PLANNER_COLOUR, linestyle="--", label="the PETS that was cached")
    axes.legend(loc="lower right", frameon=False)
    label_axes(axes, f"mbrl-pusher, {int(trials.min())} trials a size", "return", 12)
    axes.set_xlabel("states in the cache", fontsize=11)
    axes.set_xlim(0, 1.02 * states.max())
    axes.grid(color="0.9")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def read_cache_sizes(path: Path) -> tuple[np.ndarray, ...]:
    """The columns, (sizes,) each, in the order of the sizes."""
    rows = read_rows(path)
    if not rows or not set(COLUMNS) <= rows[0].keys():
        raise UnreadableFile(f"{path} is not a table of cache sizes: it lacks {', '.join(COLUMNS)}")
    try:
        rows.sort(key=lambda row: float(row["states"]))
        return tuple(np.array([float(row[name]) for row in rows]) for name in COLUMNS)
    except ValueError as error:
        raise UnreadableFile(f"{path} has a field that is not a number: {error}") from error
