"""``rpl train``: learn, and leave a run folder behind."""

import contextlib
import ctypes
import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from rpl.check.first_lines import say_first
from rpl.cli.options import (
    HELP,
    ControllerName,
    Parsed,
    as_command,
    check_typed,
    first_parse,
    groups_of,
    one_of,
    with_groups,
)
from rpl.cli.output import say
from rpl.cli.report import filmed
from rpl.cli.seeds import train_seeds
from rpl.config import Config
from rpl.errors import Failure
from rpl.pets.config import PETSConfig
from rpl.presets import LEARNERS, PRESETS
from rpl.registry.catalog import METHODS, TaskOptions, check_task
from rpl.registry.names import EnvironmentOptions, is_user_task
from rpl.registry.resolve import RunSpec, presets_of, require_controller, resolve
from rpl.runs.session import run_session
from rpl.runs.trackers import TrackerName
from rpl.settings import Record
from rpl.tasks.gym.requirements import UnsuitableEnvironment

FILMED_EPISODES = 2  # of a film for a tracker


@dataclass(frozen=True)
class RunOptions:
    """What every command takes that makes runs."""

    task_name: Annotated[tyro.conf.Positional[str], tyro.conf.arg(name="task", metavar="TASK")]
    """The task; `rpl tasks` lists them. Yours: a Gymnasium id, or module:function that makes
    one."""
    out: Path | None = None
    """The run folder; default: runs/<task>-<method>-seed<k>, with the
    learner after the method where it is not ddpg."""
    resume: tyro.conf.FlagCreatePairsOff[bool] = False
    """Continue the run in the folder."""
    overwrite: tyro.conf.FlagCreatePairsOff[bool] = False
    """Replace the run in the folder."""
    track: TrackerName | None = None
    """Show the run elsewhere too, with its configuration, numbers, film and final table, as in
    `rpl train push --track wandb`: in W&B (extra wandb; WANDB_MODE=offline needs no account), or in
    MLflow (extra mlflow; the folder mlruns, or where MLFLOW_TRACKING_URI says). --resume goes on
    with what is there. TensorBoard's events are always in the run folder."""


@dataclass(frozen=True)
class TrainOptions(RunOptions):
    """What ``rpl train`` takes besides the options that depend on task and method."""

    seeds: int | None = None
    """So many runs, with the seeds from --seed on, side by side in one folder, by default
    runs/<task>-<method>: `rpl train push --seeds 5`."""


@dataclass(frozen=True)
class FirstOptions(RunOptions):
    """The words on which other options depend."""

    method: str = "rpl"
    preset: Annotated[str | None, tyro.conf.arg(aliases=["--pets"])] = None
    learner_name: Annotated[str, tyro.conf.arg(name="learner")] = "ddpg"
    controller_name: ControllerName = None


M_ARENA_MAX = -8  # of glibc's malloc.h
METHOD_HELP = (
    "What is learned: the residual, the whole action, that with the controller exploring, or a "
    "model of the task to plan with (pets)."
)
PRESET_HELP = "fast: tuned for two cores. paper: every setting as published."
PLANNER_HELP = "official: the planner as published, which needs a GPU. small: a twentieth of it."
LEARNER_HELP = "The reinforcement learner: chooses the defaults of --learner.*."


def command_for(arguments: list[str]) -> Callable[..., int]:
    """The command, with the defaults of what the arguments name."""
    spec = named_by(arguments)

    def run(options: Parsed) -> int:
        making = [word for word in arguments if word not in ("--resume", "--overwrite")]
        chosen = spec_of(options, spec)
        require_controller(chosen)
        console = Console()
        _share_one_heap()
        if not options.resume:
            say_first(chosen, console)
        how = {name: getattr(options, name) for name in ("out", "resume", "overwrite")}
        if options.seeds is not None:
            return train_seeds(making, chosen, console, seeds=options.seeds, **how)
        _, code = run_session(
            chosen,
            shlex.join(["rpl", *making]),
            console,
            **how,
            track=options.track,
            filmed=film_of,
        )
        return code

    plans = "Learns a model of a task and plans with it."
    learns = "Trains a policy and writes a run folder."
    return as_command(run, options_of(spec), plans if spec.row.plans else learns)


def film_of(folder: Path) -> bytes | None:
    """A film (mp4) of the finished run in a folder; None where there is none, which is said."""
    try:
        return filmed(folder, FILMED_EPISODES, "deployed").film
    except Failure as error:
        say(f"no film is tracked: {error}", error=True)
        return None


def _share_one_heap() -> None:
    """Keeps a run small: each thread that compiles would have a heap, and give none of it back."""
    with contextlib.suppress(OSError, AttributeError):  # where the C library is another
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def named_by(arguments: list[str]) -> RunSpec:
    """The run that the arguments begin from: before options that depend on it change it."""
    said = first_parse(arguments, FirstOptions, Config(), PETSConfig())
    if said is not None and not said.task_name and not HELP & set(arguments):
        check_task(said.task_name)  # which says what there is
    if said is None or not said.task_name:
        return resolve("push", said.method if said and said.method in METHODS else "rpl")
    method = said.method if said.method in METHODS else "rpl"
    row = METHODS[method]
    preset = said.preset if said.preset in presets_of(row) else row.preset
    learner = said.learner_name if said.learner_name in LEARNERS else "ddpg"
    given: Record = {"controller": said.controller_name, "learner": learner}
    if is_user_task(said.task_name):
        given["task_options"] = EnvironmentOptions(
            max_episode_steps=said.task.max_episode_steps,
            processes=said.task.processes,
            kwargs=said.task.kwargs,
        )
    try:
        spec = resolve(said.task_name, method, preset=preset, **given)
        check_typed(said, **groups_of(spec))
        return spec
    except UnsuitableEnvironment:
        if not HELP & set(arguments):
            raise
        # Of unknown length: whoever asks for help has not said it yet.
        return resolve(said.task_name, method, config=PRESETS[preset].config, **given)


def options_of(spec: RunSpec, base: type = TrainOptions) -> type:
    """What a command takes besides ``base``, with the run's settings as defaults."""
    method = ("method", one_of(METHODS, help=METHOD_HELP), spec.method)
    preset = spec.preset or spec.row.preset
    choices = presets_of(spec.row)
    task: TaskOptions = spec.task.options
    if isinstance(task, EnvironmentOptions):
        task = EnvironmentOptions()
    if spec.row.plans:
        planner = one_of(choices, aliases=["--pets"], help=PLANNER_HELP)
        fields = (method, ("preset", planner, preset))
        return with_groups(base, fields, task=task, config=spec.config)
    fields = (
        method,
        ("preset", one_of(choices, help=PRESET_HELP), preset),
        ("learner_name", one_of(LEARNERS, name="learner", help=LEARNER_HELP), spec.learner),
        ("controller_name", ControllerName, None),
    )
    return with_groups(base, fields, **groups_of(spec) | {"task": task}, config=spec.config)


def spec_of(options: Parsed, spec: RunSpec) -> RunSpec:
    """The run with what the options say."""
    controller = spec.controller
    if controller.options is not None:
        controller = replace(controller, options=options.controller)
    return replace(
        spec,
        task=replace(spec.task, options=options.task),
        controller=controller,
        config=options.config,
    )


def spec_for(arguments: list[str]) -> RunSpec:
    """The run that arguments of ``rpl`` make, the subcommand first."""
    spec = named_by(arguments)
    return spec_of(tyro.cli(options_of(spec), args=arguments[1:]), spec)
