"""What a run records of itself: ``config.json``, and where its folder is."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rpl.config import Config
from rpl.problem import Problem
from rpl.registry.catalog import CONTROLLERS, task_options_of
from rpl.runs.provenance import provenance
from rpl.runs.settings import as_record


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
    acts = problem.adds or config.exploration.expert > 0.0
    if acts and problem.charged_steps:
        facts["charged_steps"] = problem.charged_steps
    return facts
