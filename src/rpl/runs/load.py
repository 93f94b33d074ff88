"""Runs read back: the problem, the learner and a policy to play."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rpl.config import Config
from rpl.controllers import contract
from rpl.controllers.contract import ControllerPolicy
from rpl.deploy.policy import Policy
from rpl.errors import RunError
from rpl.pets.train import PETSConfig, PETSProgress, create_state, make_pets
from rpl.problem import Problem
from rpl.registry.builtin import make_problem, pets_problem
from rpl.registry.catalog import CONTROLLERS, METHODS, TASKS, check_task, task_options_of
from rpl.registry.custom import own_problem
from rpl.registry.names import OwnOptions, can_be_found, is_own_task
from rpl.rollout.policies import GreedyPolicy
from rpl.runs.checkpoint import load_checkpoint
from rpl.runs.files import read_config, steps_taken
from rpl.runs.session import new_learner
from rpl.runs.settings import read_back

UNTRAINED = (
    "this checkpoint is the untrained policy, which acts as its controller. The best one is, where "
    "no evaluation in training was better; --checkpoint last is the final one"
)


@dataclass(frozen=True)
class Subject:
    """What is evaluated or watched: a trained policy and its controller, or a controller alone."""

    name: str
    method: str | None
    problem: Problem
    policy: contract.Policy | None
    state: Any = None
    """The learner behind the policy."""
    charged_steps: int = 0
    """Environment steps that it was learned from, those of its controller included."""
    record: dict[str, Any] | None = None
    """The run's config.json."""
    untrained: bool = False
    """Its actor has not learned yet, so that it acts as the controller that it adds to."""


def is_planner(run_or_task: str) -> bool:
    """Whether it names a run of PETS, whose policy is thousands of times slower than others."""
    path = Path(run_or_task)
    return (path / "config.json").exists() and read_config(path).get("method") == "pets"


@dataclass(frozen=True)
class Wanted:
    """What is to be evaluated, watched or cached."""

    run_or_task: str
    """A run folder, or a task."""
    controller: str | None = None
    """In place of the task's, for a task; of a run it can only be its own."""
    task_options: Any = None
    """The task's variations; None for the run's own, or the task's."""
    controller_options: Any = None
    """The controller's settings; None for the run's own, or the controller's."""
    checkpoint: str = "best"
    """Which of a run's policies, ``best`` or ``last``."""


def load_subject(wanted: Wanted, num_envs: int, render_mode: str | None = None) -> Subject:
    """A run folder's policy, or a task with a controller.

    Args:
        wanted: what to load.
        num_envs: simulations at once, at most.
        render_mode: ``"human"`` opens a window.

    Raises:
        RunError: if the folder is missing, or cannot be played with what is wanted.
    """
    path = Path(wanted.run_or_task)
    if wanted.run_or_task in TASKS or not path.exists():
        return _of_task(wanted, num_envs, render_mode)
    record = read_config(path)
    load = _of_planner if record["method"] == "pets" else _of_run
    return load(path, record, wanted, num_envs, render_mode)


def _of_task(wanted: Wanted, num_envs: int, render_mode: str | None) -> Subject:
    """A controller alone."""
    task = wanted.run_or_task
    if os.sep in task and not is_own_task(task):
        raise RunError(f"there is no run folder {task}")
    check_task(task)
    problem = make_problem(
        task,
        "scratch",
        Config(evaluation_episodes=num_envs, episodes_per_cycle=1),
        wanted.task_options,
        wanted.controller,
        wanted.controller_options,
        render_mode,
    )
    return Subject(task, None, problem, None, charged_steps=problem.charged_steps)


def _of_run(
    path: Path, record: dict[str, Any], wanted: Wanted, num_envs: int, render_mode: str | None
) -> Subject:
    """A learned policy and its controller."""
    controller = _controller_of(path, record, wanted.controller)
    config = _config(record, num_envs)
    problem = make_problem(
        record["task"],
        record["method"],
        config,
        _task_options(record, wanted.task_options),
        controller,
        wanted.controller_options or _controller_options(record),
        render_mode,
    )
    state, stood = load_checkpoint(path, new_learner(config, problem), wanted.checkpoint)
    return Subject(
        record["task"],
        record["method"],
        problem,
        GreedyPolicy(state, problem),
        state,
        steps_taken(path / "metrics.csv") + record.get("charged_steps", 0),
        record,
        untrained=METHODS[record["method"]].residual and stood.is_untrained,
    )


def _controller_of(path: Path, record: dict[str, Any], given: str | None) -> str | None:
    """The name of the controller that a run learned on: the one given, if a script made it.

    None if it learned without one.
    """
    task, controller = str(record["task"]), record["controller"]
    if not can_be_found(task):
        raise RunError(
            f"{path} learned in {task}, which a script made: load it in Python with "
            "rpl.load(run, make_env=..., controller=...)"
        )
    if controller is None or can_be_found(controller):
        if given not in (None, controller):
            raise RunError(f"{path} learned on {controller}, not on {given}")
        return controller
    if given is None:
        raise RunError(
            f"{path} learned on {controller}, which a script made: say where it is with "
            "--controller module:controller, or load the run in Python with "
            "rpl.load(run, controller=...)"
        )
    return given


def _of_planner(
    path: Path, record: dict[str, Any], wanted: Wanted, num_envs: int, render_mode: str | None
) -> Subject:
    """A planner with its learned model, beside the task's usual controller."""
    task = record["task"]
    problem = make_problem(
        task,
        "scratch",
        Config(evaluation_episodes=num_envs, episodes_per_cycle=1),
        _task_options(record, wanted.task_options),
        wanted.controller,
        wanted.controller_options,
        render_mode,
    )
    config = read_back(PETSConfig(), record["config"])
    planned = pets_problem(task, problem.evaluation_task)
    like = create_state(config, planned)
    state, _ = load_checkpoint(path, like, wanted.checkpoint, PETSProgress)
    pets = make_pets(config, planned, state, config.seed)
    policy = ControllerPolicy(pets, pets.action_size)
    return Subject(
        task, record["method"], problem, policy, state, steps_taken(path / "metrics.csv"), record
    )


def load_policy(
    path: Path, checkpoint: str, num_envs: int, make_env: Any = None, controller: Any = None
) -> Policy:
    """A run's policy to call; see ``rpl.load``."""
    record = read_config(path)
    if record["method"] == "pets":
        raise RunError(
            f"{path} is a run of a planner, which needs its task's state: make a controller of it "
            f"with rpl cache {path} cache.npz"
        )
    if record["task"] in TASKS:
        if make_env is not None or controller is not None:
            raise RunError(f"{path} learned on the task {record['task']}: load it by its folder")
        subject = load_subject(Wanted(str(path), checkpoint=checkpoint), num_envs)
        return Policy(subject.state, subject.problem, record, subject.untrained)
    for name, given in (("task", make_env), ("controller", controller)):
        if given is None and not can_be_found(str(record[name])):
            raise RunError(
                f"the {name} of {path}, {record[name]}, is in no module: pass it to "
                "rpl.load(run, make_env=..., controller=...)"
            )
    config = replace(_config(record, num_envs), num_envs=num_envs)
    problem = own_problem(
        make_env or record["task"],
        controller or record["controller"],
        config,
        # Nothing is judged here, so no episode needs to be run to find out by what.
        _task_options(record, None),
        METHODS[record["method"]].residual,
    )
    state, stood = load_checkpoint(path, new_learner(config, problem), checkpoint)
    return Policy(state, problem, record, untrained=stood.is_untrained)


def _config(record: dict[str, Any], num_envs: int) -> Config:
    """The run's configuration with as many environments at once as are wanted now."""
    config = read_back(Config(), record["config"])
    return replace(config, evaluation_episodes=num_envs, episodes_per_cycle=1, num_envs=None)


def _task_options(record: dict[str, Any], given: Any) -> Any:
    """The variations of the task, the run's own unless given; none needs processes here.

    A run is judged as it was in training: nothing is tried out to find out by what.
    """
    options = given or read_back(task_options_of(record["task"]), record["task_options"])
    if not isinstance(options, OwnOptions):
        return options
    by = record.get("judged_by", "success") if options.judged_by == "auto" else options.judged_by
    return replace(options, processes=1, judged_by=by)


def _controller_options(record: dict[str, Any]) -> Any:
    """The settings of its controller that a run records; None where its own code has them."""
    name = record["controller"]
    if name not in CONTROLLERS:
        return None
    return read_back(CONTROLLERS[name].settings(), record["controller_options"])
