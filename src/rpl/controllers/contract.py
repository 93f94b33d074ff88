"""Who acts: controllers as anybody writes them, and the one protocol behind which all act."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np

from rpl.errors import Failure
from rpl.observations import Observation, rows_finite, size_of

Source = Any
"""A controller in any form that ``rpl.controllers.adapt`` takes, or what makes one."""
Answer = Any
"""What a controller returns, which ``action_of`` reads."""
Answering = Callable[[Observation], Answer]
"""From an observation, of one environment or of a batch, to an answer."""


class Controller(Protocol):
    """Anything that maps a batch of observations to a batch of actions.

    It is called with a dict of (num_envs, dim) arrays, or with one (num_envs, dim) array
    for tasks without goals (of an environment that observes more: all of that), must not write
    into them, and returns (num_envs, action_dim)
    in the action space's units. One with memory also has ``reset(mask)``, called with a
    (num_envs,) bool array where episodes begin.
    """

    def __call__(self, observation: Observation, /) -> np.ndarray: ...


@runtime_checkable
class Remembers(Protocol):
    """A controller with a memory: it is told where episodes begin."""

    def reset(self, mask: np.ndarray, /) -> None: ...


@runtime_checkable
class RemembersOne(Protocol):
    """A controller with the memory of one environment: it is told that an episode begins."""

    def reset(self) -> None: ...


class Policy(Protocol):
    """Whoever acts in a rollout: controllers, learners, planners, policies read back."""

    has_memory: bool
    """Whether what it does depends on more than what it is called with."""

    def reset(self, mask: np.ndarray) -> None:
        """Forgets the episodes of the environments in ``mask``, (num_envs,) bool, which end."""

    def __call__(self, observation: Observation, base_action: np.ndarray | None) -> np.ndarray:
        """Actions (num_envs, action_dim) in [-1, 1].

        Args:
            observation: the task's batched observation.
            base_action: what the base policy would do, (num_envs, action_dim); None without one.
        """
        ...


class ControllerError(Failure, ValueError):
    """A controller broke its contract; the message says how."""


def action_of(returned: Answer) -> np.ndarray:
    """The action in what a controller returned, copied: it may be its own buffer.

    Of a pair such as ``(action, state)`` it is the first, of a mapping the part ``action``. A
    tuple of numbers is an action.

    Raises:
        ControllerError: if it is no real numbers.
    """
    if isinstance(returned, Mapping) and "action" in returned:
        returned = returned["action"]
    if isinstance(returned, tuple) and _begins_with_action(returned):
        returned = returned[0]
    returned = as_array(returned)
    try:
        action = np.array(returned)
        if action.dtype.kind in "fiubO":
            return action.astype(np.float64)
        kind = f"numbers of type {action.dtype}" if action.dtype.kind == "c" else "no numbers"
    except (TypeError, ValueError):
        kind = "no array of numbers"
    raise ControllerError(f"the controller returned {kind} ({returned!r}): return real numbers")


def as_array(returned: Answer) -> Answer:
    """A tensor of PyTorch, with a gradient or on another device, as an array; else as it is."""
    return returned.detach().cpu().numpy() if hasattr(returned, "detach") else returned


def _begins_with_action(returned: tuple[Answer, ...]) -> bool:
    """Whether there is something beside the action: numbers alone are the action itself."""
    if len(returned) < 2:
        return False
    first, second = returned[:2]
    return np.ndim(first) > 0 or second is None or isinstance(second, Mapping)


def stacked(answers: Iterable[Answer]) -> np.ndarray:
    """The actions of several environments, each answered alone, (n, action_dim).

    Raises:
        ControllerError: if they are of different shapes.
    """
    actions = [np.atleast_1d(action_of(answer)) for answer in answers]
    if odd := [action.shape for action in actions if action.shape != actions[0].shape]:
        raise ControllerError(
            f"the controller returned actions of shapes {actions[0].shape} and {odd[0]}: return "
            "(action_dim,) numbers for every observation"
        )
    return np.stack(actions)


def check_shape(action: np.ndarray, shape: tuple[int, ...]) -> None:
    """Refuses actions that are not of (num_envs, action_dim): NumPy would make many of one.

    Raises:
        ControllerError: with both shapes.
    """
    if action.shape != shape:
        raise ControllerError(
            f"the controller returned shape {action.shape}, expected {shape} (num_envs, "
            "action_dim); rpl.per_env lifts a function of a single observation"
        )


def controller_action(
    controller: Controller, observation: Observation, shape: tuple[int, ...], clip: bool
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
    action = action_of(controller(observation))
    check_shape(action, shape)
    finite = rows_finite(action)
    if not finite.all():
        broken = rows_finite(observation) & ~finite
        if broken.any():
            row = int(np.argmax(broken))
            raise ControllerError(
                f"the controller returned {action[row]} for environment {row}, whose observation "
                "is finite; return finite actions"
            )
        action = np.where(finite[:, np.newaxis], action, 0.0)
    return np.clip(action, -1.0, 1.0) if clip else action


class ControllerPolicy:
    """A controller as a ``Policy``, held to its contract.

    Args:
        controller: any.
        action_size: numbers of an action.
        clip: clip its actions to [-1, 1], so that a controller far beyond the bounds cannot hide
            what is added to it.
    """

    def __init__(self, controller: Controller, action_size: int, clip: bool = True) -> None:
        self.controller = controller
        self.clip = clip
        self.has_memory = isinstance(controller, Remembers)
        self._action_size = action_size

    def reset(self, mask: np.ndarray) -> None:
        """Tells the controller where episodes begin, if it has a memory."""
        if isinstance(self.controller, Remembers):
            self.controller.reset(mask)

    def __call__(
        self, observation: Observation, base_action: np.ndarray | None = None
    ) -> np.ndarray:
        """Actions (n, action_dim) float64.

        Raises:
            ControllerError: see ``controller_action``.
        """
        shape = (size_of(observation), self._action_size)
        return controller_action(self.controller, observation, shape, self.clip)
