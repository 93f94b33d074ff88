"""A cache of a policy: the stored action of the nearest state (paper, V-B.5 and appendix A.5).

It turns a slow policy, such as a planner, into a fast controller.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.filesize import decimal

from rpl.errors import Failure, whole_file
from rpl.observations import DESIRED_GOAL, OBSERVATION
from rpl.replay.episodes import Episodes

if TYPE_CHECKING:
    from scipy.spatial import KDTree

Observation = np.ndarray | Mapping[str, np.ndarray]
PACKAGED = Path(__file__).parent / "data" / "pets_pusher.npz"
PARTS = ("observation", "desired_goal", "action")
LARGEST = 2**31  # bytes


class CacheError(Failure, ValueError):
    """A cache cannot be made or used as asked; the message says why."""


@dataclass(frozen=True)
class Cache:
    """States that a policy visited and what it did there: a controller that does it again.

    In the nearest of them, by the Euclidean distance of raw observations, as in the paper, and
    goals, which changes nothing where the goal is always the same.
    """

    observation: np.ndarray
    """(n, observation_dim)"""
    desired_goal: np.ndarray
    """(n, goal_dim); of width 0 on tasks without goals"""
    action: np.ndarray
    """(n, action_dim), in [-1, 1]"""
    provenance: dict[str, object] = field(default_factory=dict)
    """Where it comes from, as JSON can hold it: command, configuration, seed, versions, commit,
    and ``charged_steps``, the environment steps that were spent on it."""

    def __post_init__(self) -> None:
        parts = {name: getattr(self, name) for name in PARTS}
        if any(part.dtype.kind not in "fiu" for part in parts.values()):
            raise CacheError("a cache must hold numbers")
        if not isinstance(self.provenance, dict):
            raise CacheError("a cache's provenance is a JSON object")
        if any(part.ndim != 2 or len(part) != len(self.action) for part in parts.values()):
            shapes = ", ".join(f"{name} {part.shape}" for name, part in parts.items())
            raise CacheError(f"arrays must be (n, dim) with the same n, not {shapes}")
        if len(self.observation) == 0:
            raise CacheError("a cache needs at least one state")
        if not all(np.isfinite(part).all() for part in parts.values()):
            raise CacheError("a cache must hold finite numbers only")

    def __len__(self) -> int:
        return len(self.observation)

    def first(self, states: int | None) -> Cache:
        """The cache of its first states; None for all.

        Raises:
            CacheError: if it has fewer.
        """
        if states is not None and not 1 <= states <= len(self):
            raise CacheError(f"states must be in 1 .. {len(self)}, not {states}")
        return replace(self, **{name: getattr(self, name)[:states] for name in PARTS})

    @cached_property
    def tree(self) -> KDTree:
        """The index of states, of observation_dim + goal_dim numbers, built when it is needed."""
        from scipy.spatial import KDTree  # slow to import

        return KDTree(np.concatenate([self.observation, self.desired_goal], axis=1))

    def __call__(self, observation: Observation) -> np.ndarray:
        """Actions (num_envs, action_dim) for the task's batched observation.

        Raises:
            CacheError: if observation and goal are not as wide as those of the cache.
        """
        parts = observation if isinstance(observation, Mapping) else {OBSERVATION: observation}
        shown = [parts[name] for name in (OBSERVATION, DESIRED_GOAL) if name in parts]
        # Nobody uses the action of an environment that diverged.
        seen = np.nan_to_num(np.concatenate(shown, axis=1))
        if seen.shape[1] != self.tree.m:
            raise CacheError(
                f"the cache has states of {self.tree.m} numbers and the task of {seen.shape[1]}: "
                "it was made from another task"
            )
        _, nearest = self.tree.query(seen)
        return self.action[nearest]

    @property
    def checksum(self) -> str:
        """SHA-256 of all that it holds."""
        parts = {name: np.ascontiguousarray(getattr(self, name)) for name in PARTS}
        about = {name: (part.dtype.str, part.shape) for name, part in parts.items()}
        said = json.dumps([about, self.provenance], sort_keys=True).encode()
        return hashlib.sha256(b"".join([said, *(p.tobytes() for p in parts.values())])).hexdigest()

    def save(self, path: Path) -> None:
        """Writes an ``.npz`` file of arrays, with the provenance as a JSON text, and a checksum.

        Raises:
            CannotWrite: if it cannot be; an older file stays.
        """
        with whole_file(path) as beside, open(beside, "wb") as file:
            np.savez_compressed(
                file,
                **{name: getattr(self, name) for name in PARTS},
                provenance=np.array(json.dumps(self.provenance)),
                checksum=np.array(self.checksum),
            )

    @staticmethod
    def load(path: Path) -> Cache:
        """Reads a file that ``save`` wrote; nothing in it is executed.

        Raises:
            CacheError: if there is no such file, or it is not what was saved.
        """
        if not path.exists():
            raise CacheError(f"there is no cache {path}; `rpl cache` makes one")
        try:
            return _read(path)
        except Exception as error:  # there is nothing that bytes cannot do to a reader of archives
            reason = str(error) or type(error).__name__
            raise CacheError(f"{path} is not a cache, or damaged: {reason}") from error


def _read(path: Path) -> Cache:
    """The cache in a file, whatever goes wrong."""
    if not path.is_file():
        raise CacheError("it is no file")
    with zipfile.ZipFile(path) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    if size > LARGEST:
        raise CacheError(f"it would take {decimal(size)} of memory")
    with np.load(path, allow_pickle=False) as file:
        parts = {name: file[name] for name in PARTS}
        cache = Cache(**parts, provenance=json.loads(str(file["provenance"])))
        # Those of earlier versions have none; the archive itself sums each array too.
        if "checksum" in file and str(file["checksum"]) != cache.checksum:
            raise CacheError("its checksum is another")
    return cache


def from_episodes(
    episodes: Episodes,
    count: int,
    generator: np.random.Generator,
    provenance: Mapping[str, object] | None = None,
) -> Cache:
    """A cache of ``count`` steps of a policy's own episodes, drawn without replacement.

    In random order, so that the first m states are a cache of size m in their own right.
    Raises:
        CacheError: if the episodes have fewer steps.
    """
    if not 1 <= count <= episodes.steps:
        raise CacheError(
            f"cannot take {count} states from the {episodes.steps} steps of {len(episodes)} "
            "episodes: ask for fewer states, or more episodes"
        )
    episode, t = np.nonzero(episodes.taken)
    chosen = generator.permutation(len(t))[:count]
    at, seen = (episode[chosen], t[chosen]), episodes.observation
    goal = seen.get(DESIRED_GOAL, np.zeros((*seen[OBSERVATION].shape[:2], 0), np.float32))
    origin = dict(provenance or {})
    return Cache(seen[OBSERVATION][at], goal[at], episodes.action[at], origin)


@dataclass(frozen=True)
class CachedPolicy:
    """A controller read from a cache that `rpl cache` saved."""

    path: str | None
    """The cache, an .npz file; None for the one in the package."""
    states: int | None = None
    """How many of its states to use; None for all."""

    @cached_property
    def cache(self) -> Cache:
        """The cache, read when it is first needed."""
        return Cache.load(PACKAGED if self.path is None else Path(self.path)).first(self.states)

    @property
    def charged_steps(self) -> int:
        """Environment steps that were spent on the cache."""
        charged: object = self.cache.provenance.get("charged_steps", 0)
        if not isinstance(charged, int):
            raise CacheError(f"{self.path} is damaged: its charged_steps are {charged!r}")
        return charged

    def __call__(self, observation: Observation) -> np.ndarray:
        """Actions (num_envs, action_dim), those of the nearest states."""
        return self.cache(observation)


@dataclass(frozen=True)
class CachedPETS(CachedPolicy):
    """MBRLPusher's controller: 500 states of PETS, in the package (paper, V-B.5)."""

    path: str | None = None
    """Another cache, an .npz file; None for the one in the package."""
