"""Speeds as ratios within one run: physics, environment, learner, training, beside the peers.

The machine may be shared, so contenders take turns, each keeps its best turn, and what
runs on one thread is timed in CPU seconds of its process. Only ratios are judged.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from benchmarks.speed.environment import environment_rows
from benchmarks.speed.measure import Row
from benchmarks.speed.planning import planning_rows
from benchmarks.speed.training import training_rows
from benchmarks.speed.update import update_rows


def run_benchmarks(announce: Callable[[str], None] = lambda section: None) -> list[Row]:
    """Measures everything, in about five minutes on two free cores.

    Args:
        announce: called with the name of each section before it is measured.
    """
    rows: list[Row] = []
    for section, measure in (
        ("environment", environment_rows),
        ("update", update_rows),
        ("planning", planning_rows),
        ("training", training_rows),
    ):
        announce(section)
        rows += measure()
    return rows


def main() -> int:
    """Measures and prints a table; ``make bench``."""
    console = Console()
    with console.status("") as status:
        rows = run_benchmarks(lambda section: status.update(f"measuring: {section}"))
    console.print(table(rows))
    return 0


def table(rows: list[Row]) -> Group:
    """The rows for a terminal, a block a section."""
    blocks: list[RenderableType] = [
        "Best of several turns; only ratios within this run count, the machine may be shared."
    ]
    for section, block in itertools.groupby(rows, lambda row: f"{row.section}, {row.unit}"):
        grid = Table.grid(padding=(0, 2))
        for justify in ("left", "right", "left", "left"):
            grid.add_column(justify=justify, no_wrap=True)
        for row in block:
            grid.add_row(
                Text("  " + row.what),
                "-" if row.rate is None else f"{row.rate:,.0f}",
                Text(row.note or ("" if row.ratio is None else f"{row.ratio:.2f}x {row.against}")),
                _verdict(row),
            )
        blocks += [Text(f"\n{section}", "bold"), grid]
    return Group(*blocks)


def _verdict(row: Row) -> Text:
    if row.passed is None:
        return Text("")
    word, style = ("pass", "green") if row.passed else ("fail", "bold red")
    return Text(f"{word}: bar {row.bar:g}", style)
