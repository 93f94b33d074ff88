"""What a run records of itself in ``config.json``, and what a record says of its run."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path

from rpl.config import Config
from rpl.errors import RunError
from rpl.pets.config import PETSConfig
from rpl.problem import Problem
from rpl.registry.catalog import METHODS, check_task
from rpl.registry.names import can_be_found, find
from rpl.registry.resolve import (
    ControllerSpec,
    RunSpec,
    TaskSpec,
    default_options,
    settings_of,
)
from rpl.runs.provenance import provenance
from rpl.runs.settings import as_record, read_back
from rpl.settings import Record


def default_folder(spec: RunSpec) -> Path:
    """Where a run goes that is not told where; the learner is named where it is not DDPG."""
    learned = [re.sub(r"[^\w.-]+", "-", spec.task.name), spec.method]
    if spec.learner not in (None, "ddpg"):
        learned.append(spec.learner)
    return Path("runs") / f"{'-'.join(learned)}-seed{spec.config.seed}"


def record_of(spec: RunSpec, command: str) -> Record:
    """What ``config.json`` says of a run."""
    return {
        "task": spec.task.name,
        "method": spec.method,
        **({} if spec.learner is None else {"learner": spec.learner}),
        "preset": spec.preset,
        "seed": spec.config.seed,
        "controller": spec.controller.name,
        "task_options": as_record(spec.task.options),
        "controller_options": as_record(spec.controller.options),
        "config": asdict(spec.config),
        "command": command,
        **provenance(),
    }


def default_record(spec: RunSpec) -> Record:
    """Defaults of all settings, which stand for those that an older record does not have yet."""
    return {
        "learner": "ddpg",
        "task_options": as_record(default_options(spec.task.name)),
        "controller_options": as_record(settings_of(spec.controller.source)),
        "config": asdict(type(spec.config)()),
    }


def recorded_spec(record: Record, file: Path = Path("config.json")) -> RunSpec:
    """The settings that a run records.

    Args:
        record: from ``rpl.runs.files.read_config``.
        file: where it stands, for what is said of it.

    Raises:
        RunError: if it lacks one, or has one that cannot be.
    """
    if missing := [name for name in ("method", "controller") if name not in record]:
        raise RunError(f"{file} is damaged: it does not say its {' and '.join(missing)}")
    if can_be_found(record["task"]):
        check_task(record["task"])
    row = find("method", METHODS, record["method"])
    config = PETSConfig() if row.plans else Config()
    settings = settings_of(record["controller"])
    try:
        if settings is not None:
            settings = read_back(settings, record.get("controller_options", {}))
        options = read_back(default_options(record["task"]), record.get("task_options", {}))
        config = read_back(config, record.get("config", {}))
    except ValueError as error:
        raise RunError(f"{file} is damaged: {error}") from error
    return RunSpec(
        TaskSpec(record["task"], options),
        record["method"],
        ControllerSpec(record["controller"], settings),
        config,
        record.get("preset"),
    )


def facts_of(problem: Problem, config: Config) -> Record:
    """For ``config.json``: what pictures need to know of a run that is not like the others.

    By what its task is judged where that is not success; and the steps that a learned
    controller cost, which are charged to whoever acts with it.
    """
    facts: Record = {}
    if problem.metric == "return":
        facts["metric"] = "return"
    acts = problem.adds or config.exploration.expert > 0.0
    if acts and problem.charged_steps:
        facts["charged_steps"] = problem.charged_steps
    return facts
