"""``rpl paper``: the paper's runs, figures and tables."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from rpl.cli.options import Parsed, as_command
from rpl.cli.output import say
from rpl.errors import RunError, check_settings
from rpl.paper.ablations import ABLATIONS
from rpl.paper.check import check_results, is_as_asked
from rpl.paper.display import look_at, standings_table, time_left
from rpl.paper.folders import Places, Run, cheapest_first, runs_of, speeds
from rpl.paper.matrix import MATRIX, Cell
from rpl.registry.names import find
from rpl.sweeps.cluster import make_on_ray
from rpl.sweeps.display import Look, Watch
from rpl.sweeps.local import make_here
from rpl.sweeps.worker import Job

POLITE = 10
ABLATION_CELLS = tuple(cell for ablation in ABLATIONS for cell in ablation.cells)


ALL = tyro.conf.arg(help_behavior_hint="(default: all)")


@dataclass(frozen=True)
class Chosen:
    """Which runs, and where they are."""

    tasks: Annotated[tuple[str, ...], ALL] = ()
    """Only these tasks."""
    methods: Annotated[tuple[str, ...], ALL] = ()
    """Only these methods, as the table names them: rpl, scratch, rpl-paper, ..."""
    seeds: Annotated[tuple[int, ...], ALL] = ()
    """Only these seeds."""
    ablations: tyro.conf.FlagCreatePairsOff[bool] = False
    """The ablations instead of the paper's own runs; --methods then names variants."""
    runs: Path = Path("runs/paper")
    """Where run folders are made, with checkpoints and replays."""
    results: Path = Path("results")
    """Where the small files of finished runs are kept."""

    @property
    def places(self) -> Places:
        """The two folders."""
        return Places(self.runs, self.results, is_as_asked)

    def chosen(self) -> list[Run]:
        """The runs.

        Raises:
            UnknownName: if a task or a method is not in the matrix.
        """
        cells = ABLATION_CELLS if self.ablations else MATRIX

        def label(cell: Cell) -> str:
            return cell.variant if self.ablations else cell.label

        for task in self.tasks:
            find("task", {cell.task: cell for cell in cells}, task)
        for method in self.methods:
            find("method", {label(cell): cell for cell in cells}, method)
        chosen = [
            cell
            for cell in cells
            if cell.task in (self.tasks or [cell.task])
            and label(cell) in (self.methods or [label(cell)])
        ]
        most = max((cell.seeds for cell in chosen), default=0)
        for seed in self.seeds:
            find("seed", {str(known): known for known in range(most)}, str(seed))
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
    actions = {
        PaperStatusOptions: show_status,
        PaperRunOptions: make_missing,
        PaperPlotOptions: draw,
        PaperCheckOptions: check,
    }

    def run(options: Parsed) -> int:
        return actions[type(options)](options)

    summary = "Makes, shows, draws and checks the paper's runs."
    return as_command(run, Options, summary)  # type: ignore[arg-type]


def show_status(options: PaperStatusOptions) -> int:
    """Prints the table."""
    standings = [options.places.standing(run) for run in options.chosen()]
    console = Console()
    console.print(standings_table(standings, console.is_terminal))
    say(time_left(standings))
    return 0


def make_missing(options: PaperRunOptions) -> int:
    """Makes what is missing of the chosen runs."""
    counts = {"--jobs": options.jobs, "--threads": options.threads, "--steps": options.steps}
    check_settings(counts, lambda count: count >= 1, "at least 1")
    places, runs = options.places, options.chosen()
    if options.steps is None:
        places.keep_finished(runs)
    else:  # apart, so that a short run is never continued as a whole one
        places = Places(options.runs / f"limited-to-{options.steps}", options.runs / "nowhere")
        runs = [Run(run.cell.limited(options.steps), run.seed) for run in runs]
    standings = [places.standing(run) for run in runs]
    outdated = [places.runs / s.run.folder for s in standings if s.state == "outdated"]
    left = [s for s in standings if s.state not in ("done", "outdated")]
    for folder in outdated:
        say(f"left out {folder}: it was made under other settings; delete it to have it made again")
    say(f"{len(runs) - len(left) - len(outdated)} of {len(runs)} runs are done")
    if not left:
        return 0
    order = cheapest_first(left, speeds(standings))
    jobs = {_job(run, places): run for run in order}

    def look(ended: Mapping[Job, str | None]) -> Look:
        lost = [jobs[job] for job, error in ended.items() if error is not None]
        return look_at([places.standing(run) for run in runs if run not in lost], options.jobs)

    def keep(job: Job) -> None:
        if options.steps is None:
            places.keep(jobs[job])

    with Watch(Console(), look, keep) as watch:
        whole = _make(list(jobs), options, watch)
    if not whole:
        raise RunError(
            "stopped; the runs under way are saved, and the same command goes on with them"
        )
    if watch.failures:
        raise RunError(
            f"{watch.failures} of {len(order)} runs failed; their logs are in {places.runs}"
        )
    return 0


def _job(run: Run, places: Places) -> Job:
    folder = places.runs.resolve() / run.folder
    return Job(run.folder, tuple(run.cell.arguments(run.seed)), folder, Path.cwd())


def _make(jobs: Sequence[Job], options: PaperRunOptions, watch: Watch) -> bool:
    """Makes the runs where they are to be made; whether it came to the end."""
    if options.ray is not None:
        return make_on_ray(jobs, options.ray, options.threads, watch)
    os.nice(max(0, POLITE - os.nice(0)))  # for days; whoever uses the machine goes first
    return make_here(jobs, options.jobs, watch)


def draw(options: PaperPlotOptions) -> int:
    """Draws figures, tables and pages of the rows that the matrix would make again."""
    from rpl.paper.plot import write_all  # matplotlib is slow to import

    rows = {options.results / run.folder: run for run in runs_of((*MATRIX, *ABLATION_CELLS))}
    wrong = {row for row, run in rows.items() if row.exists() and not is_as_asked(row, run)}
    for row in sorted(wrong):
        say(f"left out {row}: rpl paper check says why")
    for path in write_all(options.results, options.docs, options.readme, wrong):
        say(f"wrote {path}")
    return 0


def check(options: PaperCheckOptions) -> int:
    """Prints what is wrong with the results, if anything is."""
    if not options.results.is_dir():
        raise RunError(f"there is no folder {options.results}; name one with --results")
    rows, complaints = check_results(options.results, (*MATRIX, *ABLATION_CELLS))
    for complaint in complaints:
        say(complaint)
    if complaints:
        count = len(complaints)
        wrong = "1 thing is" if count == 1 else f"{count} things are"
        raise RunError(f"{wrong} wrong with the rows of {options.results}")
    say(f"all {rows} rows are as the matrix says")
    return 0
