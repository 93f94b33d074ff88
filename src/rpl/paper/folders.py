"""Where a run of the matrix stands: finished, running, stopped or still to begin."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rpl.errors import whole_file
from rpl.paper.matrix import Cell
from rpl.runs.files import last_number, read_rows

State = Literal["done", "running", "stopped", "outdated", "missing"]
KEPT = ("config.json", "metrics.csv")


@dataclass(frozen=True)
class Run:
    """A cell and a seed."""

    cell: Cell
    seed: int

    @property
    def folder(self) -> str:
        """Where it stands, below the results and below the run folders."""
        return f"{self.cell.folder}/seed{self.seed}"


@dataclass(frozen=True)
class Standing:
    """How far a run has got."""

    run: Run
    state: State
    """outdated: finished under settings that have changed since, where a new run would go."""
    steps: int = 0
    """Environment steps done by its last evaluation."""
    speed: float | None = None
    """Environment steps a second so far, evaluations included."""


class Places:
    """The two folders of the paper's runs: where they are made, and where results are kept.

    Args:
        runs: run folders with checkpoints and replays, below it as the cells name them.
        results: the small files that stay.
        as_asked: whether a finished row is what the matrix asks for now; it may have been made
            under settings that have changed since.
    """

    def __init__(
        self,
        runs: Path,
        results: Path,
        as_asked: Callable[[Path, Run], bool] = lambda row, run: True,
    ) -> None:
        self.runs = runs
        self.results = results
        self._as_asked = as_asked
        self._verdicts: dict[Path, tuple[tuple[int, ...], bool]] = {}

    def _is_as_asked(self, row: Path, run: Run) -> bool:
        """The verdict on a finished row, found once for as long as its files stay the same."""
        stamp = tuple((row / name).stat().st_mtime_ns for name in KEPT if (row / name).exists())
        if self._verdicts.get(row, ((), False))[0] != stamp:
            self._verdicts[row] = stamp, self._as_asked(row, run)
        return self._verdicts[row][1]

    def _kept(self, run: Run) -> Standing | None:
        """Where a run stands whose result is kept."""
        kept = self.results / run.folder
        steps, speed = read_progress(kept / "metrics.csv")
        if steps < run.cell.steps or not self._is_as_asked(kept, run):
            return None
        return Standing(run, "done", steps, speed)

    def standing(self, run: Run) -> Standing:
        """Where a run stands; a finished result counts wherever it was made."""
        if kept := self._kept(run):
            return kept
        made = self.runs / run.folder
        steps, speed = read_progress(made / "metrics.csv")
        if is_in_use(made):
            return Standing(run, "running", steps, speed)
        if steps >= run.cell.steps:
            as_asked = self._is_as_asked(made, run)
            return Standing(run, "done", steps, speed) if as_asked else Standing(run, "outdated")
        return Standing(run, "stopped" if steps else "missing", steps, speed)

    def keep(self, run: Run) -> None:
        """Copies the small files of a finished run to the results."""
        target = self.results / run.folder
        for name in KEPT:
            with whole_file(target / name) as beside:
                beside.write_bytes((self.runs / run.folder / name).read_bytes())

    def keep_finished(self, runs: Iterable[Run]) -> None:
        """Copies what finished runs have not been copied yet."""
        for run in runs:
            if self._kept(run) is None and self.standing(run).state == "done":
                self.keep(run)


def runs_of(cells: Iterable[Cell], seeds: Sequence[int] | None = None) -> list[Run]:
    """The runs of some cells, of all seeds or the chosen ones."""
    return [
        Run(cell, seed)
        for cell in cells
        for seed in range(cell.seeds)
        if seeds is None or seed in seeds
    ]


def read_progress(metrics: Path) -> tuple[int, float | None]:
    """Environment steps and steps a second of the last whole row; (0, None) without one.

    Raises:
        UnreadableFile: if the file is not a run's.
    """
    rows = read_rows(metrics)
    if not rows:
        return 0, None
    steps = int(last_number(metrics, "environment_steps", rows))
    seconds = last_number(metrics, "wall_seconds", rows)
    return steps, steps / seconds if seconds > 0 and steps > 0 else None


def is_in_use(folder: Path) -> bool:
    """Whether a live process writes in a run folder."""
    try:
        with open(folder / "lock", "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def speeds(standings: Sequence[Standing]) -> Callable[[Cell], tuple[float, bool]]:
    """What is known of each cell's steps a second: the speed, and whether it was measured.

    Measured is the mean over the cell's runs, or over runs of the same task and preset
    whose stated cost is the same; else the cell's stated cost speaks.
    """

    def speed(cell: Cell) -> tuple[float, bool]:
        same = [s.speed for s in standings if s.speed and s.run.cell.folder == cell.folder]
        alike = [
            s.speed
            for s in standings
            if s.speed
            and (s.run.cell.task, s.run.cell.preset, s.run.cell.cost)
            == (cell.task, cell.preset, cell.cost)
        ]
        measured = same or alike
        return (sum(measured) / len(measured), True) if measured else (1000.0 / cell.cost, False)

    return speed


def seconds_left(
    standings: Iterable[Standing], speed: Callable[[Cell], tuple[float, bool]]
) -> float:
    """Computing time of what is not done, one run at a time."""
    return sum(
        (s.run.cell.steps - s.steps) / speed(s.run.cell)[0] for s in standings if s.state != "done"
    )
