"""Controllers of one environment, as one of many."""

from __future__ import annotations

import numpy as np

from rpl.controllers.contract import (
    Answer,
    Answering,
    Controller,
    ControllerError,
    RemembersOne,
    Source,
    action_of,
    stacked,
)
from rpl.controllers.forms import answer_of
from rpl.controllers.resets import ByMask, OfOne, reset_kind, reset_of
from rpl.observations import Observation, batch_of_one, rows


def per_env(function: Answering) -> Controller:
    """Lifts a function of one environment's observation to a batched controller.

    What it returns is copied, and of a pair ``(action, state)`` the action is taken.

    Raises:
        ControllerError: if it, or the object whose method it is, has a ``reset``: all environments
            would share one memory.
    """
    if reset_of(function) is not None:
        raise ControllerError(
            "rpl.per_env lifts a function, and this has a reset(): write reset(mask), with the "
            "memory of every environment, or give it to rpl.improve, which makes one for each"
        )
    act = answer_of(function)

    def controller(observation: Observation) -> np.ndarray:
        return stacked(act(row) for row in rows(observation))

    return controller


def begun(controller: Source) -> Source:
    """The controller of one environment, told that its episode begins if it wants to be."""
    if isinstance(controller, RemembersOne):
        controller.reset()
    return controller


class PerEnvironment:
    """One controller for each environment, each called with one observation.

    Args:
        controllers: functions of one observation, with ``reset()`` if they have memory.
    """

    def __init__(self, controllers: list[Source]) -> None:
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
        return stacked(act(row) for act, row in pairs)

    def reset(self, mask: np.ndarray) -> None:
        """Resets the controllers with memory of the environments in ``mask``, (num_envs,) bool."""
        for i in np.flatnonzero(mask):
            begun(self.controllers[i])


class AsBatchOfOne:
    """A controller of batches with one memory, as one of an observation."""

    def __init__(self, controller: Source) -> None:
        self._controller = controller

    def __call__(self, observation: Observation) -> np.ndarray:
        """The action, or the chunk of actions, of the only row."""
        return action_of(self._controller(batch_of_one(observation)))[0]

    def reset(self) -> None:
        """An episode begins."""
        begun(self._controller)


class OnlyOne:
    """A controller of batches with one memory, where there is one environment."""

    def __init__(self, act: Answering, controller: Source) -> None:
        self._one = OfOne(act, controller)

    def __call__(self, observation: Observation) -> Answer:
        """As the controller."""
        return self._one(observation)

    def reset(self, mask: np.ndarray) -> None:
        """Its episode begins, if ``mask``, (1,) bool, says so."""
        if mask.any():
            self._one.reset()


def batched(controller: Source, num_envs: int) -> Controller:
    """A controller of batches as ``Controller`` says: it is called, and reset by mask.

    Raises:
        ControllerError: if nothing answers, or it has one memory and there are more environments.
    """
    act, kind = answer_of(controller), reset_kind(controller)
    if kind is None:
        return act
    if kind in ("mask", "ids"):
        return ByMask(act, controller)
    if num_envs > 1:
        raise ControllerError(
            f"its reset() is of the memory of one environment, and there are {num_envs}: write "
            "reset(mask), with the memory of each, or give it to rpl.improve, which makes one for "
            "each"
        )
    return OnlyOne(act, controller)
