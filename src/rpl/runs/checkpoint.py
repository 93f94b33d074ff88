"""Checkpoints read back: what was learned, and where the run stood."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

import equinox as eqx

from rpl.errors import RunError
from rpl.training.progress import Progress

State = TypeVar("State")


def has_checkpoint(path: Path) -> bool:
    """Whether the run has got as far as a checkpoint."""
    return (path / "checkpoint" / "last.eqx").exists()


def load_checkpoint(
    path: Path, like: State, name: str = "last", kind: type = Progress
) -> tuple[State, Any]:
    """A checkpoint, ``last`` or ``best``: what was learned, and where the run stood.

    Args:
        path: the run folder.
        like: a learner of the same shapes.
        name: which checkpoint.
        kind: the dataclass of the run's progress.

    Raises:
        RunError: if it is missing or cannot be read.
    """
    file_path = path / "checkpoint" / f"{name}.eqx"
    try:
        with open(file_path, "rb") as file:
            stood = kind(**json.loads(file.readline()))
            return eqx.tree_deserialise_leaves(file, like), stood
    except FileNotFoundError as error:
        if not file_path.parent.is_dir():
            raise RunError(
                f"{path} holds no policy, only its numbers; the command in its config.json makes it"
            ) from error
        raise RunError(f"{path} has no checkpoint '{name}' yet") from error
    except (ValueError, TypeError, RuntimeError, EOFError) as error:
        raise RunError(f"{file_path} cannot be read: {error}") from error


def steps_of(checkpoint: Path) -> int:
    """Environment steps of a run at its checkpoint."""
    with open(checkpoint, "rb") as file:
        return json.loads(file.readline())["environment_steps"]
