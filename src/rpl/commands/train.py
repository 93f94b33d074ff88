"""``rpl train``: learn, and leave a run folder behind."""

from __future__ import annotations

import re
import shlex
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, make_dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import jax
import tyro
from rich.console import Console

from rpl import learner
from rpl.catalog import METHODS, TASKS, check_task, controller_name, make_problem
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
from rpl.config import LEARNERS, PAPER, PRESETS, Config, Preset, with_learner
from rpl.display import make_display
from rpl.learner import LearnerState
from rpl.learner.replay import Replay
from rpl.own_problem import horizon_of, own_config
from rpl.problem import Problem
from rpl.progress import Progress
from rpl.runs import RunFolder, provenance
from rpl.train import train

MethodName = Literal["rpl", "scratch", "expert-explore"]
PresetName = Literal["fast", "paper"]
LearnerName = Literal["ddpg", "td3", "sac"]


@dataclass(frozen=True)
class TrainOptions:
    """What ``rpl train`` takes besides the options that depend on the task."""

    task_name: Annotated[tyro.conf.Positional[str], tyro.conf.arg(name="task", metavar="TASK")]
    """The task; `rpl tasks` lists them. Your own: a Gymnasium id, or module:function that
    makes one."""
    method: MethodName = "rpl"
    """What is learned: the residual, the whole action, or that with the controller exploring."""
    preset: PresetName = "fast"
    """fast: tuned for two cores. paper: every setting as published."""
    learner_name: Annotated[LearnerName, tyro.conf.arg(name="learner")] = "ddpg"
    """The reinforcement learner: chooses the defaults of --learner.*."""
    controller_name: ControllerName = None
    out: Path | None = None
    """The run folder; default: runs/<task>-<method>-seed<k>, with the
    learner after the method where it is not ddpg."""
    resume: tyro.conf.FlagCreatePairsOff[bool] = False
    """Continue the run in the folder."""
    overwrite: tyro.conf.FlagCreatePairsOff[bool] = False
    """Replace the run in the folder."""


def command_for(arguments: list[str]) -> Callable[..., int]:
    """The command, with the defaults of the preset, task and controller in the arguments."""
    name = named_task(arguments)
    published = TASKS[name].published if name in TASKS else PAPER
    preset = named_preset(named_value(arguments, "--preset"), published)
    method = METHODS.get(named_value(arguments, "--method") or "rpl", METHODS["rpl"])
    task = with_physics(task_options(name), preset.physics)
    controller = controller_options(arguments, name)
    learner_name = named_value(arguments, "--learner") or "ddpg"
    config = method.configure(preset.config, published)
    if learner_name in LEARNERS:
        config = with_learner(config, learner_name)
    if name is not None and name not in TASKS:
        config = config_for_own(name, arguments, config)
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


def named_preset(name: str | None, published: Config) -> Preset:
    """The preset of a name, by default ``fast``; ``paper`` is what was published for the task."""
    preset = PRESETS.get(name or "fast", PRESETS["fast"])
    return replace(preset, config=published) if preset.config is PAPER else preset


def with_physics(task: Any, physics: str) -> Any:
    """The task's options with the preset's physics, where the task leaves a choice."""
    return replace(task, physics=physics) if hasattr(task, "physics") else task


def config_for_own(name: str, arguments: list[str], config: Config) -> Config:
    """The preset in the rhythm of one's own environment."""
    limit, processes = (
        named_value(arguments, f"--task.{option}") or ""
        for option in ("max-episode-steps", "processes")
    )
    horizon = horizon_of(name, int(limit) if limit.isdecimal() else None)
    return own_config(config, horizon, int(processes) if processes.isdecimal() else 1)


def run_training(options: Any, command: list[str]) -> int:
    """Trains as told; see :class:`TrainOptions`."""
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
    run = RunFolder(
        options.out or default_folder(options),
        record_of(options, command),
        options.resume,
        options.overwrite,
    )
    try:
        return train_in(run, config, problem, console, command)
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


def record_for(arguments: list[str]) -> dict[str, Any]:
    """What ``config.json`` says of a run with these arguments of ``rpl``."""
    return record_of(parsed(command_for(arguments), arguments[1:]), ["rpl", *arguments])


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
    run: RunFolder, config: Config, problem: Problem, console: Console, command: list[str]
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
    with Interruption() as interruption, make_display(console, config.steps) as display:
        train(config, problem, state, replay, progress, run, display, interruption)
    if progress.environment_steps < config.steps:
        resume = [word for word in command if word not in ("--resume", "--overwrite")]
        console.print(
            f"stopped at {progress.environment_steps:,} of {config.steps:,} steps and saved; "
            f"continue with: {shlex.join([*resume, '--resume'])}",
            soft_wrap=True,
        )
        return 1
    console.print(f"done: {run.path}", soft_wrap=True)
    return 0


class Interruption:
    """Turns SIGINT and SIGTERM into a question the loop asks; a second one ends at once."""

    def __init__(self) -> None:
        self._asked = False
        self._previous: dict[int, Any] = {}

    def __call__(self) -> bool:
        return self._asked

    def __enter__(self) -> Interruption:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._ask)
        return self

    def _ask(self, number: int, frame: Any) -> None:
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True
        print("stopping after this cycle; press again to stop at once", file=sys.stderr)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
