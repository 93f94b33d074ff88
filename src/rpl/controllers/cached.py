"""A cache of a policy: the stored action of the nearest state (paper, V-B.5 and appendix A.5).

It turns a slow policy, such as a planner, into a fast controller.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial import KDTree

from rpl.rollout import Episodes


class CacheError(ValueError):
    """A cache cannot be made or used as asked; the message says why."""


@dataclass(frozen=True)
class Cache:
    """States that a policy visited and what it did there."""

    observation: np.ndarray
    """(n, observation_dim)"""
    action: np.ndarray
    """(n, action_dim), in [-1, 1]"""
    provenance: dict[str, Any] = field(default_factory=dict)
    """Where it comes from, as JSON can hold it: command, configuration, seed, versions, commit."""

    def __post_init__(self) -> None:
        shapes = self.observation.shape, self.action.shape
        if [len(shape) for shape in shapes] != [2, 2] or shapes[0][0] != shapes[1][0]:
            raise CacheError(
                f"observations {shapes[0]} and actions {shapes[1]} must be (n, dim) with the same n"
            )
        if len(self.observation) == 0:
            raise CacheError("a cache needs at least one state")
        if not (np.isfinite(self.observation).all() and np.isfinite(self.action).all()):
            raise CacheError("a cache must hold finite numbers only")

    def __len__(self) -> int:
        return len(self.observation)

    def save(self, path: Path) -> None:
        """Writes an ``.npz`` file of arrays, with the provenance as a JSON text."""
        with open(path, "wb") as file:
            np.savez_compressed(
                file,
                observation=self.observation,
                action=self.action,
                provenance=np.array(json.dumps(self.provenance)),
            )

    @staticmethod
    def load(path: Path) -> Cache:
        """Reads a file that :meth:`save` wrote; nothing in it is executed.

        Raises:
            CacheError: if it is not such a file.
            FileNotFoundError: if there is none.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                return Cache(
                    file["observation"], file["action"], json.loads(str(file["provenance"]))
                )
        except FileNotFoundError:
            raise
        except (KeyError, TypeError, AttributeError, ValueError, OSError) as error:
            raise CacheError(f"{path} is not a cache: {error}") from error


def from_episodes(
    episodes: Episodes,
    count: int,
    generator: np.random.Generator,
    provenance: Mapping[str, Any] | None = None,
) -> Cache:
    """A cache of ``count`` steps of a policy's own episodes, drawn without replacement.

    In random order, so that the first m states are a cache of size m in their own right.
    Actions are those that the episodes hold: of a task itself, not of a Residual, where
    they would be residuals.

    Raises:
        CacheError: if the episodes have fewer steps.
    """
    if not 1 <= count <= episodes.steps:
        raise CacheError(f"cannot take {count} states from {episodes.steps} steps")
    taken = np.arange(episodes.action.shape[1]) < episodes.length[:, None]
    episode, t = np.nonzero(taken)
    chosen = generator.permutation(len(t))[:count]
    at = episode[chosen], t[chosen]
    return Cache(episodes.observation[at], episodes.action[at], dict(provenance or {}))


@dataclass(frozen=True)
class NearestNeighbour:
    """A controller that does what was done in the nearest state of a cache.

    Nearest by the Euclidean distance of the raw observations, as in the paper; goals are
    not looked at, so that it serves tasks whose goal is fixed or part of the observation.
    """

    cache: Cache
    states: int | None = None
    """How many of the cache's states to use; None for all."""

    def __post_init__(self) -> None:
        if self.states is not None and not 1 <= self.states <= len(self.cache):
            raise CacheError(f"states must be in 1 .. {len(self.cache)}, not {self.states}")

    @cached_property
    def tree(self) -> KDTree:
        """The index, built when it is first needed."""
        return KDTree(self.cache.observation[: self.states])

    def __call__(self, observation: Any) -> np.ndarray:
        """Actions (num_envs, action_dim) for observations (num_envs, observation_dim)."""
        seen = observation["observation"] if isinstance(observation, Mapping) else observation
        _, nearest = self.tree.query(seen)
        return self.cache.action[nearest]
