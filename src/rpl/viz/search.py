"""A search for a controller's settings: what was tried, and how well it did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from rpl.errors import whole_file
from rpl.settings import Record
from rpl.viz.curves import CONTROLLER_COLOUR, METHODS, PANEL_SIZE, PLAIN_TEXT, label_axes

BLUE, ORANGE = (METHODS[name][1] for name in ("rpl", "expert-explore"))
LARGEST = 60.0  # points^2 of a mark


def draw_search(
    out: Path,
    title: str,
    tried: Sequence[Record],
    shipped: Record,
    tuned: Record,
    by_factor: Mapping[str, bool],
    metric: str,
) -> None:
    """Draws a panel a setting, with a mark for each value that was tried.

    Marks are the larger the more episodes were played: small ones were given up early.

    Args:
        out: the picture.
        title: of all.
        tried: what was tried, each with the settings, ``episodes``, ``success`` and ``return``.
        shipped: the controller's own settings.
        tuned: what the search has led to.
        by_factor: of each setting to be shown, whether its axis is logarithmic.
        metric: ``"success"`` or ``"return"``.
    """
    width, height = PANEL_SIZE
    with rc_context(PLAIN_TEXT), whole_file(out) as beside:
        figure = Figure((width * max(len(by_factor), 2), height + 0.5), layout="constrained")
        panels = figure.subplots(1, len(by_factor), squeeze=False, sharey=True)[0]
        for axes, (name, logarithmic) in zip(panels, by_factor.items(), strict=True):
            _draw(axes, name, tried, shipped[name], tuned[name], metric)
            if logarithmic:
                _by_factor(axes)
        for axes in panels[1:]:
            axes.set_ylabel("")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
        figure.suptitle(title, fontsize=12)
        figure.savefig(beside, dpi=160)


def _draw(
    axes: Axes, name: str, tried: Sequence[Record], shipped: Any, tuned: Any, metric: str
) -> None:
    values = [_place(one[name]) for one in tried]
    episodes = np.array([one["episodes"] for one in tried], float)
    levels = [one[metric] for one in tried]
    sizes = LARGEST * episodes / episodes.max()
    axes.scatter(values, levels, sizes, BLUE, alpha=0.6, label="tried", linewidths=0)
    axes.axvline(_place(tuned), color=ORANGE, label="tuned")
    axes.axvline(_place(shipped), color=CONTROLLER_COLOUR, linestyle="--", label="shipped")
    label_axes(axes, "", metric, 11)
    axes.set_xlabel(name.replace("_", " "))
    axes.grid(color="0.9")
    axes.spines[["top", "right"]].set_visible(False)


def _by_factor(axes: Axes) -> None:
    """A logarithmic axis with numbers as people write them."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _place(value: Any) -> Any:
    """Words have places of their own, truth values too."""
    return str(value) if isinstance(value, (bool, str)) else value
