"""Runs of seconds, and somebody who listens to their queue."""

import csv
from pathlib import Path

from rpl.paper.folders import Run

SMALL = tuple(
    "--episodes-per-cycle 2 --cycles-per-epoch 2 --evaluation-episodes 2 --learner.hidden 16 16 "  # noqa: SIM905
    "--final-evaluation-episodes 2 --learner.batch-size 16 --learner.updates-per-cycle 2 "
    "--replay.capacity 500".split()
)


class Silent:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.ended: dict[str, str | None] = {}

    def on_tick(self, waiting) -> None: ...

    def on_end(self, run: Run, error: str | None) -> None:
        self.ended[run.folder] = error


def steps_in(folder: Path) -> list[int]:
    if not (folder / "metrics.csv").exists():
        return []
    with open(folder / "metrics.csv") as file:
        return [int(row["environment_steps"]) for row in csv.DictReader(file)]
