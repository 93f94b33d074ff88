"""Policies written down as functions, for tests that collect episodes."""

from collections.abc import Callable
from typing import Any

import numpy as np


class Scripted:
    """Does what ``say(observation, episodes, step)`` says: (num_envs, action_dim).

    ``episodes`` are the positions of the running episodes among the seeds that are collected,
    and ``step`` is the time within them. Of a last, partial round only the first ones count: the
    others are told the position of the last.

    Args:
        say: the function.
        count: how many episodes there are, where it cares.
    """

    has_memory = True

    def __init__(self, say: Callable[[Any, np.ndarray, int], Any], count: int = 1 << 30) -> None:
        self._say, self._last = say, count - 1
        self._next, self._step = 0, 0
        self._episodes = np.zeros(0, int)

    def reset(self, mask: np.ndarray) -> None:
        """The next episodes begin, in all environments."""
        assert mask.dtype == bool
        assert mask.all()
        self._episodes = np.minimum(self._next + np.arange(len(mask)), self._last)
        self._next, self._step = self._next + len(mask), 0

    def __call__(self, observation: Any, base_action: np.ndarray | None) -> np.ndarray:
        """What it says in this step."""
        self._step += 1
        return self._say(observation, self._episodes, self._step - 1)


class Adding:
    """Adds residuals to the base action: clip(b + scale * say(observation, b)).

    ``executed`` and ``base`` keep what it did, and what it was told, step by step.
    """

    has_memory = False

    def __init__(self, say: Callable[[Any, np.ndarray], Any], scale: float = 1.0) -> None:
        self._say, self._scale = say, scale
        self.executed: list[np.ndarray] = []
        self.base: list[np.ndarray] = []

    def reset(self, mask: np.ndarray) -> None: ...

    def __call__(self, observation: Any, base_action: np.ndarray | None) -> np.ndarray:
        """What is executed."""
        assert base_action is not None
        residual = self._say(observation, base_action)
        self.base.append(base_action)
        self.executed.append(np.clip(base_action + self._scale * residual, -1.0, 1.0))
        return self.executed[-1]
