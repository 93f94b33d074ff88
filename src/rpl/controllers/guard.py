"""What user's controllers are called through: observations that they cannot spoil, their units."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rpl.controllers.contract import (
    Answering,
    Controller,
    ControllerError,
    Remembers,
    action_of,
    check_shape,
)
from rpl.observations import Observation, read_only, size_of, whole_of


class Guarded:
    """A controller that gets read-only observations and may act in other units than the task.

    Args:
        controller: batched.
        size: numbers of an action.
        to_unit: from the controller's actions to the task's; None changes nothing.
    """

    def __init__(
        self,
        controller: Controller,
        size: int,
        to_unit: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> None:
        self.controller = controller
        self._size, self._to_unit = size, to_unit

    def __call__(self, observation: Observation) -> np.ndarray:
        """Actions (n, action_dim) in the task's units.

        Raises:
            ControllerError: if they are of another shape.
        """
        action = call_guarded(self.controller, whole_of(observation))
        check_shape(action, (size_of(observation), self._size))
        return action if self._to_unit is None else self._to_unit(action)


class GuardedMemory(Guarded):
    """The same of a controller with a memory."""

    def reset(self, mask: np.ndarray) -> None:
        """Passes on where episodes begin."""
        assert isinstance(self.controller, Remembers)
        self.controller.reset(mask)


def guarded(
    controller: Controller,
    size: int,
    to_unit: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Guarded:
    """The controller guarded; see ``Guarded``."""
    kind = GuardedMemory if isinstance(controller, Remembers) else Guarded
    return kind(controller, size, to_unit)


def call_guarded(controller: Answering, observation: Observation) -> np.ndarray:
    """The controller's actions, from an observation that it cannot write into.

    Raises:
        ControllerError: if it tries to.
    """
    try:
        return action_of(controller(read_only(observation)))
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        raise ControllerError(
            "the controller writes into the observation, which the learner sees too: "
            "let it work on a copy, observation.copy()"
        ) from error
