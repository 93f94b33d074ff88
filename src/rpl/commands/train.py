"""``rpl train``: learn, and leave a run folder behind."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import asdict, dataclass, make_dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import jax
import tyro
from rich.console import Console

from rpl import learner
from rpl.catalog import METHODS, TASKS, check_task, controller_name
from rpl.commands import train_pets
from rpl.commands.options import (
    ControllerName,
    as_command,
    as_record,
    controller_options,
    named_task,
    named_value,
    parsed,
    task_options,
)
from rpl.commands.running import Interruption, RunOptions, resuming, say_end
from rpl.config import (
    LEARNERS,
    PAPER,
    PRESETS,
    Config,
    Preset,
    for_dense_rewards,
    paced,
    with_learner,
)
from rpl.display import make_display
from rpl.learner import LearnerState
from rpl.learner.replay import Replay
from rpl.making import make_problem
from rpl.own_problem import horizon_of, own_config
from rpl.problem import Problem
from rpl.progress import Progress
from rpl.residual import Residual
from rpl.runs import RunFolder, provenance
from rpl.tasks.suitable import UnsuitableEnvironment
from rpl.train import train

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
    options = make_dataclass(
        "Options",
        [
            ("task", Annotated[type(task), tyro.conf.arg(name="task")], task),
            (
                "controller",
                Annotated[type(controller), tyro.conf.arg(name="controller")],
                controller,
            ),
            ("config", Annotated[Config, tyro.conf.arg(name="")], config),
        ],
        bases=(TrainOptions,),
        frozen=True,
    )

    def run(options: Any) -> int:
        return run_training(options, ["rpl", *arguments])

    return as_command(run, options, "Trains a policy and writes a run folder.")


def preset_for(name: str | None, task: str | None) -> Preset:
    """The preset of a name, by default ``fast``, as it is on a task.

    ``paper`` is what was published for the task, ``fast`` is paced for its episodes.
    """
    preset = PRESETS.get(name or "fast", PRESETS["fast"])
    if task not in TASKS:
        return preset
    entry = TASKS[task]
    if preset.config is PAPER:
        return replace(preset, config=entry.published)
    config = paced(preset.config, entry.horizon)
    return replace(preset, config=config if entry.sparse else for_dense_rewards(config))


def with_physics(task: Any, physics: str) -> Any:
    """The task's options with the preset's physics, where the task leaves a choice."""
    return replace(task, physics=physics) if hasattr(task, "physics") else task


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
    horizon = horizon_of(name, int(limit) if limit.isdecimal() else None)
    return own_config(config, horizon, int(processes) if processes.isdecimal() else 1)


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
    folder = options.out or default_folder(options)
    run = RunFolder(folder, record, options.resume, options.overwrite)
    try:
        return train_in(run, config, problem, console, resuming(command))
    finally:
        run.close()


def default_folder(options: Any) -> Path:
    """Where a run goes that is not told where."""
    learned = [re.sub(r"[^\w.-]+", "-", options.task_name), options.method]
    if options.learner_name != "ddpg":
        learned.append(options.learner_name)
    return Path("runs") / f"{'-'.join(learned)}-seed{options.config.seed}"


def record_of(options: Any, command: list[str]) -> dict[str, Any]:
    """What ``config.json`` says of a run."""
    return {
        "task": options.task_name,
        "method": options.method,
        "learner": options.learner_name,
        "preset": options.preset,
        "seed": options.config.seed,
        "controller": controller_name(options.task_name, options.controller_name, options.method),
        "task_options": as_record(options.task),
        "controller_options": as_record(options.controller),
        "config": asdict(options.config),
        "command": shlex.join(command),
        **provenance(),
    }


def facts_of(problem: Problem, config: Config) -> dict[str, Any]:
    """For ``config.json``: what pictures need to know of a run that is not like the others.

    By what its task is judged where that is not success; and the steps that a learned
    controller cost, which are charged to whoever acts with it.
    """
    facts: dict[str, Any] = {}
    if problem.judged_by == "return":
        facts["judged_by"] = "return"
    acts = isinstance(problem.task, Residual) or config.exploration.expert > 0.0
    if acts and problem.charged_steps:
        facts["charged_steps"] = problem.charged_steps
    return facts


def record_for(arguments: list[str]) -> dict[str, Any]:
    """What ``config.json`` says of a run with these arguments of ``rpl``."""
    planned = named_value(arguments, "--method") == "pets"
    describe = train_pets.record_of if planned else record_of
    return describe(parsed(command_for(arguments), arguments[1:]), ["rpl", *arguments])


def new_learner(config: Config, problem: Problem) -> LearnerState:
    """The learner before any training."""
    key = jax.random.key(config.seed)
    return learner.create(key, *problem.sizes, config.learner, problem.frames)


def new_replay(config: Config, problem: Problem, folder: Path | None) -> Replay:
    """An empty replay, or the one in the folder."""
    episodes = max(config.replay.capacity // problem.horizon, 1)
    slack = config.episodes_per_cycle * config.cycles_per_epoch
    return Replay(episodes, problem.horizon, *problem.sizes, slack=slack, folder=folder)


def train_in(
    run: RunFolder, config: Config, problem: Problem, console: Console, resume: str
) -> int:
    """Trains in a run folder from where it stands; returns the exit code."""
    state, progress = new_learner(config, problem), Progress()
    replay = new_replay(config, problem, run.replay_folder)
    if run.resumed:
        state, progress = run.restore(state)
        replay.stored = progress.stored_episodes
        if progress.environment_steps >= config.steps:
            console.print(f"{run.path} is finished at {progress.environment_steps:,} steps")
            return 0
    display = make_display(console, config.steps, problem.judged_by)
    with Interruption("cycle") as interruption, display:
        train(config, problem, state, replay, progress, run, display, interruption)
    done = f"{progress.environment_steps:,} of {config.steps:,} steps"
    finished = progress.environment_steps >= config.steps
    if finished and progress.burning_in:
        console.print(
            "all of it was burn-in, in which only the critic learns: the policy is still its "
            f"controller; train for longer, or see --burn-in.rule ({config.burn_in.rule})",
            soft_wrap=True,
        )
    return say_end(console, resume, run.path, None if finished else done)
