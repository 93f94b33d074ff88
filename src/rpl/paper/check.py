"""Holds results to the matrix: a row counts only if its command would make it again."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rpl.errors import RunError, UnreadableFile
from rpl.paper.folders import KEPT, Run
from rpl.paper.matrix import Cell
from rpl.registry.catalog import METHODS
from rpl.runs.files import Record, read_config, read_rows
from rpl.runs.settings import FREE, differences

NAMED = ("task", "method", "learner", "preset", "seed", "controller")
CONFIGURED = ("task_options", "controller_options", "config")
PROVENANCE = ("command", "versions", "commit")
COLUMNS = ("environment_steps", "wall_seconds", "policy_return")
# PETS plans from the start, and without a controller.
LEARNERS_COLUMNS = (*COLUMNS, "controller_return", "burning_in")

FREE_OF_CELLS = FREE | {"config.seed"}  # the seed is held to the folder's
Expected = Callable[[Cell, int], Record]
"""What config.json of a cell and seed must say, resolved."""
Defaults = Callable[[Cell], Record]
"""The values that settings had before they existed."""


def check_results(
    results: Path, cells: Sequence[Cell], expected: Expected, defaults: Defaults
) -> tuple[int, list[str]]:
    """Looks at every row below a folder.

    Args:
        results: the folder of results.
        cells: the matrix, and what stands beside it.
        expected: see ``Expected``.
        defaults: see ``Defaults``.

    Returns:
        How many rows there are, and a sentence for everything wrong with them.
    """
    by_folder = {cell.folder: cell for cell in cells}
    found = sorted(path.parent for path in results.rglob("config.json"))
    found += sorted(
        path.parent for path in results.rglob("metrics.csv") if path.parent not in found
    )
    complaints = []
    for row in found:
        cell = by_folder.get(row.parent.relative_to(results).as_posix())
        run = _named_run(cell, row.name)
        if cell is None:
            complaints.append(f"{row}: the matrix has no such cell; add it there, or move the row")
        elif run is None:
            complaints.append(f"{row}: the matrix has the seeds 0 to {cell.seeds - 1}")
        else:
            complaints += [
                f"{row}: {complaint}" for complaint in row_complaints(row, run, expected, defaults)
            ]
    return len(found), complaints


def _named_run(cell: Cell | None, name: str) -> Run | None:
    number = name.removeprefix("seed")
    if cell is None or name == number or not number.isdigit() or int(number) >= cell.seeds:
        return None
    return Run(cell, int(number))


def row_complaints(row: Path, run: Run, expected: Expected, defaults: Defaults) -> Iterator[str]:
    """What keeps a row from being the result of a run."""
    missing = [name for name in KEPT if not (row / name).is_file()]
    if missing:
        yield f"lacks {' and '.join(missing)}"
        return
    try:
        record = read_config(row)
    except RunError as error:
        yield str(error)
        return
    yield from (
        f"config.json does not say its {name}" for name in PROVENANCE if not record.get(name)
    )
    yield from _differences(record, expected(run.cell, run.seed), defaults(run.cell), run.cell)
    yield from _metrics_complaints(row / "metrics.csv", run.cell)


def _differences(record: Record, expected: Record, defaults: Record, cell: Cell) -> Iterator[str]:
    # Where nothing learned depends on it, the controller is only the level beside the curve.
    unused = () if METHODS[cell.method].asks_controller else ("controller", "controller_options")
    row, matrix = (
        {k: part[k] for k in (*NAMED, *CONFIGURED) if k in part and k not in unused}
        for part in (record, expected)
    )
    for name, value, should, known in differences(row, matrix, defaults, FREE_OF_CELLS):
        if known:
            yield f"{name} is {value}; the matrix says {should}"
        else:
            yield f"{name} is {value}; the matrix knows no such setting"


def _metrics_complaints(path: Path, cell: Cell) -> Iterator[str]:
    try:
        rows = read_rows(path)
    except UnreadableFile as error:
        yield str(error)
        return
    columns = COLUMNS if METHODS[cell.method].plans else LEARNERS_COLUMNS
    missing = [name for name in columns if not rows or name not in rows[0]]
    if missing:
        yield f"metrics.csv lacks {', '.join(missing)}"
        return
    try:
        done = [float(row["environment_steps"]) for row in rows]
    except (TypeError, ValueError):
        yield "metrics.csv has a number of steps that is none"
        return
    if any(later <= earlier for earlier, later in itertools.pairwise(done)):
        yield "the steps of metrics.csv do not rise"
    if done[-1] < cell.steps:
        yield f"ends at {done[-1]:,.0f} steps; the matrix asks for {cell.steps:,}"
