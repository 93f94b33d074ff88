"""``rpl train TASK --method pets``: learn a model of a task and plan with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from rpl.cli.options import as_command, named_task, named_value, task_options, with_groups
from rpl.cli.running import RunOptions, making, resuming
from rpl.errors import UsageError
from rpl.pets.train import PRESETS, PETSConfig, PETSProblem, PETSProgress, create_state, train_pets
from rpl.registry.builtin import pets_problem
from rpl.registry.catalog import TASKS, find
from rpl.registry.names import is_own_task
from rpl.runs.folder import RunFolder
from rpl.runs.provenance import provenance
from rpl.runs.record import usual_record
from rpl.runs.settings import as_record
from rpl.training.display import TrialDisplay
from rpl.training.interruption import Interruption, say_end

PlannerName = Literal["official", "small"]


@dataclass(frozen=True)
class PETSOptions(RunOptions):
    """What ``rpl train --method pets`` takes besides the options that depend on the task."""

    pets: PlannerName = "small"
    """official: the planner as published, which needs a GPU. small: a twentieth of it."""


def command_for(arguments: list[str]) -> Callable[..., int]:
    """The command, with the defaults of the task and preset in the arguments."""
    task = task_options(named_task(arguments))
    config = PRESETS.get(named_value(arguments, "--pets") or "small", PRESETS["small"])
    options = with_groups(PETSOptions, task=task, config=config)

    def run(options: Any) -> int:
        return run_training(options, ["rpl", *arguments])

    return as_command(run, options, "Learns a model of a task and plans with it.")


def run_training(options: Any, command: list[str]) -> int:
    """Trains as told; see ``PETSOptions``."""
    if is_own_task(options.task_name):
        raise UsageError(
            "--method pets is for tasks that can say what a predicted step would earn, such as "
            "mbrl-pusher; examples/pets_pendulum.py shows how to plan on an environment of your own"
        )
    entry = find("task", TASKS, options.task_name)
    config: PETSConfig = options.config
    task = entry.make(1, options.task, num_threads=1)
    problem = pets_problem(options.task_name, task)
    folder = options.out or Path("runs") / f"{options.task_name}-pets-seed{config.seed}"
    usual = usual_record(options.task_name, None, PETSConfig())
    run = RunFolder(folder, record_of(options, command), options.resume, options.overwrite, usual)
    try:
        return _train_in(run, config, problem, command)
    finally:
        run.close()
        task.close()


def record_of(options: Any, command: list[str]) -> dict[str, Any]:
    """What ``config.json`` says of a run."""
    return {
        "task": options.task_name,
        "method": options.method,
        "preset": options.pets,
        "seed": options.config.seed,
        "controller": None,
        "judged_by": "return",
        "task_options": as_record(options.task),
        "controller_options": {},
        "config": asdict(options.config),
        "command": making(command),
        **provenance(),
    }


def _train_in(run: RunFolder, config: PETSConfig, problem: PETSProblem, command: list[str]) -> int:
    console = Console()
    state, progress = create_state(config, problem), PETSProgress()
    if run.resumed:
        state, progress = run.restore(state, PETSProgress)
        if progress.finished:
            console.print(f"{run.path} is finished at {progress.environment_steps:,} steps")
            return 0
    display = TrialDisplay(console, config.trials + 1, config.steps(problem.horizon))
    with Interruption("trial", console) as interruption, display:
        train_pets(config, problem, state, progress, run, display, interruption)
    done = f"{progress.trial} of {config.trials + 1} trials"
    return say_end(console, resuming(command), run.path, None if progress.finished else done)
