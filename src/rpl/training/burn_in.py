"""Burn-in: how long only the critic learns (paper, IV-B)."""

from __future__ import annotations

import numpy as np

from rpl.config import BurnInConfig
from rpl.training.progress import Progress


def is_burning_in(config: BurnInConfig, progress: Progress) -> bool:
    """Whether only the critic learns now; once over, burn-in stays over.

    The rules that watch the critic decide at the end of an epoch; see
    ``ends_burn_in``.
    """
    if config.rule == "steps":
        return progress.environment_steps < config.minimum_steps
    return progress.burning_in


def ends_burn_in(config: BurnInConfig, progress: Progress, means: dict[str, float]) -> bool:
    """The end-of-epoch verdict of the rules that watch the critic (paper, IV-B)."""
    if config.rule == "steps" or progress.environment_steps < config.minimum_steps:
        return False
    if config.rule == "critic-loss":
        return means.get("critic_loss", np.inf) < config.threshold
    if progress.last_mean_q is None or "mean_q" not in means:
        return False
    return abs(means["mean_q"] - progress.last_mean_q) < config.threshold


def is_quiet(config: BurnInConfig, progress: Progress) -> bool:
    """Whether this cycle of burn-in runs without exploration; such cycles are spread evenly."""
    share, cycle = config.quiet_share, progress.cycle
    return progress.burning_in and int((cycle + 1) * share) > int(cycle * share)
