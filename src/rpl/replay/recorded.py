"""Episodes that somebody recorded: what a file holds, held to what an environment is like."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box

from rpl.errors import UnreadableFile
from rpl.observations import Observation, rows_finite

ROUNDING = 1e-3  # of half a range: by how much an action may be beyond its bounds
OBSERVATIONS, ACTIONS, REWARDS = "observations", "actions", "rewards"
BASE_ACTIONS, TERMINATED, SUCCESS = "base_actions", "terminated", "success"
OTHER = "the file was made for another environment"


class UnsuitablePrior(UnreadableFile):
    """A file of episodes that cannot be learned from here; the message names file and field."""


@dataclass(frozen=True)
class Recorded:
    """One episode of T steps, in the environment's own units."""

    observations: Mapping[str, np.ndarray]
    """All that was observed, by the names of its parts in a file, each (T + 1, ...)."""
    actions: np.ndarray
    """(T, action_dim)"""
    rewards: np.ndarray
    """(T,)"""
    terminated: bool
    """Whether it ended by itself rather than by the clock."""
    success: bool | None = None
    """None where nobody said."""
    base_actions: np.ndarray | None = None
    """(T + 1, action_dim): what the base policy would have done; None where nobody asked."""

    def __len__(self) -> int:
        return len(self.rewards)


@dataclass(frozen=True)
class MadeIn:
    """The environment that episodes were recorded in, as far as the file says."""

    id: str | None = None
    """Gymnasium's."""
    kind: str | None = None
    """The name of its class."""
    bounds: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    """The least and the greatest action, as it was used: a wrapper may have rescaled them."""

    @staticmethod
    def of(env: gymnasium.Env | None) -> MadeIn:
        """What is to be said of an environment."""
        if env is None:
            return MadeIn()
        space, bounds = env.action_space, None
        if isinstance(space, Box) and len(space.shape) == 1:
            bounds = tuple(map(float, space.low)), tuple(map(float, space.high))
        name = None if env.spec is None else env.spec.id
        return MadeIn(name, type(env.unwrapped).__qualname__, bounds)

    def contradicts(self, other: MadeIn) -> bool:
        """Whether the two cannot be the same: by their ids, or else by their classes."""
        if self.id and other.id:
            return self.id != other.id
        return bool(self.kind and other.kind and self.kind != other.kind)

    def __str__(self) -> str:
        return self.id or self.kind or "an unnamed environment"


@dataclass(frozen=True)
class Recording:
    """The episodes of one file."""

    name: str
    """As it was given."""
    episodes: list[Recorded]
    made_in: MadeIn
    sha256: str
    """Of all that the file holds."""

    @property
    def steps(self) -> int:
        """Transitions."""
        return sum(map(len, self.episodes))

    @property
    def has_base_actions(self) -> bool:
        """Whether the base actions of all episodes are there."""
        return all(episode.base_actions is not None for episode in self.episodes)


def check_recording(
    recording: Recording, space: gymnasium.Space, actions: Box, here: MadeIn
) -> None:
    """Refuses episodes that cannot have happened in an environment.

    Args:
        recording: what a file holds.
        space: of the environment's observations.
        actions: its action space.
        here: which environment it is.

    Raises:
        UnsuitablePrior: naming the file, the field and the first episode that is wrong.
    """
    if not recording.episodes:
        raise UnsuitablePrior(f"{recording.name} holds no episode: record some, or leave it out")
    if recording.made_in.contradicts(here):
        raise UnsuitablePrior(
            f"{recording.name} was recorded in {recording.made_in}, and this is {here}: give a "
            "file of the same environment"
        )
    bounds = recording.made_in.bounds
    if bounds is not None and not np.array_equal(bounds, (actions.low, actions.high)):
        raise UnsuitablePrior(
            f"{recording.name} was recorded with actions from {bounds[0]} to {bounds[1]}, and here "
            f"they are from {actions.low} to {actions.high}: give EpisodeLog the environment that "
            "the actions are executed in, without RescaleAction"
        )
    for i, episode in enumerate(recording.episodes):
        try:
            _check_observations(episode, space)
            _check_numbers(REWARDS, episode.rewards, (len(episode),))
            for name, taken, count in (
                (ACTIONS, episode.actions, len(episode)),
                (BASE_ACTIONS, episode.base_actions, len(episode) + 1),
            ):
                if taken is not None:
                    _check_numbers(name, taken, (count, *(actions.shape or ())))
            _check_bounds(episode.actions, actions)
        except ValueError as error:
            raise UnsuitablePrior(f"{recording.name}: episode {i}: {error}") from error


def _check_numbers(name: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise ValueError(f"{name} have shape {array.shape}, and here they have {shape}: {OTHER}")
    wrong = ~rows_finite(array)
    if wrong.any():
        step = int(np.argmax(wrong))
        raise ValueError(f"{name} are not finite at step {step} ({array[step]}): leave it out")


def _check_bounds(actions: np.ndarray, space: Box) -> None:
    low, high = space.low.astype(np.float64), space.high.astype(np.float64)
    slack = ROUNDING * (high - low) / 2.0
    beyond = ((actions < low - slack) | (actions > high + slack)).any(axis=1)
    if beyond.any():
        step = int(np.argmax(beyond))
        raise ValueError(
            f"{ACTIONS} at step {step} are {actions[step]}, beyond the bounds {low} to {high}: "
            f"they have to be in the environment's units, or {OTHER}"
        )


def _check_observations(episode: Recorded, space: gymnasium.Space) -> None:
    """Shapes, finite numbers and bounds of every part, in the order of the space."""
    for name, leaf in leaves(space):
        if name not in episode.observations:
            known = ", ".join(episode.observations)
            raise ValueError(f"there is no {name}, only {known}: {OTHER}")
        part = episode.observations[name]
        _check_numbers(name, part, (len(episode) + 1, *(leaf.shape or ())))
        if isinstance(leaf, Box):
            _check_within(name, part, leaf)


def _check_within(name: str, part: np.ndarray, space: Box) -> None:
    """Observations within their bounds, or a range away: environments leave theirs a little.

    Numbers whose bounds are equal may be anything: Meta-World's goals are such.
    """
    low, high = space.low.astype(np.float64), space.high.astype(np.float64)
    with np.errstate(over="ignore"):
        room = high - low if space.dtype.kind == "f" else np.zeros_like(low)
    room = np.where(low == high, np.inf, room)
    beyond = (part < low - room) | (part > high + room)
    if beyond.any():
        step = int(np.argmax(beyond.reshape(len(part), -1).any(axis=1)))
        raise ValueError(f"{name} at step {step} are far beyond the space {space}: {OTHER}")


def leaves(
    space: gymnasium.Space, name: str = OBSERVATIONS
) -> Iterator[tuple[str, gymnasium.Space]]:
    """The parts of a space that have no parts, by their names in a file."""
    for key, part in _inside(space):
        yield from leaves(part, f"{name}/{key}")
    if not hasattr(space, "spaces"):
        yield name, space


def flat(observation: Observation, name: str = OBSERVATIONS) -> dict[str, Observation]:
    """The arrays of an observation by their names in a file, joined with slashes."""
    if isinstance(observation, Mapping):
        parts: Iterable[tuple[object, Observation]] = observation.items()
    elif isinstance(observation, tuple):
        parts = enumerate(observation)
    else:
        return {name: observation}
    return {path: leaf for key, part in parts for path, leaf in flat(part, f"{name}/{key}").items()}


def nested(
    parts: Mapping[str, np.ndarray], space: gymnasium.Space, name: str = OBSERVATIONS
) -> Observation:
    """Arrays by their names in a file as an observation of a space."""
    if not hasattr(space, "spaces"):
        return parts[name]
    inside = {key: nested(parts, part, f"{name}/{key}") for key, part in _inside(space)}
    return inside if isinstance(space, gymnasium.spaces.Dict) else tuple(inside.values())


def _inside(space: gymnasium.Space) -> list[tuple[Any, gymnasium.Space]]:
    """The parts of a space with their keys."""
    spaces: Any = getattr(space, "spaces", ())
    return list(spaces.items() if isinstance(spaces, Mapping) else enumerate(spaces))


def checksum(paths: Sequence[Path]) -> str:
    """SHA-256 of the bytes of some files, in their order."""
    whole = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()
