"""The paper's idea: a policy is a controller plus a learned residual (section IV).

    execute(s) = clip(clip(controller(s)) + scale * residual(s)),    clip to [-1, 1]

Given a controller and a task, the residual is itself the action of a task,
M(pi) = (S, A, R, T(s, pi(s) + a, s')), so any reinforcement learner can learn it.
``Residual`` wraps a vector task, ``ResidualWrapper`` a single environment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, SupportsFloat

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space

from rpl.controllers.contract import ControllerPolicy, Source
from rpl.controllers.guard import guarded
from rpl.controllers.per_environment import batched
from rpl.errors import InvalidValue
from rpl.observations import (
    Info,
    Observation,
    batch_of_one,
    in_form,
    reset_mask,
    space_with_base_action,
    with_base_action,
)


def combine(
    base_action: np.ndarray,
    residual: np.ndarray,
    scale: float | np.ndarray,
    two_valued: Sequence[int] = (),
) -> tuple[np.ndarray, np.ndarray]:
    """The executed action, and which of its components the clip to [-1, 1] changed.

    Whatever the residual, no component of the executed action is further than ``scale`` from the
    base action clipped to [-1, 1], since clipping brings no two numbers further apart. Only the
    components ``two_valued`` may be: they stay as they are while the sum is on the base action's
    side of 0, and where it is not they go to the bound there.
    """
    total = base_action + scale * np.clip(residual, -1.0, 1.0)
    executed = np.clip(total, -1.0, 1.0)
    clipped = executed != total
    for c in two_valued:
        base, side = base_action[..., c], total[..., c] >= 0.0
        stays = side == (base >= 0.0)
        executed[..., c] = np.where(stays, np.clip(base, -1.0, 1.0), np.where(side, 1.0, -1.0))
    return executed, clipped


def deviation(executed: np.ndarray, base_action: np.ndarray) -> np.ndarray:
    """How far the executed action is from the base action clipped to [-1, 1], same shape."""
    return np.abs(executed - np.clip(base_action, -1.0, 1.0))


def checked_scale(scale: float | Sequence[float], action_shape: tuple[int, ...]) -> np.ndarray:
    """The scale as an array: one number, or one for each component of the action.

    Raises:
        ValueError: if it has another shape, or a component that is negative or not finite.
    """
    try:
        checked = np.asarray(scale, np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidValue(f"the residual's scale is {scale!r}: give numbers") from error
    if checked.shape not in ((), (1,), action_shape):
        raise InvalidValue(
            f"the residual's scale has {checked.size} components: give one number or one for "
            f"each of the {action_shape[0]} components of the action"
        )
    if not (np.isfinite(checked) & (checked >= 0.0)).all():
        raise InvalidValue(f"the residual's scale is {scale}: give finite numbers, 0 or more")
    return checked


def check_components(components: Sequence[int], action_size: int) -> None:
    """Refuses components that the action does not have.

    Raises:
        ValueError: naming the first of them.
    """
    if beyond := [c for c in components if not 0 <= c < action_size]:
        raise InvalidValue(
            f"--residual.two-valued names component {beyond[0]}, and the components of the action "
            f"are 0 to {action_size - 1}"
        )


def check_unit_actions(space: gymnasium.Space) -> tuple[int, ...]:
    """The shape of actions; refuses a space other than [-1, 1], to which they are clipped.

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
    return space.shape


class _Core:
    """What both wrappers do: ask the controller once a step, and add the residual to it."""

    def __init__(
        self,
        action_space: gymnasium.Space,
        num_envs: int,
        controller: Source,
        scale: float | Sequence[float],
        clip_controller: bool,
        observe_controller: bool,
    ) -> None:
        self.shape = check_unit_actions(action_space)
        self.scale = checked_scale(scale, self.shape)
        size = self.shape[0]
        asked = guarded(batched(controller, num_envs), size)
        self.base = ControllerPolicy(asked, size, clip_controller)
        self.observes = observe_controller
        self._observation: Observation = None
        self._base_action: np.ndarray | None = None

    def see(self, observation: Observation) -> Observation:
        """What the learner is shown of a batch; the controller, maybe random, is asked once."""
        self._observation, self._base_action = observation, None
        if not self.observes:
            return observation
        self._base_action = self.base(observation)
        return with_base_action(observation, self._base_action)

    def execute(self, residual: object, batch_shape: tuple[int, ...]) -> dict[str, np.ndarray]:
        """What is executed, and how it came about.

        Raises:
            ValueError: if the residual has another shape, or a number that is not finite.
        """
        if self._observation is None:
            raise gymnasium.error.ResetNeeded("call reset() before step()")
        checked = np.asarray(residual)
        if checked.shape != batch_shape:
            raise InvalidValue(f"the residual has shape {checked.shape}, expected {batch_shape}")
        if not np.isfinite(checked).all():
            raise InvalidValue(f"the residual is {residual}: its numbers must be finite")
        if self._base_action is None:
            self._base_action = self.base(self._observation)
        executed, clipped = combine(self._base_action, checked, self.scale)
        return {
            "controller_action": self._base_action,
            "residual": checked,
            "executed_action": executed,
            "clipped": clipped.mean(axis=1),
        }


class Residual(VectorWrapper):
    """A task in which the action is the residual on a controller.

    ``info`` gains ``controller_action``, ``residual`` and ``executed_action``, each
    (num_envs, action_dim), and ``clipped``, (num_envs,), the share of components that the
    bounds cut off. Where the environment resets itself, the controller's memory is reset too.

    Args:
        task: a vector environment with actions in [-1, 1].
        controller: see ``Controller``; an object of another library may be called by its method.
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
        controller: Source,
        scale: float | Sequence[float] = 1.0,
        clip_controller: bool = True,
        observe_controller: bool = False,
    ) -> None:
        super().__init__(task)
        space = task.single_action_space
        how = scale, clip_controller, observe_controller
        self._core = _Core(space, task.num_envs, controller, *how)
        self.controller, self.scale = controller, self._core.scale
        # Without a word about it Gymnasium's own vector environments reset in the next step.
        self._autoreset = task.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP)
        self._over = np.zeros(task.num_envs, bool)
        self._type = task.metadata.get("action_dtype", space.dtype)
        if observe_controller:
            shown = space_with_base_action(task.single_observation_space, space)
            self.single_observation_space = shown
            self.observation_space = batch_space(shown, task.num_envs)

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: Info | None = None,
    ) -> tuple[Observation, Info]:
        """Resets the task, and the controller's memory where it has one.

        Raises:
            ValueError: if only some environments are to be reset, and the learner observes what
                a controller with memory says: to be shown it, that would be asked twice about
                one step of the others.
        """
        mask = reset_mask(options, self.num_envs)
        if self._core.base.has_memory and self._core.observes and not mask.all():
            raise InvalidValue(
                "observe_controller with a controller that has a memory: reset all environments"
            )
        # Gymnasium's annotation forgets the list of seeds that its vector environments take.
        observation, info = self.env.reset(seed=seed, options=options)  # type: ignore[arg-type]
        self._core.base.reset(mask)
        self._over &= ~mask
        return self._core.see(observation), info

    def step(
        self, actions: np.ndarray
    ) -> tuple[Observation, np.ndarray, np.ndarray, np.ndarray, Info]:
        """Executes controller plus scaled residual; ``actions`` are residuals in [-1, 1]."""
        done = self._core.execute(actions, (self.num_envs, *self._core.shape))
        observation, *outcome, info = self.env.step(done["executed_action"].astype(self._type))
        reward, terminated, truncated = outcome
        begun, self._over = self._over, np.asarray(terminated) | np.asarray(truncated)
        if self._autoreset != AutoresetMode.DISABLED:
            begun = self._over if self._autoreset == AutoresetMode.SAME_STEP else begun
            self._core.base.reset(begun)
        return self._core.see(observation), reward, terminated, truncated, info | done


class ResidualWrapper(gymnasium.Wrapper):
    """``Residual`` for one Gymnasium environment, for any library's learner.

    As there, the controller is batched: ``per_env`` lifts a function of one observation.
    """

    def __init__(
        self,
        env: gymnasium.Env,
        controller: Source,
        scale: float | Sequence[float] = 1.0,
        clip_controller: bool = True,
        observe_controller: bool = False,
    ) -> None:
        super().__init__(env)
        space = env.action_space
        self._core = _Core(space, 1, controller, scale, clip_controller, observe_controller)
        self.controller, self.scale = controller, self._core.scale
        if observe_controller:
            self.observation_space = space_with_base_action(env.observation_space, space)

    def __getattr__(self, name: str) -> Any:
        # Gymnasium's wrappers forward no attributes, and hindsight looks for this one.
        if name == "compute_reward":
            return self.env.get_wrapper_attr(name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def reset(
        self, *, seed: int | None = None, options: Info | None = None
    ) -> tuple[Observation, Info]:
        """Resets the environment, and the controller's memory where it has one."""
        observation, info = self.env.reset(seed=seed, options=options)
        self._core.base.reset(np.ones(1, bool))
        return self._shown(observation), info

    def step(self, action: np.ndarray) -> tuple[Observation, SupportsFloat, bool, bool, Info]:
        """Executes controller plus scaled residual; ``action`` is the residual in [-1, 1]."""
        residual = np.asarray(action)
        if residual.shape != self._core.shape:
            raise InvalidValue(
                f"the residual has shape {residual.shape}, expected {self._core.shape}"
            )
        batch = self._core.execute(residual[None], (1, *residual.shape))
        done = {name: values[0] for name, values in batch.items()}
        executed = done["executed_action"].astype(self.action_space.dtype)
        observation, reward, terminated, truncated, info = self.env.step(executed)
        info = {**info, **done, "clipped": float(done["clipped"])}
        return self._shown(observation), reward, terminated, truncated, info

    def _shown(self, observation: Observation) -> Observation:
        formed = in_form(observation, self.env.observation_space)
        shown = self._core.see(batch_of_one(formed))
        if not self._core.observes:
            return observation
        if isinstance(shown, Mapping):
            return {**observation, "observation": shown["observation"][0]}
        return shown[0]
