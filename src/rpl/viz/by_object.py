"""Success by kind of object as bars: where a policy generalises and where it does not."""

from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rpl.errors import whole_file
from rpl.settings import Record
from rpl.viz.curves import PLAIN_TEXT

WHO = {"controller": ("controller", "#999999"), "policy": ("policy", "#0072B2")}
PANEL_WIDTH, ROW_HEIGHT, MARGIN = 4.6, 0.2, 1.3  # inches


def success_by_category(splits: dict[str, Record], path: Path) -> None:
    """Draws a panel for each split, a row for each kind of object, the best on top.

    ``splits`` is what ``rpl eval --json`` calls so; the path's suffix decides the format.
    """
    with rc_context(PLAIN_TEXT), whole_file(path) as beside:
        _figure_of(splits).savefig(beside)


def _figure_of(splits: dict[str, Record]) -> Figure:
    rows = max(len(report["categories"]) for report in splits.values())
    size = (PANEL_WIDTH * len(splits), ROW_HEIGHT * rows + MARGIN)
    figure = Figure(figsize=size, layout="constrained", dpi=150)
    axes = figure.subplots(1, len(splits), squeeze=False)[0]
    for axis, (split, report) in zip(axes, splits.items(), strict=True):
        _bars(axis, report)
        axis.set_title(f"{split} objects", fontsize=11, pad=22)
    if any(not c["trained"] for report in splits.values() for c in report["categories"].values()):
        figure.supxlabel("* a kind that training never shows", fontsize=8)
    return figure


def _bars(axis: Axes, report: Record) -> None:
    """One split: bars from 0 to 1, lines at the success over all kinds."""
    acting = [name for name in WHO if report[name] is not None]
    counts = report["categories"]

    def share(name: str, category: str) -> float:
        return counts[category][name] / counts[category]["episodes"]

    order = sorted(counts, key=lambda category: (share(acting[-1], category), category))
    y, height = np.arange(len(order)), 0.8 / len(acting)
    for i, name in enumerate(acting):
        label, colour = WHO[name]
        middle = y + (len(acting) / 2 - 0.5 - i) * height
        values = [share(name, category) for category in order]
        rate = report[name]["success_rate"]
        axis.barh(middle, values, height, color=colour, label=f"{label} {rate:.2f}")
        axis.axvline(rate, color=colour, linewidth=1.0, linestyle="--")
    marks = ["" if counts[category]["trained"] else " *" for category in order]
    names = [f"{c}{mark} ({counts[c]['episodes']})" for c, mark in zip(order, marks, strict=True)]
    axis.set_yticks(y, names, fontsize=8)
    axis.set_ylim(-0.6, len(order) - 0.4)
    axis.set_xlim(0.0, 1.0)
    axis.set_xlabel("success (number of episodes in brackets)", fontsize=9)
    axis.legend(loc="lower center", bbox_to_anchor=(0.5, 0.99), ncols=2, frameon=False, fontsize=9)
    axis.spines[["top", "right"]].set_visible(False)
