"""Controllers that plan several actions at once: all of a chunk are executed before the next."""

from __future__ import annotations

import numpy as np

from rpl.controllers.contract import Answering, ControllerError, Source, action_of
from rpl.observations import Observation, size_of


class Chunks:
    """Plays the chunks of a controller of one observation or of a batch.

    Args:
        act: from a batch of n observations to chunks of k actions, (n, k, action_dim).
        controller: which is told where episodes begin, if it wants to be told.
    """

    def __init__(self, act: Answering, controller: Source = None) -> None:
        self._act, self._controller = act, controller
        self._chunks: list[list[np.ndarray]] = []

    def __call__(self, observation: Observation) -> np.ndarray:
        """The next action of each environment, (n, action_dim)."""
        count = size_of(observation)
        if len(self._chunks) != count:
            self._chunks = [[] for _ in range(count)]
        if not all(self._chunks):
            planned = _checked(action_of(self._act(observation)))
            self._chunks = [
                old or list(new) for old, new in zip(self._chunks, planned, strict=True)
            ]
        return np.stack([chunk.pop(0) for chunk in self._chunks])

    def reset(self, mask: np.ndarray) -> None:
        """Forgets what was planned for the environments in ``mask``, (num_envs,) bool."""
        if len(self._chunks) != len(mask):
            self._chunks = [[] for _ in mask]
        for i in np.flatnonzero(mask):
            self._chunks[i] = []
        if hasattr(self._controller, "reset"):
            self._controller.reset(mask)


class ChunksOfOne:
    """The same of a controller of one observation: (k, action_dim) in every k-th step."""

    def __init__(self, act: Answering) -> None:
        self._act = act
        self._chunk: list[np.ndarray] = []

    def __call__(self, observation: Observation) -> np.ndarray:
        """The next action, (action_dim,)."""
        if not self._chunk:
            self._chunk = list(_checked(action_of(self._act(observation))))
        return self._chunk.pop(0)

    def reset(self) -> None:
        """An episode begins."""
        self._chunk = []
        reset = getattr(self._act, "reset", None)
        if reset is not None:
            reset()


def _checked(planned: np.ndarray) -> np.ndarray:
    """Chunks of one environment, (k, action_dim), or of several, (n, k, action_dim).

    Raises:
        ControllerError: if there is nothing in them.
    """
    if planned.ndim < 2 or 0 in planned.shape:
        raise ControllerError(
            f"the controller planned chunks before, and now returned shape {planned.shape}: "
            "return one action or more, (k, action_dim)"
        )
    return planned
