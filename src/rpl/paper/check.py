"""Holds results to the matrix: a row counts only if its command would make it again."""

import functools
import itertools
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from rpl.cli.train import spec_for
from rpl.errors import RunError, UnreadableFile
from rpl.paper.folders import KEPT, Run, runs_of
from rpl.paper.matrix import Cell
from rpl.registry.catalog import METHODS
from rpl.registry.resolve import RunSpec
from rpl.runs.files import Record, read_config, read_rows
from rpl.runs.record import default_record, record_of
from rpl.runs.settings import FREE, differences, flat
from rpl.viz.run_data import RunData

NAMED = ("task", "method", "learner", "preset", "seed", "controller")
CONFIGURED = ("task_options", "controller_options", "config")
PROVENANCE = ("command", "versions", "commit")
COLUMNS = ("environment_steps", "wall_seconds", "policy_return")
# PETS plans from the start, and without a controller.
LEARNERS_COLUMNS = (*COLUMNS, "controller_return", "burning_in")

EARLIER: dict[str, tuple[object, ...]] = {
    "config.exploration.alone_share": (0.0,),
    "config.exploration.hold": (1.0,),
    "config.exploration.noise": (0.1,),
    "config.exploration.random": (0.1,),
    "config.replay.n_step": (2, 4, 6),
    "config.learner.critics_drawn": (2,),
    "config.burn_in.minimum_steps": (20_000,),
}
"""Settings of ``fast`` with what they were before, first where a record does not say: rows made so
still count, and tables say so."""

FREE_OF_CELLS = FREE | {"config.seed"}  # the seed is held to the folder's


@functools.cache
def _spec_of(cell: Cell) -> RunSpec:
    """The settings of a cell's runs: its arguments, read as ``rpl train`` reads them."""
    return spec_for(cell.arguments(0))


def expected_record(cell: Cell, seed: int) -> Record:
    """What config.json of a run must say."""
    spec = _spec_of(cell)
    seeded = replace(spec, config=replace(spec.config, seed=seed))
    return record_of(seeded, shlex.join(["rpl", *cell.arguments(seed)]))


def _earlier_settings(cell: Cell) -> dict[str, tuple[object, ...]]:
    """What a row of the cell may have in place of what its preset says now."""
    return EARLIER if cell.preset == "fast" else {}


def is_earlier(cell: Cell, run: RunData) -> bool:
    """Whether a row was made before its preset became what it is."""
    now = flat(expected_record(cell, run.seed))
    return any(
        run.settings.get(name, before[0]) != now[name]
        for name, before in _earlier_settings(cell).items()
    )


def check_results(results: Path, cells: Sequence[Cell]) -> tuple[int, list[str]]:
    """How many rows there are below a folder, and a sentence for everything wrong with them."""
    seeds = {cell.folder: cell.seeds for cell in cells}
    runs = {run.folder: run for run in runs_of(cells)}
    rows = sorted({path.parent for name in KEPT for path in results.rglob(name)})
    complaints = []
    for row in rows:
        folder = row.relative_to(results)
        if run := runs.get(folder.as_posix()):
            complaints += [f"{row}: {complaint}" for complaint in row_complaints(row, run)]
        elif count := seeds.get(folder.parent.as_posix()):
            complaints.append(f"{row}: the matrix has the seeds 0 to {count - 1}")
        else:
            complaints.append(f"{row}: the matrix has no such cell; add it there, or move the row")
    return len(rows), complaints


def is_as_asked(row: Path, run: Run) -> bool:
    """Whether nothing is wrong with a finished row."""
    return not any(row_complaints(row, run))


def row_complaints(row: Path, run: Run) -> Iterator[str]:
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
    yield from _differences(record, run)
    yield from _metrics_complaints(row / "metrics.csv", run.cell)


def _differences(record: Record, run: Run) -> Iterator[str]:
    cell, expected = run.cell, expected_record(run.cell, run.seed)
    # Where nothing learned depends on it, the controller is only the level beside the curve.
    unused = () if METHODS[cell.method].asks_controller else ("controller", "controller_options")
    row, matrix = (
        {k: part[k] for k in (*NAMED, *CONFIGURED) if k in part and k not in unused}
        for part in (record, expected)
    )
    defaults = default_record(_spec_of(cell))
    for name, value, should, known in differences(row, matrix, defaults, FREE_OF_CELLS):
        if value in _earlier_settings(cell).get(name, ()):
            continue
        says = f"says {should}" if known else "knows no such setting"
        yield f"{name} is {value}; the matrix {says}"


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
