"""What a person sees of the paper's runs: a table, and the queue while it works."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from rpl.paper.folders import Places, Run, Standing, seconds_left, speeds
from rpl.paper.matrix import Cell
from rpl.paper.queue import every
from rpl.training.console import say
from rpl.viz.run_data import format_steps

SECONDS_BETWEEN_LINES = 60.0
STYLES = {
    "done": "green",
    "running": "bold yellow",
    "stopped": "yellow",
    "outdated": "red",
    "missing": "dim",
}


def standings_table(standings: Sequence[Standing], colour: bool = True) -> Table:
    """A row a cell, a column a seed: done, the steps so far (… while running), old, or a dash."""
    rows: dict[Cell, dict[int, Standing]] = {}
    for standing in standings:
        rows.setdefault(standing.run.cell, {})[standing.run.seed] = standing
    seeds = sorted({standing.run.seed for standing in standings})
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("seed", no_wrap=True)
    for seed in seeds:
        table.add_column(str(seed), no_wrap=True)
    for name in ("steps", "steps/s", "left"):
        table.add_column(name, justify="right")
    speed = speeds(standings)
    for cell, by_seed in rows.items():
        value, measured = speed(cell)
        left = seconds_left(by_seed.values(), speed)
        table.add_row(
            cell.folder,
            *(_entry(by_seed.get(seed), colour) for seed in seeds),
            format_steps(cell.steps),
            f"{'' if measured else '~'}{value:,.0f}",
            duration(left) if left else "",
        )
    return table


def _entry(standing: Standing | None, colour: bool) -> Text:
    if standing is None:
        return Text("")
    steps = format_steps(standing.steps)
    words = {"missing": "-", "done": "done", "outdated": "old", "running": f"{steps} …"}
    style = STYLES[standing.state] if colour else ""
    return Text(words.get(standing.state, steps), style=style)


def time_left(standings: Sequence[Standing], jobs: int = 1) -> str:
    """A sentence on what is left."""
    speed = speeds(standings)
    left = [s for s in standings if s.state != "done"]
    if not left:
        return f"all {len(standings)} runs are done"
    seconds = seconds_left(left, speed) / jobs
    guessed = sum(not speed(s.run.cell)[1] for s in left)
    at_a_time = "one at a time" if jobs == 1 else f"{jobs} at a time"
    sentence = (
        f"{len(standings) - len(left)} of {len(standings)} runs are done; "
        f"the rest takes about {duration(seconds)}, {at_a_time}"
    )
    if guessed:
        sentence += f" (the speed of {guessed} of them is a guess, marked ~)"
    return sentence


def duration(seconds: float) -> str:
    """5 min, 3.2 h."""
    if seconds < 3600:
        return f"{max(round(seconds / 60), 1)} min"
    return f"{seconds / 3600:.1f} h"


class QueueDisplay:
    """The table, redrawn in place on a terminal; plain lines in a pipe."""

    def __init__(self, console: Console, places: Places, runs: Sequence[Run], jobs: int) -> None:
        self._console = console
        self._places = places
        self._runs = list(runs)
        self._jobs = jobs
        self._due = every(SECONDS_BETWEEN_LINES)
        self._failed: set[Run] = set()
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None

    def __enter__(self) -> QueueDisplay:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def on_end(self, run: Run, error: str | None) -> None:
        """Says how a run ended."""
        if error is not None:
            self._failed.add(run)
        how = "is finished" if error is None else f"failed: {error}"
        self._print(f"{run.folder} {how}")

    def _print(self, text: str) -> None:
        say(self._console, text)

    def on_tick(self, waiting: Sequence[Run]) -> None:
        """Shows where the runs stand, once in a while."""
        if self._live is None and not self._due():
            return
        standings = [self._places.standing(r) for r in self._runs if r not in self._failed]
        sentence = time_left(standings, self._jobs)
        if self._live:
            self._live.update(Group(standings_table(standings), sentence), refresh=True)
            return
        running = [
            f"{s.run.folder} at {format_steps(s.steps)}" for s in standings if s.state == "running"
        ]
        if running:
            self._print(f"running: {', '.join(running)}")
        self._print(sentence)
