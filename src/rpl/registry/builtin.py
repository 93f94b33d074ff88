"""Makes what the catalog names: controllers, and the problems that runs learn."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import jax
from gymnasium.vector import VectorEnv

from rpl.config import Config
from rpl.controllers.contract import Controller
from rpl.errors import InvalidValue, UsageError
from rpl.pets.train import PETSProblem
from rpl.problem import Problem
from rpl.registry.catalog import CONTROLLERS, TASKS, ControllerEntry, TaskOptions
from rpl.registry.custom import user_problem
from rpl.registry.names import EnvironmentOptions, custom_controller, find, is_custom_controller
from rpl.registry.resolve import RunSpec, TaskSpec, resolve
from rpl.replay.hindsight import GoalRules
from rpl.settings import Settings
from rpl.tasks.fetch.options import HookOptions
from rpl.tasks.gym.task import MakeEnv

if TYPE_CHECKING:
    from rpl.tasks.goal_task import GoalTask


def make_controller(source: object, task: VectorEnv, options: Settings | None = None) -> Controller:
    """A controller for a task, with the settings of ``options``, an instance, if given.

    Args:
        source: a name in CONTROLLERS, or see ``rpl.registry.names.custom_controller``.
        task: any number of its environments.
        options: the controller's settings.
    """
    if not isinstance(source, str) or is_custom_controller(source):
        return custom_controller(source, task)
    entry: ControllerEntry = find("controller", CONTROLLERS, source)
    bare: Any = task.unwrapped
    values = {"layout": bare.layout, "task": bare}
    if options is not None:
        if not isinstance(options, entry.make):
            raise UsageError(f"these are settings of another controller than {source}: {options}")
        values = vars(options) | values
    return entry.make(
        **{f.name: values[f.name] for f in dataclasses.fields(entry.make) if f.name in values}
    )


def make_problem(
    task: str | MakeEnv,
    method: str,
    config: Config,
    task_options: TaskOptions | None = None,
    controller: object = None,
    controller_options: Settings | None = None,
    render_mode: str | None = None,
) -> Problem:
    """What a run learns that is described by words; see ``resolve`` and ``problem_of``."""
    spec = resolve(
        task,
        method,
        config=config,
        task_options=task_options,
        controller=controller,
        controller_options=controller_options,
    )
    return problem_of(spec, render_mode)


def problem_of(spec: RunSpec, render_mode: str | None = None) -> Problem:
    """Builds what a run of a learner learns; its evaluations draw by ``render_mode``."""
    config, options, name = spec.config, spec.task.options, spec.controller.source
    residual, entry = spec.row.residual, spec.task.entry
    assert isinstance(config, Config)
    if entry is None:
        assert isinstance(options, EnvironmentOptions)
        return user_problem(spec.task.source, name, config, options, residual, render_mode)
    ours = CONTROLLERS.get(name) if isinstance(name, str) else None
    plans = ours is not None and ours.plans

    def make(num_envs: int, **keywords: object) -> GoalTask:
        return entry.variant.make(
            num_envs, options, num_threads=config.num_threads, simulator_state=plans, **keywords
        )

    bare = make(config.evaluation_episodes, render_mode=render_mode)
    acting = make_controller(name, bare, spec.controller.options)
    collecting = make(config.num_envs or config.episodes_per_cycle)
    # A custom one may have a memory for each simulation, and so has to be made for each task.
    exploring = acting if ours is not None else make_controller(name, collecting)
    return Problem(
        task=collecting,
        evaluation_task=bare,
        controller=acting,
        exploring_controller=None if exploring is acting else exploring,
        horizon=entry.horizon,
        rules=GoalRules(bare.compute_reward),
        residual=config.residual if residual else None,
        value_bounds=entry.value_bounds,
        metric=entry.metric,
        frames=options.frames if isinstance(options, HookOptions) else 1,
    )


def pets_problem(spec: TaskSpec, task: VectorEnv | None = None) -> PETSProblem:
    """What PETS is to control; the planner's cost is the task's own reward, negated.

    Args:
        spec: the task.
        task: any number of its environments; None makes one.

    Raises:
        ValueError: if the task cannot say what a predicted step would earn.
    """
    entry = spec.entry
    if entry is None:
        raise UsageError(
            "--method pets is for tasks that can say what a predicted step would earn, such as "
            "mbrl-pusher; examples/pets_pendulum.py shows how to plan on an environment of a user"
        )
    if task is None:
        task = entry.variant.make(1, spec.options, num_threads=1)
    if not isinstance(task.unwrapped, PredictsReward):
        able = [n for n, entry in TASKS.items() if hasattr(entry.variant.make, "predicted_reward")]
        raise InvalidValue(
            f"'{spec.name}' cannot say what a predicted step would earn, which a planner must "
            f"know; choose {' or '.join(able)}"
        )
    predicted_reward = task.unwrapped.predicted_reward

    def cost(observation: jax.Array, action: jax.Array, desired_goal: jax.Array) -> jax.Array:
        return -predicted_reward(observation, action, desired_goal)

    return PETSProblem(task, cost, entry.horizon)


@runtime_checkable
class PredictsReward(Protocol):
    """A task that can say, in JAX, what a step that was only predicted would earn."""

    def predicted_reward(
        self, observation: jax.Array, action: jax.Array, desired_goal: jax.Array
    ) -> jax.Array: ...
