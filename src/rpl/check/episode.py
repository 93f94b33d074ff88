"""One episode of one environment, with everything that it returned."""

from __future__ import annotations

import copy
import math
import time
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import gymnasium
import numpy as np

from rpl.observations import Info, in_form
from rpl.tasks.gym.task import Observation

# Sums of the same numbers in another order, as some geometry libraries make them.
ROUNDING = 1e-9


@dataclass
class Episode:
    """An episode of n steps as the environment returned it, copied at once."""

    observations: list[Observation]
    """n + 1 of them"""
    rewards: list[float] = field(default_factory=list)
    infos: list[Info] = field(default_factory=list)
    terminated: bool = False
    truncated: bool = False
    overwritten: bool = False
    """A later step changed an observation that had been returned."""
    action_written: bool = False
    """A step changed the action it was given."""


def run_episode(
    env: gymnasium.Env, seed: int, actions: np.ndarray, seconds: float = math.inf
) -> Episode:
    """Plays (n, action_dim) actions until the episode, they or the time end.

    Raises:
        TypeError: if reset or step return something else than Gymnasium's tuples.
    """
    observation, _ = _tuple(env.reset(seed=seed), 2, "reset() must return (observation, info)")
    observation = in_form(observation, env.observation_space)
    episode = Episode([copy.deepcopy(observation)])
    started = time.monotonic()
    for action in actions:
        given = action.copy()
        names = "(observation, reward, terminated, truncated, info)"
        returned = _tuple(env.step(given), 5, f"step() must return {names}")
        episode.action_written |= not np.array_equal(given, action)
        episode.overwritten |= not alike(observation, episode.observations[-1])
        observation, reward, episode.terminated, episode.truncated, info = returned
        observation = in_form(observation, env.observation_space)
        episode.observations.append(copy.deepcopy(observation))
        episode.rewards.append(copy.deepcopy(reward))
        episode.infos.append(copy.deepcopy(info))
        late = time.monotonic() - started > seconds
        if episode.terminated or episode.truncated or late:
            break
    return episode


def _tuple(returned: object, size: int, sentence: str) -> tuple[Any, ...]:
    if not isinstance(returned, tuple):
        raise TypeError(f"{sentence}, not {type(returned).__name__}")
    if len(returned) != size:
        raise TypeError(f"{sentence}, not {len(returned)} values")
    return returned


def same(one: Episode, other: Episode) -> str | None:
    """None if two episodes are the same but for rounding, else what differs first, in words."""
    pairs = zip(one.observations, other.observations, strict=False)
    for t, (a, b) in enumerate(pairs):
        if not alike(a, b, ROUNDING):
            return f"observation at step {t}"
        if t > 0 and not alike(one.rewards[t - 1], other.rewards[t - 1], ROUNDING):
            return f"reward at step {t}"
    if len(one.rewards) != len(other.rewards):
        return f"end after {len(other.rewards)} steps, not {len(one.rewards)},"
    return None


def alike(a: Observation, b: Observation, rounding: float = 0.0) -> bool:
    """Whether two observations are equal, number for number, up to a share of the numbers."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(alike(a[k], b[k], rounding) for k in a)
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(partial(alike, rounding=rounding), a, b))
    a, b = np.asarray(a), np.asarray(b)
    if not a.dtype.kind == b.dtype.kind == "f":
        return np.array_equal(a, b)
    if a.shape != b.shape:
        return False
    return np.allclose(a, b, rtol=rounding, atol=rounding, equal_nan=True)
