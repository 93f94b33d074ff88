"""Makes what the catalog names: controllers, and the problems that runs learn."""

from __future__ import annotations

import dataclasses
from typing import Any

from gymnasium.vector import VectorEnv

from rpl.config import Config
from rpl.controllers.cached import CachedPolicy
from rpl.controllers.contract import Controller
from rpl.errors import InvalidValue, UsageError
from rpl.pets.train import PETSProblem
from rpl.problem import Problem
from rpl.registry.catalog import (
    CONTROLLERS,
    METHODS,
    TASKS,
    ControllerEntry,
    check_task,
    controller_name,
    find,
    task_options_of,
)
from rpl.registry.custom import own_problem
from rpl.registry.names import is_own_controller, own_controller
from rpl.replay.hindsight import GoalRules
from rpl.tasks.fetch.hook import HookOptions
from rpl.tasks.goal_task import GoalTask


def make_controller(name: str, task: VectorEnv, options: Any = None) -> Controller:
    """A controller for a task, with the settings of ``options``, an instance, if given."""
    if is_own_controller(name):
        return own_controller(name, task)
    entry: ControllerEntry = find("controller", CONTROLLERS, name)
    bare: Any = task.unwrapped
    values = {"layout": bare.layout, "task": bare}
    if options is not None:
        if not isinstance(options, entry.make):
            raise UsageError(f"these are settings of another controller than {name}: {options}")
        values = vars(options) | values
    return entry.make(
        **{f.name: values[f.name] for f in dataclasses.fields(entry.make) if f.name in values}
    )


def charged_steps(controller: Controller) -> int:
    """Environment steps that a controller was learned from; 0 if it was written."""
    return controller.charged_steps if isinstance(controller, CachedPolicy) else 0


def make_problem(
    task: str,
    method: str,
    config: Config,
    task_options: Any = None,
    controller: str | None = None,
    controller_options: Any = None,
    render_mode: str | None = None,
) -> Problem:
    """Builds what a run learns.

    Args:
        task: a name in TASKS, a Gymnasium id, or ``module:factory``.
        method: a name in METHODS.
        config: the run's configuration.
        task_options: the task's variations; None for its own.
        controller: a name in CONTROLLERS, ``module:controller``, or a file; None for
            the task's.
        controller_options: a controller instance whose settings to use.
        render_mode: of the evaluation task.
    """
    check_task(task)
    residual = find("method", METHODS, method).residual
    options = task_options_of(task) if task_options is None else task_options
    name = controller_name(task, controller, method)
    if task not in TASKS or name is None:
        return own_problem(task, name, config, options, residual, render_mode)
    entry = TASKS[task]
    plans = name in CONTROLLERS and CONTROLLERS[name].plans

    def make(num_envs: int, **keywords: Any) -> GoalTask:
        return entry.make(
            num_envs, options, num_threads=config.num_threads, simulator_state=plans, **keywords
        )

    bare = make(config.evaluation_episodes, render_mode=render_mode)
    acting = make_controller(name, bare, controller_options)
    collecting = make(config.num_envs or config.episodes_per_cycle)
    # One's own may have a memory for each simulation, and so has to be made for each task.
    exploring = acting if name in CONTROLLERS else make_controller(name, collecting)
    return Problem(
        task=collecting,
        evaluation_task=bare,
        controller=acting,
        exploring_controller=None if exploring is acting else exploring,
        horizon=entry.horizon,
        rules=GoalRules(bare.compute_reward),
        residual=config.residual if residual else None,
        value_bounds=entry.value_bounds,
        judged_by=entry.judged_by,
        charged_steps=charged_steps(acting),
        frames=options.frames if isinstance(options, HookOptions) else 1,
    )


def pets_problem(name: str, task: VectorEnv) -> PETSProblem:
    """What PETS is to control; the planner's cost is the task's own reward, negated.

    Args:
        name: the task's, in TASKS.
        task: any number of its environments.

    Raises:
        ValueError: if the task cannot say what a predicted step would earn.
    """
    if not hasattr(task, "predicted_reward"):
        able = [n for n, entry in TASKS.items() if hasattr(entry.make, "predicted_reward")]
        raise InvalidValue(
            f"'{name}' cannot say what a predicted step would earn, which --method pets must know; "
            f"choose {' or '.join(able)}"
        )

    def cost(observation: Any, action: Any, desired_goal: Any) -> Any:
        return -task.predicted_reward(observation, action, desired_goal)  # type: ignore[attr-defined]

    return PETSProblem(task, cost, TASKS[name].horizon)
