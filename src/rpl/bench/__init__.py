"""Speeds as ratios within one run: physics, environment, learner, training, beside the peers.

The machine may be shared, so contenders take turns, each keeps its best turn, and what
runs on one thread is timed in CPU seconds of its process. Only ratios are judged.
"""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rpl.bench.environment import environment_rows
from rpl.bench.measure import Row
from rpl.bench.training import training_rows
from rpl.bench.update import update_rows


def run_benchmarks(announce: Callable[[str], None] = lambda section: None) -> list[Row]:
    """Measures everything, in about five minutes on two free cores.

    Args:
        announce: called with the name of each section before it is measured.
    """
    rows: list[Row] = []
    for section, measure in (
        ("environment", environment_rows),
        ("update", update_rows),
        ("training", training_rows),
    ):
        announce(section)
        rows += measure()
    return rows


def main() -> int:
    """Measures and prints a table; ``rpl bench``."""
    console = Console()
    with console.status("") as status:
        rows = run_benchmarks(lambda section: status.update(f"measuring: {section}"))
    console.print(table(rows))
    return 0


def table(rows: list[Row]) -> Table:
    """The rows for a terminal, a block a section."""
    result = Table(title="Best of several turns; ratios within this run are what counts")
    for column in ("", "rate", "unit", "ratio", "to", "bar", ""):
        result.add_column(column, justify="right" if column in ("rate", "ratio", "bar") else "left")
    verdicts = {None: Text(""), True: Text("pass", "green"), False: Text("fail", "bold red")}
    section = ""
    for row in rows:
        if row.section != section:
            section = row.section
            result.add_section()
            result.add_row(Text(section, "bold"))
        result.add_row(
            Text("  " + row.what),
            "-" if row.rate is None else f"{row.rate:,.0f}",
            row.unit,
            "" if row.ratio is None else f"{row.ratio:.2f}",
            row.against if row.ratio is not None else "",
            "" if row.bar is None else f"{row.bar:g}",
            Text(row.note) if row.note else verdicts[row.passed],
        )
    return result
