"""Rows of a benchmark, contenders that take turns, and processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from rpl.tasks.fetch.options import Physics

ROOT = Path(__file__).parents[2]
REPEATS = 3
HORIZON = 50
PUBLISHED = {"push": "FetchPush-v4", "pick-and-place": "FetchPickAndPlace-v4"}
PEER_BARS: dict[Physics, float] = {"exact": 1.7, "lean": 3.0}

Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True)
class Row:
    """One measured number."""

    section: str
    what: str
    rate: float | None
    """In ``unit``; None if it could not be measured here."""
    unit: str
    ratio: float | None = None
    """This rate over that of ``against``."""
    against: str = ""
    bar: float | None = None
    """The least ratio asked for."""
    note: str = ""

    @property
    def passed(self) -> bool | None:
        """Whether the ratio reaches the bar; None where there is nothing to judge."""
        return None if self.bar is None or self.ratio is None else self.ratio >= self.bar


def best_rates(
    contenders: Mapping[Name, Callable[[], float]], repeats: int = REPEATS
) -> dict[Name, float]:
    """Each contender's best rate, with the contenders taking turns."""
    best = dict.fromkeys(contenders, 0.0)
    for _ in range(repeats):
        for name, measure in contenders.items():
            best[name] = max(best[name], measure())
    return best


def random_actions(simulations: int) -> np.ndarray:
    """(simulations, T, 4) float32 in [-1, 1], the same in every run."""
    shape = (simulations, HORIZON, 4)
    return np.random.default_rng(0).uniform(-1.0, 1.0, shape).astype(np.float32)


def in_new_process(measure: str, *arguments: str, **environment: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.speed", measure, *arguments]
    done = subprocess.run(
        command, env=os.environ | environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"`{' '.join(command[1:])}` failed: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout.splitlines()[-1])


def use_cores(count: int) -> int:
    """Restricts this process to ``count`` cores where the system can; returns how many it has."""
    if not hasattr(os, "sched_setaffinity"):
        return min(count, os.cpu_count() or 1)
    cores = sorted(os.sched_getaffinity(0))[-count:]
    os.sched_setaffinity(0, cores)
    return len(cores)
