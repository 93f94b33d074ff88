"""A run of a learner in its folder: what it records of itself, and its training."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jax
from rich.console import Console

from rpl import learner
from rpl.catalog import CONTROLLERS, task_options_of
from rpl.config import Config
from rpl.display import make_display
from rpl.interruption import Interruption, say_end
from rpl.learner import LearnerState
from rpl.learner.replay import Replay, ReplayLost
from rpl.problem import Problem
from rpl.progress import Progress
from rpl.residual import Residual
from rpl.runs import RunError, RunFolder, provenance
from rpl.settings import as_record
from rpl.train import train


def default_folder(task: str, method: str, learner: str, seed: int) -> Path:
    """Where a run goes that is not told where; the learner is named where it is not DDPG."""
    learned = [re.sub(r"[^\w.-]+", "-", task), method]
    if learner != "ddpg":
        learned.append(learner)
    return Path("runs") / f"{'-'.join(learned)}-seed{seed}"


def run_record(
    config: Config,
    *,
    task: str,
    method: str,
    learner: str,
    preset: str | None,
    controller: str | None,
    task_options: Any,
    controller_options: Any,
    command: str,
) -> dict[str, Any]:
    """What ``config.json`` says of a run.

    Args:
        config: every setting of the learning.
        task: its name.
        method: a name in METHODS.
        learner: the name in LEARNERS whose settings were the beginning.
        preset: where the settings are from; None if they were made by hand.
        controller: its name; None if there is none.
        task_options: the task's variations, a dataclass.
        controller_options: the controller's settings, a dataclass; None if it has none.
        command: what makes the run again.
    """
    return {
        "task": task,
        "method": method,
        "learner": learner,
        "preset": preset,
        "seed": config.seed,
        "controller": controller,
        "task_options": as_record(task_options),
        "controller_options": {} if controller_options is None else as_record(controller_options),
        "config": asdict(config),
        "command": command,
        **provenance(),
    }


def usual_record(task: str, controller: str | None, config: Any) -> dict[str, Any]:
    """Defaults of all settings, which stand for those that an older record does not have yet.

    Args:
        task: its name.
        controller: its name.
        config: the defaults of the learning.
    """
    settings = CONTROLLERS[controller].settings() if controller in CONTROLLERS else None
    return {
        "learner": "ddpg",
        "task_options": as_record(task_options_of(task)),
        "controller_options": {} if settings is None else as_record(settings),
        "config": asdict(config),
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


def new_learner(config: Config, problem: Problem) -> LearnerState:
    """The learner before any training."""
    key = jax.random.key(config.seed)
    return learner.create(
        key, *problem.sizes, config.learner, problem.frames, problem.proposal_size
    )


def new_replay(config: Config, problem: Problem, folder: Path | None) -> Replay:
    """An empty replay, or the one in the folder."""
    episodes = max(config.replay.capacity // problem.horizon, 1)
    # Each step may end an episode, whose last observation takes a row; a cycle may have one more.
    slack = (2 * config.episodes_per_cycle + 1) * config.cycles_per_epoch
    return Replay(episodes, problem.horizon, *problem.sizes, slack=slack, folder=folder)


def train_in(
    run: RunFolder, config: Config, problem: Problem, console: Console, resume: str
) -> int:
    """Trains in a run folder from where it stands; returns the exit code."""
    state, progress = new_learner(config, problem), Progress()
    replay = new_replay(config, problem, run.replay_folder)
    if run.resumed:
        state, progress = run.restore(state)
        try:
            replay.restore(progress.stored_episodes)
        except ReplayLost as error:
            raise RunError(
                f"{run.replay_folder} is not the replay of this run, without which it cannot go "
                "on: bring the folder back, or begin again with --overwrite"
            ) from error
        if progress.environment_steps >= config.steps:
            console.print(f"{run.path} is finished at {progress.environment_steps:,} steps")
            return 0
    display = make_display(console, config.steps, problem.judged_by, problem.compared_with)
    with Interruption("cycle", console) as interruption, display:
        train(config, problem, state, replay, progress, run, display, interruption)
    done = f"{progress.environment_steps:,} of {config.steps:,} steps"
    finished = progress.environment_steps >= config.steps
    if finished and progress.is_untrained:
        console.print(
            "all of it was burn-in, in which only the critic learns: the policy is still its "
            f"controller; train for longer, or see --burn-in.rule ({config.burn_in.rule})",
            soft_wrap=True,
        )
    return say_end(console, resume, run.path, None if finished else done)
