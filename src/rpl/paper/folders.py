"""Where a run of the matrix stands: finished, running, stopped or still to begin."""

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rpl.errors import whole_file
from rpl.paper.matrix import Cell
from rpl.sweeps.progress import is_in_use, read_progress

State = Literal["done", "running", "stopped", "outdated", "missing"]
Speed = Callable[[Cell], tuple[float, bool]]
"""A cell's steps a second, and whether they were measured."""
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
        self.runs, self.results = runs, results
        self._verdict = functools.cache(lambda row, run, changed: as_asked(row, run))

    def _is_as_asked(self, row: Path, run: Run) -> bool:
        """The verdict on a finished row, found once for as long as its files stay the same."""
        files = [row / name for name in KEPT]
        return self._verdict(row, run, tuple(f.stat().st_mtime_ns for f in files if f.exists()))

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


def cheapest_first(standings: Sequence[Standing], speed: Speed) -> list[Run]:
    """The order in which figures fill soonest: the cheapest first, and then seed by seed."""
    ordered = sorted(standings, key=lambda s: (seconds_left([s], speed), s.run.seed))
    return [s.run for s in ordered]


def runs_of(cells: Iterable[Cell], seeds: Sequence[int] | None = None) -> list[Run]:
    """The runs of some cells, of all seeds or the chosen ones."""
    return [
        Run(cell, seed)
        for cell in cells
        for seed in range(cell.seeds)
        if seeds is None or seed in seeds
    ]


def speeds(standings: Sequence[Standing]) -> Speed:
    """What is known of each cell's speed.

    Measured is the mean over the cell's runs, or over runs of the same task and preset
    whose stated cost is the same; else the cell's stated cost speaks.
    """

    def like(cell: Cell) -> tuple[object, ...]:
        return cell.task, cell.preset, cell.cost

    def speed(cell: Cell) -> tuple[float, bool]:
        known = [(s.run.cell, s.speed) for s in standings if s.speed]
        same = [speed for other, speed in known if other.folder == cell.folder]
        measured = same or [speed for other, speed in known if like(other) == like(cell)]
        return (sum(measured) / len(measured), True) if measured else (1000.0 / cell.cost, False)

    return speed


def seconds_left(standings: Iterable[Standing], speed: Speed) -> float:
    """Computing time of what is not done, one run at a time."""
    return sum(
        (s.run.cell.steps - s.steps) / speed(s.run.cell)[0] for s in standings if s.state != "done"
    )
