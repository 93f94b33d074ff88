"""Controllers of one environment, as one of many."""

from __future__ import annotations

import numpy as np

from rpl.controllers.contract import ControllerError, Remembers, Source, action_of
from rpl.observations import Observation, batch_of_one, rows


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
        return np.stack([np.atleast_1d(action_of(act(row))) for act, row in pairs])

    def reset(self, mask: np.ndarray) -> None:
        """Resets the controllers with memory of the environments in ``mask``, (num_envs,) bool."""
        for i in np.flatnonzero(mask):
            if isinstance(self.controllers[i], Remembers):
                self.controllers[i].reset()


class AsBatchOfOne:
    """A controller of batches with one memory, as one of an observation."""

    def __init__(self, controller: Source) -> None:
        self._controller = controller

    def __call__(self, observation: Observation) -> np.ndarray:
        """The action, or the chunk of actions, of the only row."""
        return action_of(self._controller(batch_of_one(observation)))[0]

    def reset(self) -> None:
        """An episode begins."""
        self._controller.reset()
