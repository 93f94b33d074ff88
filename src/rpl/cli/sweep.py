"""``rpl sweep``: any option of ``rpl train`` over values or ranges."""

import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table
from rich.text import Text

from rpl.cli.options import Parsed, as_command, without_option
from rpl.cli.output import plain_table, say
from rpl.cli.train import RunOptions, named_by, options_of, spec_for, spec_of
from rpl.config import Config
from rpl.errors import RunError, check_settings
from rpl.registry.resolve import RunSpec, require_controller
from rpl.runs.entries import some_of
from rpl.runs.many import make_ready, runs_in
from rpl.runs.record import default_folder
from rpl.sweeps.cluster import require_tune
from rpl.sweeps.display import Look, Watch
from rpl.sweeps.progress import duration
from rpl.sweeps.space import corners, space_of, words_of
from rpl.sweeps.study import Plan, SweepRecord, count_of, draw, read_sweep, search
from rpl.sweeps.worker import Job
from rpl.viz.run_data import format_steps

OURS = ("--over", "--samples", "--ray", "--threads", "--grace", "--out")
SWITCHES = ("--resume", "--overwrite")
LENGTHS = {"steps", "preset", "trials"}
"""Settings that runs of other lengths have."""


@dataclass(frozen=True)
class SweepOptions(RunOptions):
    """What ``rpl sweep`` takes besides the options of ``rpl train``, which hold for all trials."""

    over: Annotated[
        tyro.conf.UseAppendAction[tuple[str, ...]], tyro.conf.arg(metavar="NAME=...")
    ] = ()
    """An option of rpl train and what is tried: `--over residual.scale=0.25,0.5,1`, a range
    `--over replay.n-step=1..5`, or a wide one `--over learner.polyak=log:0.01..0.5`. Repeat it
    for more options."""
    samples: int | None = None
    """Settings that are tried; default: all combinations of values, or 20 with a range."""
    ray: Annotated[str, tyro.conf.arg(metavar="ADDRESS")] = "local"
    """The Ray cluster, whose machines share this folder's disk; local: this machine."""
    threads: int = 1
    """Cores of a run."""
    grace: float = 0.25
    """The share of a run's steps after which those behind the others are stopped; 1: none is."""


def command_for(arguments: list[str]) -> Callable[..., int]:
    """The command, with the defaults of what the arguments name."""
    spec = named_by(arguments)

    def run(options: Parsed) -> int:
        return sweep(options, arguments, spec_of(options, spec))

    summary = "Tries options of rpl train over values or ranges (Ray Tune; extra `cluster`)."
    return as_command(run, options_of(spec, SweepOptions), summary)


def sweep(options: Parsed, arguments: list[str], spec: RunSpec) -> int:
    """Tries the settings, prints a table and draws a picture of them; returns an exit code."""
    counts = {"--samples": options.samples, "--threads": options.threads}
    check_settings(counts, lambda count: count >= 1, "at least 1")
    check_settings({"--grace": options.grace}, lambda share: 0 < share <= 1, "above 0, at most 1")
    require_tune()
    require_controller(spec)
    folder = (options.out or folder_of_sweep(spec)).resolve()
    space = space_of(options.over)
    # Runs of other lengths are not compared midway.
    alike = not LENGTHS & space.keys()
    steps = spec.config.steps if isinstance(spec.config, Config) and alike else None
    plan = Plan(tuple(words_for_trials(arguments)), options.over, folder, Path.cwd(), steps)
    count = count_of(space, options.samples)
    for values in corners(space):
        spec_for([*plan.words, *words_of(values)])  # which says what cannot be
    made = read_sweep(folder)[1] if (folder / "sweep.json").exists() else {}
    if strange := [run.name for run in runs_in(folder) if run.name not in made]:
        raise RunError(
            f"{folder} holds {some_of(strange)}, which no sweep has made: choose another folder "
            "with --out"
        )
    make_ready(folder, [folder / name for name in made], options.resume, options.overwrite)
    folder.mkdir(parents=True, exist_ok=True)
    making = shlex.join(["rpl", *(word for word in arguments if word not in SWITCHES)])
    record, console = SweepRecord(plan, making, options.resume), Console()
    with SweepWatch(console, record, count) as watch:
        how = options.samples, options.ray, options.threads, options.grace
        whole = search(record, *how, watch)
    if not whole:
        say(f"stopped and saved; continue with: {making} --resume")
        return 1
    return _say_end(record, console)


def _say_end(record: SweepRecord, console: Console) -> int:
    folder = record.plan.folder
    console.print(trials_table(record))
    record.write_table(folder / "trials.csv")
    drawn = draw(record, folder / "trials.png")
    failures = sum(trial.state.startswith("failed") for trial in record.trials.values())
    if failures:
        raise RunError(f"{failures} of the trials failed; their logs are in {folder}")
    say(f"done: {folder}, with trials.csv{' and trials.png' * drawn}")
    return 0


def words_for_trials(arguments: list[str]) -> list[str]:
    """What a trial's run is given of the sweep's words."""
    words = [word for word in arguments[1:] if word not in SWITCHES]
    for option in OURS:
        words = without_option(words, option)
    return ["train", *words]


def folder_of_sweep(spec: RunSpec) -> Path:
    """Where it goes if nobody says where."""
    single = default_folder(spec)
    return single.with_name(single.name.removesuffix(f"-seed{spec.config.seed}") + "-sweep")


def trials_table(record: SweepRecord) -> Table:
    """The trials, best first: what they set, and how far and how good they are."""
    names = list(record.space)
    table = plain_table("trial", *names, "", numbers=("at", "level"))
    for name, trial in record.best_first():
        values = (f"{v:.4g}" if isinstance(v, float) else str(v) for v in trial.values.values())
        level = "" if trial.level is None else f"{trial.level:.3f}"
        state = trial.state.partition(":")[0]
        words = name.removeprefix("trial-"), *values, state, format_steps(trial.steps), level
        table.add_row(*map(Text, words))
    return table


class SweepWatch(Watch):
    """Shows the trials, and has the record take note of how they end."""

    def __init__(self, console: Console, record: SweepRecord, count: int) -> None:
        super().__init__(console, lambda ended: self._look_at())
        self._record, self._count, self._begun = record, count, time.monotonic()
        self._before = len(record.ended)

    def on_end(self, job: Job, error: str | None) -> None:
        """Says how a trial ended."""
        self._record.end(job, error)
        trial = self._record.trials[job.name]
        level = "" if trial.level is None else f", level {trial.level:.3f}"
        how = f"{job.name} {trial.state} at {format_steps(trial.steps)} steps{level}"
        say(f"{how}: {' '.join(words_of(trial.values))}")

    def _look_at(self) -> Look:
        self._record.look_again()
        trials = self._record.trials.items()
        running = [f"{n} at {format_steps(t.steps)}" for n, t in trials if t.state == "running"]
        ended = len(self._record.ended)
        sentence = f"{ended} of {self._count} trials have ended"
        if made := ended - self._before:
            each = (time.monotonic() - self._begun) / made
            sentence += f"; the rest takes about {duration(each * (self._count - ended))}"
        return Look(trials_table(self._record), running, sentence)
