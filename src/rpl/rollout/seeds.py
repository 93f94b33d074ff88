"""Seeds of episodes: those of training and of evaluation never meet."""

from __future__ import annotations

import numpy as np

from rpl.errors import check_settings


def training_seeds(run_seed: int, first: int, count: int) -> list[int]:
    """Seeds of a run's training episodes ``first`` .. ``first + count``; always even."""
    return _seeds(run_seed, first, count, odd=0)


def evaluation_seeds(seed: int, count: int) -> list[int]:
    """Seeds of evaluation episodes; always odd, so never among any run's training seeds."""
    return _seeds(seed, 0, count, odd=1)


VERDICT_STARTS_AT = 1_000_000
"""Further evaluation episodes than anybody asks for."""


def verdict_seeds(seed: int, count: int) -> list[int]:
    """Seeds of the episodes that judge a run's best policy: none that chose it is among them."""
    return _seeds(seed, VERDICT_STARTS_AT, count, odd=1)


def _seeds(seed: int, first: int, count: int, odd: int) -> list[int]:
    check_settings({"--seed": seed}, lambda value: value >= 0, "at least 0")
    return [
        2 * (int(np.random.SeedSequence((seed, odd, i)).generate_state(1, np.uint64)[0]) >> 2) + odd
        for i in range(first, first + count)
    ]
