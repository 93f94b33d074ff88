"""The results that there are, by cell of the matrix."""

from collections.abc import Container
from pathlib import Path

import numpy as np

from rpl.paper.folders import KEPT
from rpl.paper.matrix import MATRIX, Cell
from rpl.paper.statistics import Summary, metric_of, summarise
from rpl.registry.catalog import METHODS
from rpl.rollout.evaluate import MEAN
from rpl.tuning.folder import RECORD, read_tuning
from rpl.viz.curves import RunData, read_run

FIGURE_TASKS = {
    "figure3": ("push", "slippery-push", "pick-and-place"),
    "figure4": ("noisy-hook", "complex-hook", "mbrl-pusher"),
}
TASKS = tuple(task for tasks in FIGURE_TASKS.values() for task in tasks)


class Results:
    """Reads the rows of a folder of results once; rows ``left_out`` do not count."""

    def __init__(self, folder: Path, left_out: Container[Path] = ()) -> None:
        self.folder = folder
        self._left_out = left_out
        self._runs: dict[str, list[RunData]] = {}
        self._summaries: dict[Cell, Summary] = {}

    def runs(self, cell: Cell) -> list[RunData]:
        """The finished runs of a cell, in the order of their seeds; rows cut short do not count."""
        if cell.folder not in self._runs:
            folders = [self.folder / cell.folder / f"seed{seed}" for seed in range(cell.seeds)]
            there = [f for f in folders if all((f / name).is_file() for name in KEPT)]
            rows = [read_run(f) for f in there if f not in self._left_out]
            self._runs[cell.folder] = [run for run in rows if run.run_steps[-1] >= cell.steps]
        return self._runs[cell.folder]

    def summary(self, cell: Cell) -> Summary:
        """A cell in numbers; areas are taken over what RPL gets on the task."""
        if cell not in self._summaries:  # a bootstrap takes a while, and many pages ask
            self._summaries[cell] = summarise(cell, self.runs(cell), self.rpl(cell.task).steps)
        return self._summaries[cell]

    def rpl(self, task: str) -> Cell:
        """RPL's cell of a task: its default where that has run, else without the gate."""
        by_default, ungated = cell_of(task, "rpl-gated"), cell_of(task, "rpl")
        assert ungated is not None
        if by_default is not None and self.runs(by_default):
            return by_default
        return ungated

    def tuned(self, task: str) -> tuple[float, float] | None:
        """What tuning the task's controller came to: its held-out level and the steps played.

        Means over the tunings of ``rpl tune`` below ``tuning/``; None where there are none.
        """
        records = [read_tuning(file.parent) for file in self.folder.glob(f"tuning/*/*/{RECORD}")]
        ended = [r["result"] for r in records if r["task"] == task and "result" in r]
        if not ended:
            return None
        levels = [result["evaluation"]["tuned"][MEAN[metric_of(task)]] for result in ended]
        return float(np.mean(levels)), float(np.mean([result["steps"] for result in ended]))

    def initial(self, task: str) -> float | None:
        """The level of the initial policy: the controller of RPL's runs on the task."""
        for cell in (self.rpl(task), cell_of(task, "expert-explore")):
            if cell is not None and self.runs(cell):
                return self.summary(cell).initial
        return None


def planner_of(task: str) -> Cell | None:
    """A task's cell of a planner."""
    cells = (cell for cell in MATRIX if cell.task == task and METHODS[cell.method].plans)
    return next(cells, None)


def cell_of(task: str, label: str) -> Cell | None:
    """A task's cell by its label."""
    return next((cell for cell in MATRIX if (cell.task, cell.label) == (task, label)), None)
