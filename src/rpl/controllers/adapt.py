"""Somebody's own controller, in whatever form it comes, as a batched one.

| what it is | how it is used |
|---|---|
| a function of a batch, (n, dim) -> (n, action_dim) | as it is |
| a function of one observation, (dim,) -> (action_dim,) | called for each environment |
| an object with ``reset(mask)`` | as it is: it keeps the memory of all environments |
| an object with ``reset()`` | copied for each environment, and reset where an episode begins |
| a class | an object of it, used as above |
| a class or a function whose only parameter is ``env`` | makes one for each environment |
| a function of ``env`` and an observation | called for each environment |
| an ONNX file's policy | as it is: it takes a batch |
| a ``rpl.controllers.CachedPolicy`` | as it is |

Actions are in the environment's own units everywhere. Which of the first two a function is,
is tried out on a few first observations.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import VectorEnv

from rpl.controllers.cached import CachedPolicy
from rpl.controllers.contract import Controller, ControllerError, Remembers, as_actions, per_env
from rpl.controllers.onnx_policy import OnnxPolicy
from rpl.errors import frames_of_user_code
from rpl.observations import Observation, read_only, rows, width_of
from rpl.tasks.gym.task import GymnasiumTask

FEWEST_ROWS = 5


def adapt(source: Any, task: VectorEnv) -> Controller:
    """A batched controller for a task, with actions as fractions of the action range.

    Args:
        source: the user's controller; see the table above.
        task: the bare task that it is to act in. A function of the environment gets
            each environment of a ``GymnasiumTask``, or else the whole task.

    Raises:
        ControllerError: if nothing in the table fits.
    """
    if isinstance(source, CachedPolicy):
        return source  # which has the task's units already
    if not isinstance(task, GymnasiumTask):
        return guarded(_of_task(source, task))
    return guarded(_of_environments(source, task), task.to_unit)


def is_factory(source: Any) -> bool:
    """Whether it makes controllers from an environment: its first parameter is ``env``."""
    return _parameters(source)[:1] == ["env"]


def resets_by_mask(controller: Any) -> bool:
    """Whether its ``reset`` takes the environments to reset."""
    return isinstance(controller, Remembers) and bool(_parameters(controller.reset))


def _of_environments(source: Any, task: GymnasiumTask) -> Any:
    if is_factory(source):
        if task.parallel:
            _check_reads_no_state(source, task)
            return PerEnvironment([_from_env(source, task.envs[0]) for _ in range(task.num_envs)])
        return PerEnvironment([_from_env(source, env) for env in task.envs])
    controller: Any = source
    if inspect.isclass(controller):
        controller = controller()
    return _one_or_all(controller, task)


def _one_or_all(controller: Any, task: VectorEnv) -> Any:
    """A controller of all environments: as it is, or one for each where it has one memory."""
    if not isinstance(controller, Remembers):
        return _of_either_shape(controller, task)
    if resets_by_mask(controller):
        return controller
    return PerEnvironment([copy.deepcopy(controller) for _ in range(task.num_envs)])


def _from_env(source: Any, env: gymnasium.Env) -> Any:
    """The controller of one environment, which keeps it or is handed it in every call."""
    if inspect.isclass(source) or len(_parameters(source)) == 1:
        make: Any = source
        return make(env)
    return partial(source, env)


def _check_reads_no_state(source: Any, task: GymnasiumTask) -> None:
    """Environments in processes of their own are out of sight: their state must not matter.

    Raises:
        ControllerError: if the action for one observation changes as the environment moves on.
    """
    env = task.envs[0]
    observation, _ = env.reset(seed=0)
    before = call_guarded(_from_env(source, env), observation)
    env.action_space.seed(0)
    for _ in range(3):
        env.step(env.action_space.sample())
    after = call_guarded(_from_env(source, env), observation)
    env.reset(seed=0)
    if not np.array_equal(before, after):
        raise ControllerError(
            "the controller reads the state of the environment it was made from, which other "
            "processes cannot show it: use one process, --task.processes 1"
        )


def _of_task(source: Any, task: VectorEnv) -> Any:
    """For a task that is batched itself: nothing to make for each environment but memories."""
    controller: Any = source(task) if is_factory(source) else source
    if inspect.isclass(controller):
        controller = controller()
    return _one_or_all(controller, task)


def _of_either_shape(function: Any, task: VectorEnv) -> Any:
    """Finds out on first observations whether it takes one of them or a batch."""
    if isinstance(function, OnnxPolicy):
        return function  # whose file is of batches
    action_size = width_of(task.single_action_space)
    batch = first_observations(task)
    count = len(rows(batch))
    whole, whole_says = _attempt(function, batch)
    one_by_one, row_says = _attempt(per_env(function), batch)
    # What a function of one observation makes of a batch may have a batch's shape by chance.
    if one_by_one is not None and one_by_one.shape == (count, action_size):
        same = (
            whole is not None
            and np.array_equal(whole.shape, one_by_one.shape)
            and np.allclose(whole, one_by_one)
        )
        return function if same else per_env(function)
    if whole is not None and whole.shape == (count, action_size):
        return function
    raise ControllerError(
        f"the controller fits neither one observation, to be answered with shape ({action_size},)"
        f", nor a batch of {count}, to be answered with shape ({count}, {action_size}): one by one "
        f"it {row_says}, for a batch it {whole_says}"
    )


def _attempt(
    function: Callable[[Any], Any], observation: Observation
) -> tuple[np.ndarray | None, str]:
    """The action, if there is one, and what happened in words."""
    try:
        action = call_guarded(function, observation)
    except ControllerError:
        raise
    except Exception as error:
        frames = frames_of_user_code(error)
        place = f" in {frames[-1].filename}, line {frames[-1].lineno}" if frames else ""
        return None, f"raised {type(error).__name__} ({error}){place}"
    if action.ndim == 0 and np.isnan(action):
        return action, "returned None or nan"
    return action, f"returned shape {action.shape}"


def first_observations(task: VectorEnv) -> Any:
    """First observations of a few episodes, in a number that no width of theirs equals."""
    spaces = [task.single_action_space, *_parts(task.single_observation_space).values()]
    widths = {size for space in spaces for size in (space.shape or ())}
    count = next(n for n in range(FEWEST_ROWS, FEWEST_ROWS + len(widths) + 1) if n not in widths)
    rounds = []
    for first in range(0, count, task.num_envs):
        observation, _ = task.reset(seed=list(range(first, first + task.num_envs)))  # type: ignore[arg-type]
        rounds.append(observation)
    if isinstance(rounds[0], Mapping):
        return {k: np.concatenate([r[k] for r in rounds])[:count] for k in rounds[0]}
    return np.concatenate(rounds)[:count]


def _parts(space: Any) -> dict[Any, Any]:
    return dict(getattr(space, "spaces", None) or {None: space})


def _parameters(function: Any) -> list[str]:
    """Names of the positional parameters that must be given."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [p.name for p in parameters if p.kind in kinds and p.default is p.empty]


class Guarded:
    """A controller that gets read-only observations and may act in other units than the task.

    Args:
        controller: batched.
        to_unit: from the controller's actions to the task's; None changes nothing.
    """

    def __init__(
        self, controller: Controller, to_unit: Callable[[np.ndarray], np.ndarray] | None = None
    ) -> None:
        self.controller = controller
        self._to_unit = to_unit

    def __call__(self, observation: Observation) -> np.ndarray:
        """Actions (n, action_dim) in the task's units."""
        action = call_guarded(self.controller, observation)
        return action if self._to_unit is None else self._to_unit(action)


class GuardedMemory(Guarded):
    """The same of a controller with a memory."""

    def reset(self, mask: np.ndarray) -> None:
        """Passes on where episodes begin."""
        assert isinstance(self.controller, Remembers)
        self.controller.reset(mask)


def guarded(
    controller: Controller, to_unit: Callable[[np.ndarray], np.ndarray] | None = None
) -> Guarded:
    """The controller guarded; see ``Guarded``."""
    return (GuardedMemory if isinstance(controller, Remembers) else Guarded)(controller, to_unit)


class PerEnvironment:
    """One controller for each environment, each called with one observation.

    Args:
        controllers: functions of one observation, with ``reset()`` if they have memory.
    """

    def __init__(self, controllers: list[Any]) -> None:
        self.controllers = controllers

    def __call__(self, observation: Observation) -> np.ndarray:
        """Actions (num_envs, action_dim)."""
        seen = rows(observation)
        if len(seen) != len(self.controllers):
            raise ControllerError(
                f"{len(seen)} observations for {len(self.controllers)} environments, each of which "
                "has a controller of its own: rpl.load(run, num_envs=...) makes more of them"
            )
        pairs = zip(self.controllers, seen, strict=True)
        return np.stack([np.atleast_1d(as_actions(act(row))) for act, row in pairs])

    def reset(self, mask: np.ndarray) -> None:
        """Resets the controllers with memory of the environments in ``mask``, (num_envs,) bool."""
        for i in np.flatnonzero(mask):
            if isinstance(self.controllers[i], Remembers):
                self.controllers[i].reset()


def call_guarded(controller: Callable[[Any], Any], observation: Observation) -> np.ndarray:
    """The controller's actions, from an observation that it cannot write into.

    Raises:
        ControllerError: if it tries to.
    """
    try:
        return as_actions(controller(read_only(observation)))
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        raise ControllerError(
            "the controller writes into the observation, which the learner sees too: "
            "let it work on a copy, observation.copy()"
        ) from error
