"""``rpl paper``: the paper's runs, figures and tables."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console

from rpl.cli.options import as_command
from rpl.cli.train import spec_for
from rpl.errors import RunError, UsageError
from rpl.paper.ablations import ABLATIONS
from rpl.paper.check import check_results, row_complaints
from rpl.paper.display import QueueDisplay, standings_table, time_left
from rpl.paper.folders import Places, Run, runs_of, seconds_left, speeds
from rpl.paper.matrix import MATRIX, Cell
from rpl.paper.queue import Executor, LocalProcesses, cheapest_first, make_runs
from rpl.registry.catalog import UnknownName
from rpl.registry.resolve import RunSpec
from rpl.runs.files import Record
from rpl.runs.record import default_record as record_defaults
from rpl.runs.record import record_of
from rpl.training.console import say

ABLATION_CELLS = tuple(cell for ablation in ABLATIONS for cell in ablation.cells)


@dataclass(frozen=True)
class Chosen:
    """Which runs, and where they are."""

    tasks: tuple[str, ...] = ()
    """Only these tasks."""
    methods: tuple[str, ...] = ()
    """Only these methods, as the table names them: rpl, scratch, rpl-paper, ..."""
    seeds: tuple[int, ...] = ()
    """Only these seeds."""
    ablations: tyro.conf.FlagCreatePairsOff[bool] = False
    """The ablations instead of the paper's own runs; --methods then names variants."""
    runs: Path = Path("runs/paper")
    """Where run folders are made, with checkpoints and replays."""
    results: Path = Path("results")
    """Where the small files of finished runs are kept."""

    def places(self) -> Places:
        """The two folders."""
        return Places(self.runs, self.results, is_as_asked)

    def chosen(self) -> list[Run]:
        """The runs.

        Raises:
            UnknownName: if a task or a method is not in the matrix.
        """
        cells = ABLATION_CELLS if self.ablations else MATRIX
        labels = {cell.variant if self.ablations else cell.label: None for cell in cells}
        _known("task", self.tasks, list({cell.task: None for cell in cells}))
        _known("method", self.methods, list(labels))
        chosen = [
            cell
            for cell in cells
            if (not self.tasks or cell.task in self.tasks)
            and (
                not self.methods or (cell.variant if self.ablations else cell.label) in self.methods
            )
        ]
        if chosen:
            seeds = range(max(cell.seeds for cell in chosen))
            _known("seed", list(map(str, self.seeds)), list(map(str, seeds)))
        return runs_of(chosen, self.seeds or None)


@dataclass(frozen=True)
class PaperStatusOptions(Chosen):
    """Shows which runs are done, running and missing, and how long the rest takes."""


@dataclass(frozen=True)
class PaperRunOptions(Chosen):
    """Makes the runs that are missing, cheapest first; killed, the same command goes on."""

    jobs: int = 1
    """Runs at a time; they share the cores."""
    ray: Annotated[str | None, tyro.conf.arg(metavar="ADDRESS")] = None
    """Runs as tasks of a Ray cluster; `local` starts one here. Needs the extra `cluster`."""
    threads: int = 1
    """Cores of a run on Ray."""
    steps: int | None = None
    """Stop each run there, to try things out; nothing is then kept as a result."""


@dataclass(frozen=True)
class PaperPlotOptions:
    """Draws the figures and writes the tables, from the results alone."""

    results: Path = Path("results")
    """Where the results are; the summary is written there too."""
    docs: Path = Path("docs")
    """Where pictures and pages go."""
    readme: Path = Path("README.md")
    """The page whose marked section is rewritten, if it exists."""


@dataclass(frozen=True)
class PaperCheckOptions:
    """Refuses results whose configuration is not the matrix's."""

    results: Path = Path("results")
    """Where the results are."""


Options = tyro.conf.OmitSubcommandPrefixes[
    Annotated[PaperStatusOptions, tyro.conf.subcommand("status")]
    | Annotated[PaperRunOptions, tyro.conf.subcommand("run")]
    | Annotated[PaperPlotOptions, tyro.conf.subcommand("plot")]
    | Annotated[PaperCheckOptions, tyro.conf.subcommand("check")]
]


def command_for(arguments: list[str]) -> Callable[..., int]:
    """The command with its four subcommands."""
    summary = "Makes, shows, draws and checks the paper's runs."
    return as_command(run_paper, Options, summary)  # type: ignore[arg-type]


def run_paper(options: Any) -> int:
    """Does what the subcommand says."""
    actions = {
        PaperStatusOptions: show_status,
        PaperRunOptions: make_missing,
        PaperPlotOptions: draw,
        PaperCheckOptions: check,
    }
    return actions[type(options)](options)


def show_status(options: PaperStatusOptions) -> int:
    """Prints the table."""
    places, runs = options.places(), options.chosen()
    standings = [places.standing(run) for run in runs]
    console = Console()
    console.print(standings_table(standings, console.is_terminal))
    say(console, time_left(standings))
    return 0


def _say_left_out(console: Console, places: Places, outdated: list[Run]) -> None:
    for run in outdated:
        say(
            console,
            f"left out {places.runs / run.folder}: it was made under other settings; "
            "delete it to have it made again",
        )


def make_missing(options: PaperRunOptions) -> int:
    """Makes what is missing of the chosen runs."""
    if options.jobs < 1 or options.threads < 1:
        raise UsageError("--jobs and --threads must be at least 1")
    if options.steps is not None and options.steps < 1:
        raise UsageError("--steps must be at least 1")
    places, runs = options.places(), options.chosen()
    if options.steps is None:
        places.keep_finished(runs)
    else:  # apart, so that a short run is never continued as a whole one
        places = Places(options.runs / f"limited-to-{options.steps}", options.runs / "nowhere")
        runs = [Run(run.cell.limited(options.steps), run.seed) for run in runs]
    standings = [places.standing(run) for run in runs]
    speed = speeds(standings)
    outdated = [s.run for s in standings if s.state == "outdated"]
    left = {
        s.run: seconds_left([s], speed) for s in standings if s.state not in ("done", "outdated")
    }
    console = Console()
    _say_left_out(console, places, outdated)
    done = len(runs) - len(left) - len(outdated)
    say(console, f"{done} of {len(runs)} runs are done")
    if not left:
        return 0
    executor = _executor(options)
    order = cheapest_first(list(left), lambda run: left[run])
    display = QueueDisplay(console, places, runs, options.jobs)
    try:
        with display:
            failures = make_runs(order, places, executor, display, options.steps is None)
    except KeyboardInterrupt:
        raise RunError(
            "stopped; the runs under way are saved, and the same command goes on with them"
        ) from None
    if failures:
        raise RunError(f"{failures} of {len(order)} runs failed; their logs are in {places.runs}")
    return 0


def _executor(options: PaperRunOptions) -> Executor:
    if options.ray is None:
        return LocalProcesses(options.jobs)
    from rpl.paper.cluster import RayTasks  # an optional extra

    return RayTasks(options.ray, options.threads)


def draw(options: PaperPlotOptions) -> int:
    """Draws figures, tables and pages of the rows that the matrix would make again."""
    from rpl.paper.plot import write_all  # matplotlib is slow to import

    console = Console()
    rows = {run: options.results / run.folder for run in runs_of((*MATRIX, *ABLATION_CELLS))}
    wrong = {row for run, row in rows.items() if row.exists() and not is_as_asked(row, run)}
    for row in sorted(wrong):
        say(console, f"left out {row}: rpl paper check says why")
    for path in write_all(options.results, options.docs, options.readme, wrong):
        say(console, f"wrote {path}")
    return 0


def check(options: PaperCheckOptions) -> int:
    """Prints what is wrong with the results, if anything is."""
    if not options.results.is_dir():
        raise RunError(f"there is no folder {options.results}; name one with --results")
    console = Console(soft_wrap=True)
    count, complaints = check_results(
        options.results, (*MATRIX, *ABLATION_CELLS), expected_record, default_record
    )
    for complaint in complaints:
        say(console, complaint)
    if complaints:
        raise RunError(f"{len(complaints)} things are wrong with the rows of {options.results}")
    say(console, f"all {count} rows are as the matrix says")
    return 0


def is_as_asked(row: Path, run: Run) -> bool:
    """Whether nothing is wrong with a finished row."""
    return not any(row_complaints(row, run, expected_record, default_record))


@functools.cache
def _spec_of(cell: Cell) -> RunSpec:
    """The settings of a cell's runs: its arguments, read as ``rpl train`` reads them."""
    return spec_for(cell.arguments(0))


def expected_record(cell: Cell, seed: int) -> Record:
    """What config.json of a run must say."""
    spec = _spec_of(cell)
    seeded = replace(spec, config=replace(spec.config, seed=seed))
    return record_of(seeded, shlex.join(["rpl", *cell.arguments(seed)]))


def default_record(cell: Cell) -> Record:
    """The defaults, which stand for settings that a row does not have yet."""
    return record_defaults(_spec_of(cell))


def _known(kind: str, names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise UnknownName(f"the matrix has no {kind} '{name}'; it has {', '.join(known)}")
