"""``rpl train --seeds``: one run with several seeds, side by side, in one folder."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rpl.cli.look import look_at_jobs
from rpl.cli.options import without_option
from rpl.cli.output import plain_table
from rpl.config import Config
from rpl.errors import RunError, check_settings
from rpl.registry.resolve import RunSpec
from rpl.runs.many import make_ready, runs_in
from rpl.runs.record import default_folder, default_record, record_of
from rpl.runs.same import check_same_settings
from rpl.sweeps.display import Watch
from rpl.sweeps.local import at_once, make_here
from rpl.sweeps.worker import Job
from rpl.training.console import say
from rpl.viz.run_data import read_run

MOST_SEEDS = 1000
SEED = re.compile(r"seed\d+")


def train_seeds(
    arguments: list[str],
    spec: RunSpec,
    console: Console,
    *,
    seeds: int,
    out: Path | None,
    resume: bool,
    overwrite: bool,
) -> int:
    """Makes a run for each of so many seeds, from the run's own on; returns an exit code.

    Args:
        out: the folder of the run folders; None for ``folder_of_seeds``.

    Raises:
        UsageError, RunError: if the folder cannot be used as asked.
        RunError: if a run failed.
    """
    check_settings({"--seeds": seeds}, lambda count: 1 <= count <= MOST_SEEDS, "from 1 to 1,000")
    folder = out or folder_of_seeds(spec)
    jobs = seed_jobs(arguments, spec.config.seed, seeds, folder.resolve())
    _make_alike(folder.resolve(), spec, [job.folder for job in jobs], resume, overwrite)
    number = at_once(seeds)
    steps = spec.config.steps if isinstance(spec.config, Config) else None
    with Watch(console, lambda ended: look_at_jobs(jobs, ended, steps, number)) as watch:
        whole = make_here(jobs, number, watch)
    if not whole:
        again = shlex.join(["rpl", *arguments, "--resume"])
        say(console, f"stopped and saved; continue with: {again}")
        return 1
    if watch.failures:
        raise RunError(
            f"{watch.failures} of {seeds} runs failed; their logs are in {folder}. To begin one "
            "of them again delete its folder, and repeat the command with --resume"
        )
    console.print(outcome_table([job.folder for job in jobs]))
    say(console, "IQM: interquartile mean over seeds, with its bootstrap interval")
    say(console, f"done: {folder}")
    return 0


def _make_alike(
    folder: Path, spec: RunSpec, runs: Sequence[Path], resume: bool, overwrite: bool
) -> None:
    """Makes a folder ready for runs of which all seeds in it are alike, before any goes on.

    Raises:
        UsageError, RunError: see ``make_ready`` and ``check_same_settings``.
    """
    seeded = [run for run in runs_in(folder) if SEED.fullmatch(run.name)]
    make_ready(folder, {*seeded, *runs}, resume, overwrite)
    for run in seeded if resume else ():
        seed = int(run.name.removeprefix("seed"))
        alike = replace(spec, config=replace(spec.config, seed=seed))
        check_same_settings(run, record_of(alike, ""), default_record(alike))


def folder_of_seeds(spec: RunSpec) -> Path:
    """Where they go if nobody says where: as a single run, without its seed."""
    single = default_folder(spec)
    return single.with_name(single.name.removesuffix(f"-seed{spec.config.seed}"))


def seed_jobs(arguments: Sequence[str], first: int, seeds: int, folder: Path) -> list[Job]:
    """The runs that arguments of ``rpl train`` make with the seeds from ``first`` on."""
    single = without_option(without_option(arguments, "--seeds"), "--out")
    return [
        Job(f"seed{k}", (*single, "--seed", str(k)), folder / f"seed{k}", Path.cwd())
        for k in range(first, first + seeds)
    ]


def outcome_table(folders: Sequence[Path]) -> Table:
    """What came of some seeds: a row each, and one of all together."""
    from rpl.viz.statistics import seeds_table  # SciPy is slow to import

    head, rows = seeds_table([read_run(folder) for folder in folders])
    table = plain_table(head[0], numbers=head[1:])
    for row in rows:
        table.add_row(*map(Text, row))
    return table
