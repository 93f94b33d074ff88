"""Which episodes are worth showing: those in which policy and controller differ."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from rich.console import Console

from rpl.cli.evaluate import LARGEST_ROUND, judge
from rpl.rollout.seeds import evaluation_seeds
from rpl.runs.load import Subject

SECONDS = 60.0  # of looking for a contrast
ROUND = 20  # episodes that are looked at between two looks at the clock


class Contrast(NamedTuple):
    """Episodes to show, and what they stand for."""

    seeds: list[int]
    remark: str | None
    """How often the policy was better and worse, for whoever sees the pictures alone."""


def contrasting(
    load: Callable[[int], Subject],
    seed: int,
    count: int,
    looked_at: int = LARGEST_ROUND,
    seconds: float = SECONDS,
) -> Contrast:
    """Episodes, those first in which the policy does most better than the controller.

    Args:
        load: the subject with so many simulations at once.
        seed: chooses the episodes that are looked at.
        count: how many to return.
        looked_at: how many to choose from, or ``count`` if that is more.
        seconds: how long to look, though at ``count`` episodes at least.
    """
    seeds = evaluation_seeds(seed, max(looked_at, count))
    subject = load(max(min(ROUND, len(seeds)), 1))
    if subject.policy is None:
        return Contrast(seeds[:count], None)
    console = Console(stderr=True)
    if subject.remark:
        console.print(subject.remark, soft_wrap=True)
    gains, started = np.zeros(0), time.monotonic()
    while len(gains) < len(seeds):
        gains = np.append(gains, _gains(subject, seeds[len(gains) : len(gains) + ROUND]))
        if time.monotonic() - started > seconds and len(gains) >= count:
            break
    better, worse = int((gains > 0).sum()), int((gains < 0).sum())
    by_success = subject.problem.metric == "success"
    said = (
        f"of {len(gains)} episodes the policy solves {better} that the controller fails, "
        f"and fails {worse} that the controller solves"
        if by_success
        else f"of {len(gains)} episodes the policy earns more in {better}, less in {worse}"
    )
    console.print(said, highlight=False, soft_wrap=True)
    chosen = [seeds[i] for i in np.argsort(-gains, kind="stable")[:count]]
    return Contrast(chosen, f"{said}; shown first: where it gains most")


def _gains(subject: Subject, seeds: list[int]) -> np.ndarray:
    """What the policy gains on the controller in each episode."""
    controller, policy = judge(subject, seeds)
    assert policy is not None
    metric = subject.problem.metric
    return policy.measured(metric) - controller.measured(metric)
