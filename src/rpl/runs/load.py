"""Runs read back: the problem, the learner and a policy to play."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from rpl.config import Config
from rpl.controllers import contract
from rpl.controllers.contract import ControllerPolicy
from rpl.deploy.policy import Policy
from rpl.errors import RunError
from rpl.learner import LearnerState, without_residual
from rpl.pets.config import PETSConfig
from rpl.pets.train import PETSProgress, PETSState, create_state, make_pets
from rpl.problem import Problem
from rpl.registry.builtin import pets_problem, problem_of
from rpl.registry.catalog import METHODS, TASKS, TaskOptions
from rpl.registry.names import EnvironmentOptions, can_be_found, is_user_task
from rpl.registry.resolve import (
    ControllerSpec,
    RunSpec,
    TaskSpec,
    resolve,
    resolve_controller,
)
from rpl.rollout.policies import GreedyPolicy
from rpl.runs.checkpoint import load_checkpoint
from rpl.runs.files import read_config, steps_taken
from rpl.runs.provenance import say_what_runs
from rpl.runs.record import recorded_spec
from rpl.runs.session import new_learner
from rpl.settings import Record, Settings
from rpl.tasks.gym.task import MakeEnv
from rpl.training.progress import Progress
from rpl.training.verdict import WITHHELD, deploys_residual

DEPLOYED = "deployed"
UNTRAINED = (
    "this checkpoint is the untrained policy, which acts as its controller. The best one is, where "
    "no evaluation in training was better; --checkpoint last is the final one"
)

STOOD_BELOW = (
    "in its last undisturbed episodes of training this policy did worse than its controller, which "
    "was evaluated in its place"
)


@dataclass(frozen=True)
class Subject:
    """What is evaluated or watched: a trained policy and its controller, or a controller alone."""

    name: str
    method: str | None
    problem: Problem
    policy: contract.Policy | None
    state: LearnerState | PETSState | None = None
    """The learner behind the policy."""
    charged_steps: int = 0
    """Environment steps that it was learned from, those of its controller included."""
    record: Record | None = None
    """The run's config.json."""
    remark: str | None = None
    """Why it acts as the controller that it adds to, if it does, or did so in training."""


@dataclass(frozen=True)
class Request:
    """What is to be evaluated, watched or cached."""

    run_or_task: str
    """A run folder, or a task."""
    controller: str | None = None
    """In place of the task's, for a task; of a run it can only be its own."""
    task_options: TaskOptions | None = None
    """The task's variations; None for the run's, or the task's."""
    controller_options: Settings | None = None
    """The controller's settings; None for the run's, or the controller's."""
    checkpoint: str = DEPLOYED
    """Which of a run's policies: ``best``, ``last``, or what the run deploys, which is the best
    where it was shown to be better than its controller, and else the controller."""

    @property
    def folder(self) -> Path | None:
        """The run folder that it names; None for a task."""
        path = Path(self.run_or_task)
        return None if self.run_or_task in TASKS or not path.exists() else path


def is_planner(run_or_task: str) -> bool:
    """Whether it names a run of a planner, which is thousands of times slower than others."""
    folder = Request(run_or_task).folder
    if folder is None or not (folder / "config.json").exists():
        return False
    row = METHODS.get(read_config(folder).get("method", ""))
    return row is not None and row.plans


def load_subject(
    request: Request, num_envs: int, render_mode: str | None = None, exactly: bool = False
) -> Subject:
    """A run folder's policy, or a task with a controller.

    Args:
        request: what to load.
        num_envs: simulations at once, at most.
        render_mode: ``"human"`` opens a window.
        exactly: as many simulations of a user's environment too, which else are at most ten.

    Raises:
        RunError: if the folder is missing, or cannot be played as asked.
    """
    spec, folder = named_spec(request), request.folder
    if folder is None:
        problem = problem_of(_played(spec, num_envs, exactly), render_mode)
        return Subject(spec.task.name, None, problem, None, charged_steps=problem.charged_steps)
    record = read_config(folder)
    spec = replace(spec, task=_for_playing(spec.task, record))
    if spec.row.plans:
        return _of_planner(spec, folder, record, request.checkpoint, num_envs, render_mode)
    played = _played(spec, num_envs, exactly)
    return _of_run(played, folder, record, request.checkpoint, render_mode)


def named_spec(request: Request) -> RunSpec:
    """What is asked for: a run as it is recorded, or a task and a controller.

    Raises:
        RunError: if there is no such folder, or the run is not what is asked for.
        UnknownName: if there is no such task or controller.
    """
    task, folder = request.run_or_task, request.folder
    if folder is None:
        if os.sep in task and not is_user_task(task):
            raise RunError(f"there is no run folder {task}")
        return resolve(
            task,
            "scratch",
            config=Config(),
            controller=request.controller,
            task_options=request.task_options,
            controller_options=request.controller_options,
        )
    spec = recorded_spec(read_config(folder), folder / "config.json")
    if request.task_options is not None:
        spec = replace(spec, task=replace(spec.task, options=request.task_options))
    controller = _controller_of(folder, spec, request)
    say_what_runs(folder, spec.task.name, None if request.controller else spec.controller.name)
    return replace(spec, controller=controller)


def _controller_of(folder: Path, spec: RunSpec, request: Request) -> ControllerSpec:
    """The controller beside a run: that it learned on, or the one given if a script made it.

    Its name is None if the run learned without one.
    """
    if spec.row.plans:  # it learned without one, and may be shown beside any
        return resolve_controller(spec.task.name, request.controller, request.controller_options)
    if not can_be_found(spec.task.name):
        raise RunError(
            f"{folder} learned in {spec.task.name}, which a script made: load it in Python with "
            "rpl.load(run, make_env=..., controller=...)"
        )
    recorded, given = spec.controller.name, request.controller
    if recorded is None or can_be_found(recorded):
        if given not in (None, recorded):
            raise RunError(f"{folder} learned on {recorded}, not on {given}")
        options = request.controller_options or spec.controller.options
        return replace(spec.controller, options=options)
    if given is None:
        raise RunError(
            f"{folder} learned on {recorded}, which a script made: say where it is with "
            "--controller module:controller, or load the run in Python with "
            "rpl.load(run, controller=...)"
        )
    return ControllerSpec(given)


def _file_of(checkpoint: str) -> str:
    """The checkpoint that is read for what is asked for: of what is deployed, the best."""
    return "best" if checkpoint == DEPLOYED else checkpoint


def _of_run(
    spec: RunSpec, folder: Path, record: Record, checkpoint: str, render_mode: str | None = None
) -> Subject:
    """A learned policy and its controller."""
    assert isinstance(spec.config, Config)
    problem = problem_of(spec, render_mode)
    learner = new_learner(spec.config, problem)
    name = _file_of(checkpoint)
    state, stood = load_checkpoint(folder, learner, Progress, name)
    remark = UNTRAINED if spec.row.residual and stood.is_untrained else None
    asked = checkpoint == DEPLOYED and remark is None
    if asked and not deploys_residual(load_checkpoint(folder, None, Progress)[1].verdict):
        state, remark = without_residual(state), WITHHELD
    elif stood.stands_below:
        remark = STOOD_BELOW
    return Subject(
        spec.task.name,
        spec.method,
        problem,
        GreedyPolicy(state, problem),
        state,
        steps_taken(folder / "metrics.csv") + record.get("charged_steps", 0),
        record,
        remark,
    )


def _of_planner(
    spec: RunSpec,
    folder: Path,
    record: Record,
    checkpoint: str,
    num_envs: int,
    render_mode: str | None,
) -> Subject:
    """A planner with its learned model, beside a controller of the task."""
    config = spec.config
    assert isinstance(config, PETSConfig)
    beside = replace(spec, method="scratch", config=Config())
    problem = problem_of(_played(beside, num_envs), render_mode)
    planned = pets_problem(spec.task, problem.evaluation_task)
    like = create_state(config, planned)
    name = _file_of(checkpoint)
    state, _ = load_checkpoint(folder, like, PETSProgress, name)
    pets = make_pets(config, planned, state, config.seed)
    policy = ControllerPolicy(pets, pets.action_size)
    steps = steps_taken(folder / "metrics.csv")
    return Subject(spec.task.name, spec.method, problem, policy, state, steps, record)


def _played(spec: RunSpec, num_envs: int, exactly: bool = False) -> RunSpec:
    """The run with as many environments at once as are asked for now."""
    assert isinstance(spec.config, Config)
    return replace(
        spec,
        config=replace(
            spec.config,
            evaluation_episodes=num_envs,
            episodes_per_cycle=1,
            num_envs=num_envs if exactly else None,
        ),
    )


def _for_playing(task: TaskSpec, record: Record) -> TaskSpec:
    """The task without processes, and judged as in training."""
    options = task.options
    if not isinstance(options, EnvironmentOptions):
        return task
    metric = record.get("metric", "success") if options.metric == "auto" else options.metric
    return replace(task, options=replace(options, processes=1, metric=metric))


def load_policy(
    folder: Path,
    checkpoint: str,
    num_envs: int,
    make_env: MakeEnv | str | None = None,
    controller: object = None,
) -> Policy:
    """A run's policy to call; see ``rpl.load``."""
    record = read_config(folder)
    spec = recorded_spec(record, folder / "config.json")
    if spec.row.plans:
        raise RunError(
            f"{folder} is a run of a planner, which needs its task's state: make a controller of "
            f"it with rpl cache {folder} cache.npz"
        )
    for name, given in (("task", make_env), ("controller", controller)):
        if given is None and not can_be_found(str(record[name])):
            raise RunError(
                f"the {name} of {folder}, {record[name]}, is in no module: pass it to "
                "rpl.load(run, make_env=..., controller=...)"
            )
        if given is not None and spec.task.entry is not None:
            raise RunError(f"{folder} learned on the task {spec.task.name}: load it by its folder")
    say_what_runs(
        folder,
        None if make_env is not None else spec.task.name,
        None if controller is not None else spec.controller.name,
    )
    acting = spec.controller if controller is None else ControllerSpec(controller)
    # Nothing is judged here, so no episode needs to be run to find out by what.
    task = _for_playing(replace(spec.task, source=make_env or spec.task.source), record)
    spec = replace(_played(spec, num_envs), task=task, controller=acting)
    if task.entry is None:
        assert isinstance(spec.config, Config)
        spec = replace(spec, config=replace(spec.config, num_envs=num_envs))
    subject = _of_run(spec, folder, record, checkpoint)
    assert isinstance(subject.state, LearnerState)
    return Policy(subject.state, subject.problem, record, subject.remark)
