"""What a person sees of the paper's runs: a table, and how long the rest takes."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from rpl.cli.output import plain_table
from rpl.paper.folders import Standing, seconds_left, speeds
from rpl.paper.matrix import Cell
from rpl.sweeps.display import Look
from rpl.sweeps.progress import duration
from rpl.viz.run_data import format_steps

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
    table = plain_table("seed", *map(str, seeds), numbers=("steps", "steps/s", "left"))
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
    note = f" (the speed of {guessed} of them is a guess, marked ~)" if guessed else ""
    return (
        f"{len(standings) - len(left)} of {len(standings)} runs are done; the rest takes about "
        f"{duration(seconds)}, {'one' if jobs == 1 else jobs} at a time{note}"
    )


def look_at(standings: Sequence[Standing], jobs: int) -> Look:
    """Where the runs stand, for who watches them."""
    running = [
        f"{s.run.folder} at {format_steps(s.steps)}" for s in standings if s.state == "running"
    ]
    return Look(standings_table(standings), running, time_left(standings, jobs))
