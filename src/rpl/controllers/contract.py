"""What a controller is: observations to actions, held to its contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from rpl.errors import Failure
from rpl.observations import rows


class Controller(Protocol):
    """Anything that maps a batch of observations to a batch of actions.

    It is called with a dict of (num_envs, dim) arrays, or with one (num_envs, dim) array
    for tasks without goals, must not write into them, and returns (num_envs, action_dim)
    in the action space's units. One with memory also has ``reset(mask)``, called with a
    (num_envs,) bool array where episodes begin.
    """

    def __call__(self, observation: Any, /) -> np.ndarray: ...


class ControllerError(Failure, ValueError):
    """A controller broke its contract; the message says how."""


def per_env(function: Callable[[Any], Sequence[float] | np.ndarray]) -> Controller:
    """Lifts a function of one environment's observation to a batched controller."""

    def controller(observation: Any) -> np.ndarray:
        actions = [np.asarray(function(row), np.float64) for row in rows(observation)]
        return np.stack([np.atleast_1d(action) for action in actions])

    return controller


def controller_action(
    controller: Controller, observation: Any, shape: tuple[int, ...], clip: bool
) -> np.ndarray:
    """Asks a controller for its actions and holds it to its contract.

    Args:
        controller: the controller.
        observation: what it sees.
        shape: the expected (num_envs, action_dim).
        clip: clip the result to [-1, 1].

    Raises:
        ControllerError: if the shape is wrong or a finite observation earns a non-finite
            action. Where the observation itself is not finite the action is zero.
    """
    action = np.asarray(controller(observation), np.float64)
    if action.shape != shape:
        raise ControllerError(
            f"the controller returned shape {action.shape}, expected {shape} (num_envs, "
            "action_dim); rpl.per_env lifts a function of a single observation"
        )
    finite = np.asarray(np.isfinite(action).all(axis=1))
    if not np.all(finite):
        parts = observation.values() if isinstance(observation, Mapping) else [observation]
        sound = np.stack([np.isfinite(part).all(axis=1) for part in parts]).all(axis=0)
        if (sound & ~finite).any():
            row = int(np.argmax(sound & ~finite))
            raise ControllerError(
                f"the controller returned {action[row]} for environment {row}, whose observation "
                "is finite; return finite actions"
            )
        action = np.where(finite[:, np.newaxis], action, 0.0)
    return np.clip(action, -1.0, 1.0) if clip else action
