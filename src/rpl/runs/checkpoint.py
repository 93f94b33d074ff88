"""Checkpoints: what was learned, and where the run stood; packed, and read back.

A file is a line of JSON and then arrays. The line says the format, where the run stood, and
under ``checkpoint`` what there is to say of the file itself: a SHA-256 of the arrays and of all
else in the line. Formats 0 and 1 had no such entry. What the arrays are is the learner's affair.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar, cast

import equinox as eqx

from rpl.errors import RunError
from rpl.learner import LearnerState
from rpl.runs.files import FORMAT, check_format, settings_crc
from rpl.runs.older import of_format_0, with_degrees
from rpl.runs.settings import read_back
from rpl.settings import Record, Settings

State = TypeVar("State")
ABOUT, CHECKSUM = "checkpoint", "sha256"
LONGEST_LINE = 2**20  # bytes


class Stands(Settings, Protocol):
    """Where a run stood: a dataclass of what resuming needs beside what was learned."""

    environment_steps: int
    rows: int
    """Of its metrics.csv."""


Position = TypeVar("Position", bound=Stands)


@dataclass(frozen=True)
class Stored:
    """A checkpoint file, whose checksum was right where it has one."""

    format: int
    progress: Record
    """Where the run stood."""
    arrays: bytes
    is_best: bool = False
    """Whether no earlier policy of the run was better: then it is the run's best too."""
    rows_crc: int | None = None
    """CRC-32 of metrics.csv up to the row that it stands at; None in older files."""
    settings_crc: int | None = None
    """``rpl.runs.files.settings_crc`` of its run; None in older files."""


def packed(
    state: object,
    progress: Settings,
    *,
    is_best: bool,
    rows_crc: int,
    settings_crc: int | None,
) -> bytes:
    """A checkpoint as bytes; see ``Stored`` for what they say."""
    buffer = io.BytesIO()
    eqx.tree_serialise_leaves(buffer, state)
    arrays = buffer.getvalue()
    about: Record = {
        "is_best": is_best,
        "rows_crc": rows_crc,
        "settings_crc": settings_crc,
    }
    head = {"format": FORMAT} | dataclasses.asdict(progress) | {ABOUT: about}
    about[CHECKSUM] = _checksum(head, arrays)
    return json.dumps(head).encode() + b"\n" + arrays


def _checksum(head: Record, arrays: bytes) -> str:
    """SHA-256 of what a line says, without what it says of that, and of the arrays."""
    about = {name: value for name, value in head[ABOUT].items() if name != CHECKSUM}
    said = json.dumps(head | {ABOUT: about}, sort_keys=True)
    return hashlib.sha256(said.encode() + b"\n" + arrays).hexdigest()


def read_stored(path: Path) -> Stored:
    """Reads a checkpoint file without what was learned, and holds it to its checksum.

    Raises:
        RunError: if it is damaged, or of a newer version.
        OSError: if there is none.
    """
    if path.exists() and not path.is_file():  # from a pipe nothing may ever come
        raise _damaged(path, ValueError("it is no file"))
    data = path.read_bytes()
    try:
        return _unpacked(data, path)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _damaged(path, error) from error


def _unpacked(data: bytes, path: Path) -> Stored:
    head, arrays = _first_line(data)
    about: Record = {}
    found = head.get("format", 0)
    check_format(found, path)
    if ABOUT in head:
        if _checksum(head, arrays) != head[ABOUT].pop(CHECKSUM):
            raise ValueError("its checksum is another")
        about = head.pop(ABOUT)
    head.pop("format", None)
    return Stored(found, with_degrees(head), arrays, **about)


def _first_line(data: bytes) -> tuple[Record, bytes]:
    line, _, rest = data.partition(b"\n")
    if len(line) > LONGEST_LINE:
        raise ValueError("its first line is too long")
    said = json.loads(line.decode())
    if not isinstance(said, dict):
        raise ValueError("its first line is no JSON object")
    return said, rest


def _damaged(path: Path, error: Exception) -> RunError:
    return RunError(
        f"{path} cannot be read, it is damaged ({error}): bring it back from a copy, use the "
        "run's other checkpoint (--checkpoint best or last), or begin again with --overwrite"
    )


def has_checkpoint(path: Path) -> bool:
    """Whether the run has got as far as a checkpoint."""
    return (path / "checkpoint" / "last.eqx").exists()


def load_checkpoint(
    path: Path, like: State, kind: type[Position], name: str = "last"
) -> tuple[State, Position]:
    """A checkpoint, ``last`` or ``best``: what was learned, and where the run stood.

    Args:
        like: a learner of the same shapes.
        kind: the dataclass of the run's progress.

    Raises:
        RunError: if it is missing, cannot be read, or is of a newer version.
    """
    stored = _find(path, name)
    try:
        return _learned(stored, like), _position(stored, kind)
    except Exception as error:  # without a checksum there is nothing that bytes cannot do
        raise _damaged(_file(path, name), error) from error


def _position(stored: Stored, kind: type[Position]) -> Position:
    return read_back(kind(), stored.progress, strict=True)


def _file(path: Path, name: str) -> Path:
    return path / "checkpoint" / f"{name}.eqx"


def _find(path: Path, name: str) -> Stored:
    """A run's checkpoint, which was made with the settings beside it.

    Raises:
        RunError: saying why there is none.
    """
    file_path = _file(path, name)
    try:
        stored = _last_if_best(path) if name == "best" else None
        stored = stored or read_stored(file_path)
    except OSError as error:
        if not file_path.parent.is_dir():
            raise RunError(
                f"{path} holds no policy, only its numbers; the command in its config.json makes it"
            ) from error
        if file_path.exists():
            raise RunError(f"{file_path} cannot be read: {error.strerror or error}") from error
        raise RunError(f"{path} has no checkpoint '{name}' yet") from error
    check_settings_of(path, stored)
    return stored


def check_settings_of(path: Path, stored: Stored) -> None:
    """Refuses a checkpoint beside a config.json that it was not made with.

    Raises:
        RunError: if the settings in the run folder are others.
    """
    if stored.settings_crc not in (None, settings_crc(path)):
        raise RunError(
            f"{path / 'config.json'} has other settings than its checkpoint was made with: bring "
            "back the one that the run wrote"
        )


def rows_are_kept(metrics: bytes, stored: Stored) -> bytes | None:
    """The part of a metrics.csv that a checkpoint stands at; None if it is not what it was."""
    rows = stored.progress.get("rows", 0)
    expected = rows + 1 if rows else 0  # the columns' names are the first
    lines = metrics.splitlines(keepends=True)
    kept = b"".join(lines[:expected])
    if len(lines) < expected or stored.rows_crc not in (None, zlib.crc32(kept)):
        return None
    return kept


def check_against_checkpoint(path: Path) -> None:
    """Refuses a config.json or metrics.csv that is not what the last checkpoint was made with.

    A run without a checkpoint, or with one that cannot be read itself, is taken as it is.

    Raises:
        RunError: naming the file.
    """
    try:
        stored = read_stored(path / "checkpoint" / "last.eqx")
    except (OSError, RunError):
        return
    check_settings_of(path, stored)
    if rows_are_kept((path / "metrics.csv").read_bytes(), stored) is None:
        raise RunError(
            f"{path / 'metrics.csv'} does not hold the rows that its run has written: bring it back"
        )


def _last_if_best(path: Path) -> Stored | None:
    """The last checkpoint where it is the best too: a kill may come before it is written twice."""
    try:
        last = read_stored(path / "checkpoint" / "last.eqx")
    except (RunError, OSError):
        return None
    return last if last.is_best else None


def _learned(stored: Stored, like: State) -> State:
    file = io.BytesIO(stored.arrays)
    if stored.format == 0 and isinstance(like, LearnerState):
        return cast(State, of_format_0(file, like))
    return eqx.tree_deserialise_leaves(file, like)


def steps_of(checkpoint: Path) -> int:
    """Environment steps of a run at its checkpoint.

    Raises:
        RunError: if it is damaged.
    """
    steps = read_stored(checkpoint).progress.get("environment_steps")
    if not isinstance(steps, int):
        raise _damaged(checkpoint, ValueError("it does not say how many steps were taken"))
    return steps
