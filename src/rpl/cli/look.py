"""Where many runs stand, as a table of them and a sentence on what is left."""

from collections.abc import Mapping, Sequence

from rich.text import Text

from rpl.cli.output import plain_table
from rpl.runs.files import read_rows
from rpl.sweeps.display import Look
from rpl.sweeps.progress import duration, is_in_use, level_of, read_progress
from rpl.sweeps.worker import Job
from rpl.viz.run_data import format_steps

STYLES = {"done": "green", "running": "bold yellow", "failed": "red"}


def look_at_jobs(
    jobs: Sequence[Job], ended: Mapping[Job, str | None], steps: int | None, number: int
) -> Look:
    """A row a run: its state, steps, level and speed.

    Args:
        jobs: the runs.
        ended: those that have, with why they failed.
        steps: of a whole run; None if nobody knows.
        number: how many are made at a time.
    """
    table = plain_table("run", "", numbers=("steps", "policy", "steps/s"))
    states, running, missing, speeds = [], [], 0, []
    for job in jobs:
        metrics = job.folder / "metrics.csv"
        done, speed = read_progress(metrics)
        states.append(_state(job, ended, done, steps))
        level = level_of(job.folder, read_rows(metrics))
        words = "" if level is None else f"{level:.3f}", "" if speed is None else f"{speed:,.0f}"
        style = STYLES.get(states[-1], "dim")
        table.add_row(Text(job.name), Text(states[-1], style), format_steps(done), *words)
        running += [f"{job.name} at {format_steps(done)}"] if states[-1] == "running" else []
        missing += 0 if steps is None or states[-1] in ("done", "failed") else steps - done
        speeds += [] if speed is None else [speed]
    sentence = f"{states.count('done')} of {len(jobs)} runs are done, {number} at a time"
    if missing > 0 and speeds:
        seconds = missing * len(speeds) / sum(speeds) / number
        sentence += f"; the rest takes about {duration(seconds)}"
    return Look(table, running, sentence)


def _state(job: Job, ended: Mapping[Job, str | None], done: int, steps: int | None) -> str:
    if job in ended:
        return "done" if ended[job] is None else "failed"
    if is_in_use(job.folder):
        return "running"
    return "done" if steps is not None and done >= steps else "waiting"
