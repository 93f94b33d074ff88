"""The paper's idea: a policy is a controller plus a learned residual (section IV).

    execute(s) = clip(clip(controller(s)) + scale * residual(s)),    clip to [-1, 1]

Given a controller and a task, the residual is itself the action of a task,
M(pi) = (S, A, R, T(s, pi(s) + a, s')), so any reinforcement learner can learn it.
``Residual`` wraps a vector task, ``ResidualWrapper`` a single environment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space

from rpl.controllers.contract import Controller, controller_action
from rpl.errors import InvalidValue
from rpl.observations import batch_of_one, reset_mask

Observation = Mapping[str, np.ndarray]


def combine(
    controller_action: np.ndarray, residual: np.ndarray, scale: float | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The executed action, and which of its components the clip to [-1, 1] changed.

    Whatever the residual, no component of the executed action is further than ``scale``
    from the controller's clipped to [-1, 1], since clipping brings no two numbers further
    apart.
    """
    total = controller_action + scale * np.clip(residual, -1.0, 1.0)
    executed = np.clip(total, -1.0, 1.0)
    return executed, executed != total


def checked_scale(scale: float | Sequence[float], action_shape: tuple[int, ...]) -> np.ndarray:
    """The scale as an array: one number, or one for each component of the action.

    Raises:
        ValueError: if it has another shape, or a component that is negative or not finite.
    """
    checked = np.asarray(scale, np.float64)
    if checked.shape not in ((), (1,), action_shape):
        raise InvalidValue(
            f"the residual's scale has {checked.size} components: give one number or one for "
            f"each of the {action_shape[0]} components of the action"
        )
    if not (np.isfinite(checked) & (checked >= 0.0)).all():
        raise InvalidValue(f"the residual's scale is {scale}: give finite numbers, 0 or more")
    return checked


def checked_residual(residual: Any, space: gymnasium.Space) -> np.ndarray:
    """The residual as an array.

    Raises:
        ValueError: if it has not the space's shape, or a number that is not finite.
    """
    checked = np.asarray(residual)
    if checked.shape != space.shape:
        raise InvalidValue(f"the residual has shape {checked.shape}, expected {space.shape}")
    if not np.isfinite(checked).all():
        raise InvalidValue(f"the residual is {residual}: its numbers must be finite")
    return checked


def check_unit_actions(space: gymnasium.Space) -> None:
    """Refuses an action space other than [-1, 1], to which executed actions are clipped.

    Raises:
        ValueError: with what to do.
    """
    if not isinstance(space, gymnasium.spaces.Box):
        raise InvalidValue(f"a residual is added to actions of a Box, and they are of {space}")
    if not (np.all(space.low == -1.0) and np.all(space.high == 1.0)):
        raise InvalidValue(
            f"the actions are of {space}: bring them to [-1, 1] first, with "
            "gymnasium.wrappers.RescaleAction(env, np.float32(-1), np.float32(1))"
        )


def beside(observation: Any, proposed: np.ndarray) -> Any:
    """The observation with the controller's action at its end, of one or many environments."""
    if isinstance(observation, Mapping):
        return {**observation, "observation": beside(observation["observation"], proposed)}
    observation = np.asarray(observation)
    return np.concatenate([observation, proposed.astype(observation.dtype)], axis=-1)


def space_beside(space: gymnasium.Space, actions: gymnasium.Space) -> gymnasium.Space:
    """The space of what ``beside`` returns.

    Args:
        space: of one environment's observations: a Box, or a Dict with a Box "observation".
        actions: of one environment.

    Raises:
        ValueError: if observations are not rows of floats.
    """
    if isinstance(space, gymnasium.spaces.Dict):
        inner = space_beside(space["observation"], actions)
        return gymnasium.spaces.Dict({**space.spaces, "observation": inner})
    if not isinstance(space, gymnasium.spaces.Box) or len(space.shape) != 1:
        raise InvalidValue(f"the controller's action cannot stand beside observations of {space}")
    if not np.issubdtype(space.dtype, np.floating):
        raise InvalidValue(
            f"the controller's action cannot stand beside {space.dtype} observations"
        )
    # A controller that is not clipped may propose anything.
    boundless = np.full(actions.shape or (), np.inf)
    low, high = np.append(space.low, -boundless), np.append(space.high, boundless)
    dtype: Any = space.dtype
    return gymnasium.spaces.Box(low.astype(dtype), high.astype(dtype), dtype=dtype)


def deviation(executed: np.ndarray, controller_action: np.ndarray) -> np.ndarray:
    """How far the executed action is from the controller's clipped to [-1, 1], same shape."""
    return np.abs(executed - np.clip(controller_action, -1.0, 1.0))


class Residual(VectorWrapper):
    """A task in which the action is the residual on a controller.

    ``info`` gains ``controller_action``, ``residual`` and ``executed_action``, each
    (num_envs, action_dim), and ``clipped``, (num_envs,), the share of components that the
    bounds cut off.

    Args:
        task: a vector environment with actions in [-1, 1].
        controller: see ``Controller``.
        scale: what a residual of 1 adds; one number or one per action component. 2 lets
            the residual override any controller action (the paper's code); less keeps the
            policy within it of its controller, see ``combine``.
        clip_controller: clip the controller's action to [-1, 1] first, so that a
            controller far beyond the bounds cannot hide the residual.
        observe_controller: put what the controller is about to do at the end of the
            observation, so that whoever chooses the residual knows what it is added to.
    """

    def __init__(
        self,
        task: VectorEnv,
        controller: Controller,
        scale: float | Sequence[float] = 1.0,
        clip_controller: bool = True,
        observe_controller: bool = False,
    ) -> None:
        super().__init__(task)
        check_unit_actions(task.single_action_space)
        self.controller = controller
        self.scale = checked_scale(scale, task.single_action_space.shape or ())
        self.clip_controller = clip_controller
        self.observe_controller = observe_controller
        self._observation: Any = None
        self._proposed: np.ndarray | None = None
        if observe_controller:
            self.single_observation_space = space_beside(
                task.single_observation_space, task.single_action_space
            )
            self.observation_space = batch_space(self.single_observation_space, task.num_envs)

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Resets the task, and the controller's memory where it has one.

        Raises:
            ValueError: if only some environments are to be reset, and the learner observes what
                a controller with memory says: to be shown it, that would be asked twice about
                one step of the others.
        """
        mask = reset_mask(options, self.num_envs)
        remembers = hasattr(self.controller, "reset")
        if remembers and self.observe_controller and not mask.all():
            raise InvalidValue(
                "observe_controller with a controller that has a memory: reset all environments"
            )
        # Gymnasium's annotation forgets the list of seeds that its vector environments take.
        self._observation, info = self.env.reset(seed=seed, options=options)  # type: ignore[arg-type]
        if remembers:
            self.controller.reset(mask)  # type: ignore[attr-defined]
        return self._observed(), info

    def step(self, actions: np.ndarray) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Executes controller plus scaled residual; ``actions`` are residuals in [-1, 1]."""
        if self._observation is None:
            raise gymnasium.error.ResetNeeded("call reset() before step()")
        residual = checked_residual(actions, self.action_space)
        proposed = self._propose() if self._proposed is None else self._proposed
        executed, clipped = combine(proposed, residual, self.scale)
        self._observation, reward, terminated, truncated, info = self.env.step(executed)
        info = {
            **info,
            "controller_action": proposed,
            "residual": residual,
            "executed_action": executed,
            "clipped": clipped.mean(axis=1),
        }
        return self._observed(), reward, terminated, truncated, info

    def _propose(self) -> np.ndarray:
        shape = self.action_space.shape or ()
        return controller_action(self.controller, self._observation, shape, self.clip_controller)

    def _observed(self) -> Any:
        """What the learner sees; the controller, which may be random, is asked once a step."""
        if not self.observe_controller:
            return self._observation
        self._proposed = self._propose()
        return beside(self._observation, self._proposed)


class ResidualWrapper(gymnasium.Wrapper):
    """``Residual`` for one Gymnasium environment, for any library's learner.

    Args:
        env: an environment with actions in [-1, 1].
        controller: batched, as everywhere; use ``per_env`` for a function of a
            single observation.
        scale: see ``Residual``.
        clip_controller: see ``Residual``.
        observe_controller: see ``Residual``.
    """

    def __init__(
        self,
        env: gymnasium.Env,
        controller: Controller,
        scale: float | Sequence[float] = 1.0,
        clip_controller: bool = True,
        observe_controller: bool = False,
    ) -> None:
        super().__init__(env)
        check_unit_actions(env.action_space)
        self.controller = controller
        self.scale = checked_scale(scale, env.action_space.shape or ())
        self.clip_controller = clip_controller
        self.observe_controller = observe_controller
        self._observation: Any = None
        self._proposed: np.ndarray | None = None
        if observe_controller:
            self.observation_space = space_beside(env.observation_space, env.action_space)

    def __getattr__(self, name: str) -> Any:
        # Gymnasium's wrappers forward no attributes, and hindsight looks for this one.
        if name == "compute_reward":
            return self.env.get_wrapper_attr(name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Resets the environment, and the controller's memory where it has one."""
        observation, info = self.env.reset(seed=seed, options=options)
        if hasattr(self.controller, "reset"):
            self.controller.reset(np.ones(1, bool))  # type: ignore[attr-defined]
        return self._observed(observation), info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Executes controller plus scaled residual; ``action`` is the residual."""
        if self._observation is None:
            raise gymnasium.error.ResetNeeded("call reset() before step()")
        residual = checked_residual(action, self.action_space)
        proposed = self._propose() if self._proposed is None else self._proposed
        executed, clipped = combine(proposed, residual, self.scale)
        observation, reward, terminated, truncated, info = self.env.step(
            executed.astype(self.action_space.dtype)
        )
        info = {
            **info,
            "controller_action": proposed,
            "residual": residual,
            "executed_action": executed,
            "clipped": float(clipped.mean()),
        }
        return self._observed(observation), reward, terminated, truncated, info

    def _propose(self) -> np.ndarray:
        shape = (1, *(self.action_space.shape or ()))
        return controller_action(self.controller, self._observation, shape, self.clip_controller)[0]

    def _observed(self, observation: Any) -> Any:
        self._observation = batch_of_one(observation)
        if not self.observe_controller:
            return observation
        self._proposed = self._propose()
        return beside(observation, self._proposed)
