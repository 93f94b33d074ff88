"""A replay beside prior data, which were there before the run and stay as they are."""

from __future__ import annotations

from typing import Any

import numpy as np

from rpl.replay.batch import Batch, mapped
from rpl.replay.buffer import Replay
from rpl.replay.hindsight import GoalRules


class MixedReplay(Replay):
    """A replay of which a share of every batch is prior data (RLPD: Ball et al., 2023).

    Only the run's own episodes are counted, kept on disk and restored.

    Args:
        room: see ``Ring``.
        prior: the prior episodes, in memory.
        share: of a batch that is drawn from them, in (0, 1); each batch of two has some of both.
    """

    def __init__(self, *room: Any, prior: Replay, share: float) -> None:
        super().__init__(*room)
        self._prior, self._share = prior, share

    def sample(
        self,
        shape: tuple[int, ...],
        generator: np.random.Generator,
        hindsight: float,
        rules: GoalRules,
        *,
        newest: int | None = None,
        **keywords: Any,
    ) -> Batch[np.ndarray]:
        """Transitions of both, the run's own first; ``newest`` is meant for these alone."""
        *leading, batch = shape
        count = min(max(round(self._share * batch), 1), batch - 1)
        if hindsight > 0.0:  # what either says of ends holds for both
            rules = self._prior.with_ends(self.with_ends(rules))
        how = (generator, hindsight, rules)
        own = super().sample((*leading, batch - count), *how, newest=newest, **keywords)
        if count < 1:
            return own
        prior = self._prior.sample((*leading, count), *how, **keywords)
        return mapped(lambda *parts: np.concatenate(parts, axis=len(leading)), own, prior)
