"""Where a run stands."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from rpl.settings import Record


@dataclass
class Progress:
    """Where a run stands; with the learner and the replay, all that resuming needs."""

    cycle: int = 0
    environment_steps: int = 0
    episodes: int = 0
    stored_episodes: int = 0
    epoch: int = 0
    dropped_episodes: int = 0
    wall_seconds: float = 0.0
    rows: int = 0
    burning_in: bool = True
    actor_has_learned: bool | None = None
    """Whether it took a step yet; None in runs that are older than this entry."""
    last_mean_q: float | None = None
    bad_cycles: int = 0
    trust: int = 0
    """Degrees of trust that the policy has earned; see ``rpl.training.trust``."""
    unlearned_cycles: int = 0
    unlearned_episodes: int = 0
    """Collected, but not learned from yet."""
    alone: tuple[float, ...] = ()
    """Success or return of the running epoch's episodes in which the policy acted alone."""
    stands_below: bool = False
    """Whether it did worse in them than its controller when last it was judged."""
    best_success: float = -1.0
    best_return: float = -np.inf
    finished: bool = False
    verdict: Record | None = None
    """What the run has come to; see ``rpl.training.verdict``."""
    epoch_sums: dict[str, tuple[float, int]] = field(default_factory=dict)
    epoch_cycles: int = 0
    epoch_steps: int = 0
    epoch_seconds: float = 0.0

    @property
    def is_untrained(self) -> bool:
        """Whether the actor is still as it began."""
        if self.actor_has_learned is None:
            return self.environment_steps == 0 or self.burning_in
        return not self.actor_has_learned

    def add_cycle(self, metrics: dict[str, float], steps: int, seconds: float) -> None:
        """Counts one cycle into the running epoch."""
        for name, value in metrics.items():
            total, count = self.epoch_sums.get(name, (0.0, 0))
            self.epoch_sums[name] = (total + value, count + 1)
        self.epoch_cycles += 1
        self.epoch_steps += steps
        self.epoch_seconds += seconds

    def epoch_means(self) -> dict[str, float]:
        """Means over the cycles of the running epoch that had the metric."""
        return {name: total / count for name, (total, count) in self.epoch_sums.items()}

    def start_epoch(self) -> None:
        """Clears the running epoch."""
        self.epoch_sums, self.epoch_cycles, self.epoch_steps, self.epoch_seconds = {}, 0, 0, 0.0
        self.alone = ()
