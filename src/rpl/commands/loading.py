"""Runs read back: the problem, the learner and a policy to play."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rpl.acting import greedy_policy
from rpl.catalog import CONTROLLERS, METHODS, TASKS, check_task, task_options_of
from rpl.commands.options import OwnSettings, from_record, without_task
from rpl.commands.train import new_learner
from rpl.commands.train_pets import pets_problem
from rpl.config import Config
from rpl.controllers.train_pets import (
    PETSConfig,
    PETSProgress,
    create_state,
    make_pets,
    planning_policy,
)
from rpl.making import make_problem
from rpl.own import OwnOptions, is_own_task
from rpl.own_problem import own_problem
from rpl.policy import Policy
from rpl.problem import Problem
from rpl.rollout import Policy as ActingPolicy
from rpl.runs import RunError, from_dict, load_checkpoint, read_config, steps_taken


@dataclass(frozen=True)
class Subject:
    """What is evaluated or watched: a trained policy and its controller, or a controller alone."""

    name: str
    method: str | None
    problem: Problem
    policy: ActingPolicy | None
    state: Any = None
    """The learner behind the policy."""
    charged_steps: int = 0
    """Environment steps that it was learned from, those of its controller included."""
    record: dict[str, Any] | None = None
    """The run's config.json."""


def is_planner(run_or_task: str) -> bool:
    """Whether it names a run of PETS, whose policy is thousands of times slower than others."""
    path = Path(run_or_task)
    return (path / "config.json").exists() and read_config(path).get("method") == "pets"


def load_subject(
    run_or_task: str,
    controller: str | None,
    num_envs: int,
    task_options: Any,
    controller_options: Any,
    checkpoint: str = "best",
    render_mode: str | None = None,
) -> Subject:
    """A run folder's policy, or a task with a controller.

    Args:
        run_or_task: a run folder, or a name in TASKS.
        controller: in place of the task's, for a task.
        num_envs: simulations at once.
        task_options: the task's variations; None for the run's own.
        controller_options: the controller's settings; None for the run's own.
        checkpoint: which of a run's policies, ``best`` or ``last``.
        render_mode: ``"human"`` opens a window.
    """
    path = Path(run_or_task)
    if run_or_task in TASKS or not path.exists():
        if os.sep in run_or_task and not is_own_task(run_or_task):
            raise RunError(f"there is no run folder {run_or_task}")
        check_task(run_or_task)
        config = Config(evaluation_episodes=num_envs, episodes_per_cycle=1)
        problem = make_problem(
            run_or_task,
            "scratch",
            config,
            task_options,
            controller,
            controller_options,
            render_mode,
        )
        return Subject(run_or_task, None, problem, None, charged_steps=problem.charged_steps)
    record = read_config(path)
    if record["method"] == "pets":
        return _load_pets(
            path,
            record,
            controller,
            num_envs,
            task_options,
            controller_options,
            checkpoint,
            render_mode,
        )
    if controller is not None and controller != record["controller"]:
        raise RunError(f"{path} learned on {record['controller']}, not on {controller}")
    if any("<" in str(record[name]) for name in ("task", "controller")):
        raise RunError(
            f"{path} was made with objects that no module holds under a name: load it in Python "
            "with rpl.load(run, make_env=..., controller=...)"
        )
    config = _config(record, num_envs)
    settings = OwnSettings()
    if record["controller"] in CONTROLLERS:
        settings = without_task(record["controller"])
    problem = make_problem(
        record["task"],
        record["method"],
        config,
        _task_options(record, task_options),
        record["controller"],
        controller_options or from_record(settings, record["controller_options"]),
        render_mode,
    )
    state, _ = load_checkpoint(path, new_learner(config, problem), checkpoint)
    return Subject(
        record["task"],
        record["method"],
        problem,
        greedy_policy(state),
        state,
        steps_taken(path) + record.get("charged_steps", 0),
        record,
    )


def load_policy(
    path: Path, checkpoint: str, num_envs: int, make_env: Any = None, controller: Any = None
) -> Policy:
    """A run's policy to call; see ``rpl.load``."""
    if make_env is None and controller is None:
        subject = load_subject(str(path), None, num_envs, None, None, checkpoint)
        return Policy(subject.state, subject.problem, read_config(path))
    record = read_config(path)
    config = _config(record, num_envs)
    problem = own_problem(
        make_env or record["task"],
        controller or record["controller"],
        config,
        # Nothing is judged here, so no episode needs to be run to find out by what.
        replace(_task_options(record, None), judged_by="return"),
        METHODS[record["method"]].residual,
    )
    state, _ = load_checkpoint(path, new_learner(config, problem), checkpoint)
    return Policy(state, problem, record)


def _config(record: dict[str, Any], num_envs: int) -> Config:
    """The run's configuration with as many environments at once as are wanted now."""
    config = from_dict(Config, record["config"])
    at_once = None if record["task"] in TASKS else num_envs
    return replace(config, evaluation_episodes=num_envs, episodes_per_cycle=1, num_envs=at_once)


def _task_options(record: dict[str, Any], given: Any) -> Any:
    """The variations of the task, the run's own unless given; none needs processes here."""
    options = given or from_record(task_options_of(record["task"]), record["task_options"])
    return replace(options, processes=1) if isinstance(options, OwnOptions) else options


def _load_pets(
    path: Path,
    record: dict[str, Any],
    controller: str | None,
    num_envs: int,
    task_options: Any,
    controller_options: Any,
    checkpoint: str,
    render_mode: str | None,
) -> Subject:
    """A planner with its learned model, beside the task's usual controller."""
    task = record["task"]
    problem = make_problem(
        task,
        "scratch",
        Config(evaluation_episodes=num_envs, episodes_per_cycle=1),
        task_options or from_record(TASKS[task].options, record["task_options"]),
        controller,
        controller_options,
        render_mode,
    )
    config = from_dict(PETSConfig, record["config"])
    planned = pets_problem(task, problem.controller_task)
    like = create_state(config, planned)
    state, _ = load_checkpoint(path, like, checkpoint, PETSProgress)
    policy = planning_policy(make_pets(config, planned, state, config.seed))
    return Subject(task, record["method"], problem, policy, state, steps_taken(path), record)
