"""The return of a cached policy against the size of its cache (the paper's figure 6)."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from rpl.errors import UnreadableFile
from rpl.show.plots import PLANNER_COLOUR

COLUMNS = ("states", "trials", "mean_return", "std_return", "planner_return")
COLOUR = "#0072B2"


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
    figure = Figure((4.6, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.plot(states, mean, color=COLOUR, marker="o", markersize=4, label="CachedPETS")
    axes.fill_between(states, mean - std, mean + std, color=COLOUR, alpha=0.2, linewidth=0)
    axes.axhline(planner[0], color=PLANNER_COLOUR, linestyle="--", label="the PETS that was cached")
    axes.legend(loc="lower right", frameon=False)
    axes.set_title(f"mbrl-pusher, {int(trials.min())} trials a size", fontsize=12)
    axes.set_xlabel("states in the cache", fontsize=11)
    axes.set_ylabel("return", fontsize=11)
    axes.set_xlim(0, 1.02 * states.max())
    axes.grid(color="0.9")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def read_cache_sizes(path: Path) -> tuple[np.ndarray, ...]:
    """The columns, (sizes,) each, in the order of the sizes."""
    with Path(path).open(newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or not set(COLUMNS) <= rows[0].keys():
        raise UnreadableFile(f"{path} is not a table of cache sizes: it lacks {', '.join(COLUMNS)}")
    rows.sort(key=lambda row: float(row["states"]))
    return tuple(np.array([float(row[name]) for row in rows]) for name in COLUMNS)
