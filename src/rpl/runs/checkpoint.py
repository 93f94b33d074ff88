"""Checkpoints read back: what was learned, and where the run stood."""

from __future__ import annotations

import json
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar, cast

import equinox as eqx
import jax.numpy as jnp

from rpl.config import Settings
from rpl.errors import RunError
from rpl.learner import LearnerState
from rpl.learner.normalizer import Normalizer
from rpl.observations import DESIRED_GOAL
from rpl.runs.files import check_format

State = TypeVar("State")


class Stands(Settings, Protocol):
    """Where a run stood: a dataclass of what resuming needs beside what was learned."""

    environment_steps: int
    rows: int
    """Of its metrics.csv."""


Position = TypeVar("Position", bound=Stands)


def has_checkpoint(path: Path) -> bool:
    """Whether the run has got as far as a checkpoint."""
    return (path / "checkpoint" / "last.eqx").exists()


def load_checkpoint(
    path: Path, like: State, kind: type[Position], name: str = "last"
) -> tuple[State, Position]:
    """A checkpoint, ``last`` or ``best``: what was learned, and where the run stood.

    Args:
        path: the run folder.
        like: a learner of the same shapes.
        kind: the dataclass of the run's progress.
        name: which checkpoint.

    Raises:
        RunError: if it is missing, cannot be read, or is of a newer version.
    """
    file_path = path / "checkpoint" / f"{name}.eqx"
    try:
        with open(file_path, "rb") as file:
            stood = json.loads(file.readline())
            found = stood.pop("format", 0)
            check_format(found, file_path)
            if found == 0 and isinstance(like, LearnerState):
                return cast(State, _of_format_0(file, like)), kind(**stood)
            return eqx.tree_deserialise_leaves(file, like), kind(**stood)
    except FileNotFoundError as error:
        if not file_path.parent.is_dir():
            raise RunError(
                f"{path} holds no policy, only its numbers; the command in its config.json makes it"
            ) from error
        raise RunError(f"{path} has no checkpoint '{name}' yet") from error
    except (ValueError, TypeError, RuntimeError, EOFError) as error:
        raise RunError(f"{file_path} cannot be read: {error}") from error


def _of_format_0(file: BinaryIO, like: LearnerState) -> LearnerState:
    """A learner whose goals had a normaliser of their own, after that of all else."""
    goal = dict(like.sizes).get(DESIRED_GOAL, 0)
    width = sum(size for _, size in like.sizes)
    apart = Normalizer.create(width - goal), Normalizer.create(goal)
    older = eqx.tree_at(lambda s: s.normalizer, like, apart)
    read = eqx.tree_deserialise_leaves(file, older)
    first, second = cast(tuple[Normalizer, Normalizer], read.normalizer)
    together = Normalizer(
        first.count,
        jnp.concatenate([first.mean, second.mean]),
        jnp.concatenate([first.squared_deviation, second.squared_deviation]),
    )
    return eqx.tree_at(lambda s: s.normalizer, read, together)


def format_of(checkpoint: Path) -> int:
    """The format of a checkpoint."""
    with open(checkpoint, "rb") as file:
        return json.loads(file.readline()).get("format", 0)


def steps_of(checkpoint: Path) -> int:
    """Environment steps of a run at its checkpoint."""
    with open(checkpoint, "rb") as file:
        return json.loads(file.readline())["environment_steps"]
