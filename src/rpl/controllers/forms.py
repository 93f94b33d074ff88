"""What turns a function of one observation, or of a batch, into a controller of a task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rpl.observations import read_only, rows
from rpl.residual import Controller, ControllerError


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
        if hasattr(controller, "reset"):  # which says that it has a memory
            self.reset = controller.reset  # type: ignore[attr-defined]

    def __call__(self, observation: Any) -> np.ndarray:
        """Actions (n, action_dim) in the task's units."""
        action = call_guarded(self.controller, observation)
        return action if self._to_unit is None else self._to_unit(action)


class PerEnvironment:
    """One controller for each environment, each called with one observation.

    Args:
        controllers: functions of one observation, with ``reset()`` if they have memory.
    """

    def __init__(self, controllers: list[Any]) -> None:
        self.controllers = controllers

    def __call__(self, observation: Any) -> np.ndarray:
        """Actions (num_envs, action_dim)."""
        seen = rows(observation)
        if len(seen) != len(self.controllers):
            raise ControllerError(
                f"{len(seen)} observations for {len(self.controllers)} environments, each of which "
                "has a controller of its own: rpl.load(run, num_envs=...) makes more of them"
            )
        pairs = zip(self.controllers, seen, strict=True)
        return np.stack([np.atleast_1d(np.asarray(act(row), np.float64)) for act, row in pairs])

    def reset(self, mask: np.ndarray) -> None:
        """Resets the controllers with memory of the environments in ``mask``, (num_envs,) bool."""
        for i in np.flatnonzero(mask):
            if hasattr(self.controllers[i], "reset"):
                self.controllers[i].reset()


def call_guarded(controller: Callable[[Any], Any], observation: Any) -> np.ndarray:
    """The controller's actions, from an observation that it cannot write into.

    Raises:
        ControllerError: if it tries to.
    """
    try:
        return np.asarray(controller(read_only(observation)), np.float64)
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        raise ControllerError(
            "the controller writes into the observation, which the learner sees too: "
            "let it work on a copy, observation.copy()"
        ) from error
