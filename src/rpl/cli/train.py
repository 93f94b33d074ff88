"""``rpl train``: learn, and leave a run folder behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import tyro
from rich.console import Console

from rpl.cli import train_pets
from rpl.cli.options import (
    ControllerName,
    as_command,
    controller_options,
    named_task,
    named_value,
    parsed,
    task_options,
    with_groups,
)
from rpl.cli.running import RunOptions, making, resuming
from rpl.config import Config
from rpl.presets import LEARNERS, PAPER, with_learner
from rpl.registry.builtin import make_problem
from rpl.registry.catalog import METHODS, TASKS, check_task, controller_name
from rpl.registry.names import OwnOptions
from rpl.registry.resolve import horizon_of, own_config, preset_for, with_physics
from rpl.runs.folder import RunFolder
from rpl.runs.record import default_folder, facts_of, run_record, usual_record
from rpl.runs.session import train_in
from rpl.tasks.gym.requirements import UnsuitableEnvironment

PresetName = Literal["fast", "paper"]
LearnerName = Literal["ddpg", "td3", "sac"]


@dataclass(frozen=True)
class TrainOptions(RunOptions):
    """What ``rpl train`` takes besides the options that depend on the task."""

    preset: PresetName = "fast"
    """fast: tuned for two cores. paper: every setting as published."""
    learner_name: Annotated[LearnerName, tyro.conf.arg(name="learner")] = "ddpg"
    """The reinforcement learner: chooses the defaults of --learner.*."""
    controller_name: ControllerName = None


def command_for(arguments: list[str]) -> Callable[..., int]:
    """The command, with the defaults of what the arguments name."""
    if named_value(arguments, "--method") == "pets":
        return train_pets.command_for(arguments)
    name = named_task(arguments)
    published = TASKS[name].published if name in TASKS else PAPER
    preset = preset_for(named_value(arguments, "--preset"), name)
    method = METHODS.get(named_value(arguments, "--method") or "rpl", METHODS["rpl"])
    config = method.configure(preset.config, published)
    if name is not None and name not in TASKS:
        config = config_for_own(name, arguments, config)
    task = with_physics(task_options(name), preset.physics)
    controller = controller_options(arguments, name)
    learner_name = named_value(arguments, "--learner") or "ddpg"
    if learner_name in LEARNERS:
        config = with_learner(config, learner_name)
    options = with_groups(TrainOptions, task=task, controller=controller, config=config)

    def run(options: Any) -> int:
        return run_training(options, ["rpl", *arguments])

    return as_command(run, options, "Trains a policy and writes a run folder.")


def config_for_own(name: str, arguments: list[str], config: Config) -> Config:
    """The preset in the rhythm of one's own environment."""
    limit, processes = (
        named_value(arguments, f"--task.{option}") or ""
        for option in ("max-episode-steps", "processes")
    )
    if not limit and {"-h", "--help"} & set(arguments):
        try:
            horizon_of(name, None)
        except UnsuitableEnvironment:
            return config  # of unknown length: whoever asks for help has not said it yet
    given = OwnOptions(
        max_episode_steps=int(limit) if limit.isdecimal() else None,
        processes=int(processes) if processes.isdecimal() else 1,
    )
    return own_config(config, horizon_of(name, given.max_episode_steps), given.processes)


def run_training(options: Any, command: list[str]) -> int:
    """Trains as told; see ``TrainOptions``."""
    check_task(options.task_name)
    config: Config = options.config
    console = Console()
    problem = make_problem(
        options.task_name,
        options.method,
        config,
        options.task,
        options.controller_name,
        options.controller,
    )
    record = record_of(options, command) | facts_of(problem, config)
    names = options.task_name, options.method, options.learner_name
    folder = options.out or default_folder(*names, config.seed)
    usual = usual_record(options.task_name, record["controller"], Config())
    run = RunFolder(folder, record, options.resume, options.overwrite, usual)
    try:
        return train_in(run, config, problem, console, resuming(command))
    finally:
        run.close()


def record_of(options: Any, command: list[str]) -> dict[str, Any]:
    """What ``config.json`` says of a run with these options."""
    controller = controller_name(options.task_name, options.controller_name, options.method)
    return run_record(
        options.config,
        task=options.task_name,
        method=options.method,
        learner=options.learner_name,
        preset=options.preset,
        controller=controller,
        task_options=options.task,
        controller_options=options.controller,
        command=making(command),
    )


def record_for(arguments: list[str]) -> dict[str, Any]:
    """What ``config.json`` says of a run with these arguments of ``rpl``."""
    planned = named_value(arguments, "--method") == "pets"
    describe = train_pets.record_of if planned else record_of
    return describe(parsed(command_for(arguments), arguments[1:]), ["rpl", *arguments])
