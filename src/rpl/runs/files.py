"""Files of a run folder, written whole or not at all, and read back in whatever format."""

from __future__ import annotations

import csv
import fcntl
import json
import os
import time
import zlib
from pathlib import Path
from typing import Any, TextIO

from rpl.errors import CannotWrite, RunError, UnreadableFile, sync_folder
from rpl.runs.settings import FREE, flat
from rpl.settings import Record

FORMAT = 2
"""Of ``config.json`` and checkpoints; those without a number are older: see ``migrated``."""
MARK = {"written_by": "rpl"}
"""In every ``config.json`` of format 2 on: nothing is ever changed in a folder without it."""
SETTINGS = ("config", "task_options", "controller_options")
NEW_NAMES = {"judged_by": "metric"}
"""Settings that had another name before; both are read."""
LOCK_SECONDS = 0.5  # whoever looks whether a run is in use holds its lock for a moment
LARGEST_RECORD = 2**24  # bytes
KINDS: dict[str, tuple[type, ...]] = {
    "format": (int,),
    "task": (str,),
    "method": (str,),
    "learner": (str, type(None)),
    "preset": (str, type(None)),
    "seed": (int,),
    "controller": (str, type(None)),
    "task_options": (dict,),
    "controller_options": (dict,),
    "config": (dict,),
    "command": (str,),
    "versions": (dict,),
    "commit": (str, type(None)),
    "judged_by": (str,),
    "metric": (str,),
    "charged_steps": (int,),
}
"""What a record's entries are, where it has them."""


def check_format(found: int, path: Path) -> None:
    """Refuses a file of a format that is newer than this version.

    Raises:
        RunError: with what was found, and what to do.
    """
    if found > FORMAT:
        raise RunError(
            f"{path} has format {found}, and this version of rpl reads formats up to {FORMAT}: "
            "upgrade rpl to use it"
        )


def migrated(record: Record, path: Path) -> Record:
    """A record of this or an earlier format in this format.

    Format 0 did not name the algorithm among the learner's settings, but whether it was SAC.
    Format 1 had no mark that the record is one of ours.

    Raises:
        RunError: if the format is newer, or an entry is not what it should be.
    """
    _check_kinds(record, path)
    found = record.get("format", 0)
    check_format(found, path)
    config = record.get("config", {})
    if found < 1 and "learner" in config:
        if not isinstance(config["learner"], dict):
            raise RunError(f"{path} is damaged: its config.learner is {config['learner']!r}")
        settings = dict(config["learner"])
        learner = "sac" if settings.pop("stochastic", False) else record.get("learner", "ddpg")
        settings = {"algorithm": learner} | settings
        record = record | {"learner": learner, "config": config | {"learner": settings}}
    return _renamed(_before_the_gate(record)) | {"format": FORMAT}


def _before_the_gate(record: Record) -> Record:
    """A record with the names that its settings had before there was a gate, if it is one."""
    config = record.get("config", {})
    learner = config.get("learner")
    if not isinstance(learner, dict) or "gate" in learner:
        return record
    if record.get("preset") == "fast":
        record = record | {"preset": "ungated"}
    if learner.get("algorithm") == "sac":  # it always went by the least of its critics
        config = config | {"learner": learner | {"aggregate": "least"}}
    return record | {"config": config}


def _renamed(record: Record) -> Record:
    return {
        NEW_NAMES.get(name, name): _renamed(value) if isinstance(value, dict) else value
        for name, value in record.items()
    }


def _check_kinds(record: Record, path: Path) -> None:
    for name, kinds in KINDS.items():
        value = record.get(name)
        wrong = not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)
        if name in record and wrong:
            found = "null" if value is None else type(value).__name__
            raise RunError(f"{path} is damaged: its '{name}' is of type {found}")


def read_config(path: Path) -> Record:
    """The run's ``config.json``, in this version's format.

    Raises:
        RunError: if the folder is not a run, or is one of a newer version.
    """
    record = _read_json(path)
    if not isinstance(record, dict) or "task" not in record:
        raise RunError(f"{path / 'config.json'} is not a run's")
    return migrated(record, path / "config.json")


def _read_json(path: Path) -> Any:
    file = path / "config.json"
    try:
        if not file.exists():
            raise RunError(f"{path} is not a run folder: {_what_it_is(path)}")
        if not file.is_file() or file.stat().st_size > LARGEST_RECORD:
            raise RunError(f"{file} is not a run's")
        return json.loads(file.read_bytes().decode())
    except OSError as error:
        raise RunError(f"{file} cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # no text, or no JSON
        raise RunError(f"{file} is damaged: {error}") from error
    except RecursionError as error:
        raise RunError(f"{file} is damaged: it is nested too deeply") from error


def _what_it_is(path: Path) -> str:
    inside = sorted(file.parent.name for file in path.glob("*/config.json"))
    return f"it holds runs, name one as {path / inside[0]}" if inside else "it has no config.json"


def is_ours(path: Path) -> bool:
    """Whether a folder's ``config.json`` was written by this program: it may be changed.

    Records before format 2 have no mark, but say by which versions and command they were made.

    Raises:
        RunError: if there is none, or it cannot be read.
    """
    record = _read_json(path)
    if not isinstance(record, dict):
        return False
    if record.items() >= MARK.items():
        return True
    versions, command = record.get("versions"), record.get("command")
    return (
        record.get("format", 0) in (0, 1)
        and record.keys() >= {"task", "method", "config"}
        and isinstance(versions, dict)
        and "rpl" in versions
        and str(command).startswith("rpl")
    )


def settings_crc(path: Path) -> int | None:
    """CRC-32 of all settings in a folder's ``config.json`` that change numbers; None without it.

    As they are written, in whatever format, so that it means the same to later versions.
    """
    if not (path / "config.json").exists():
        return None
    record = _read_json(path)
    if not isinstance(record, dict):
        return None
    set_ = flat({name: record[name] for name in SETTINGS if name in record})
    kept = {name: value for name, value in set_.items() if name not in FREE}
    return zlib.crc32(json.dumps(kept, sort_keys=True).encode())


def record_steps(path: Path, steps: int, command: str) -> None:
    """Changes how far a run goes in its ``config.json``, and nothing else there."""
    record = _read_json(path)
    record["config"]["steps"], record["command"] = steps, command
    write_durably(path / "config.json", (json.dumps(record, indent=2) + "\n").encode())


def write_config(path: Path, record: Record) -> None:
    """Writes the run's ``config.json``."""
    text = json.dumps({"format": FORMAT} | MARK | record, indent=2) + "\n"
    write_durably(path / "config.json", text.encode())


def read_rows(path: Path) -> list[dict[str, str]]:
    """The whole rows of a metrics.csv by column, in their order; none without the file.

    Raises:
        UnreadableFile: if it is no table of text.
    """
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            # A row that is still being written has too few fields.
            rows = [row for row in csv.DictReader(file) if None not in row.values()]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnreadableFile(f"{path} is damaged: {error}") from error
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read: {error.strerror or error}") from error
    if any(None in row for row in rows):
        raise UnreadableFile(f"{path} is damaged: a row has more fields than there are columns")
    return rows


def last_number(path: Path, column: str, rows: list[dict[str, str]]) -> float:
    """A column's number in the last row.

    Args:
        path: the metrics.csv, for what is said of it.
        rows: from ``read_rows``, at least one.

    Raises:
        UnreadableFile: if there is no such column, or no finite number in it.
    """
    try:
        number = float(rows[-1][column])
    except KeyError as error:
        raise UnreadableFile(f"{path} has no column {column}: it is not a run's") from error
    except ValueError as error:
        raise UnreadableFile(f"{path} is damaged: {column} is {rows[-1][column]!r}") from error
    if not abs(number) < float("inf"):
        raise UnreadableFile(f"{path} is damaged: {column} is {number}")
    return number


def steps_taken(path: Path) -> int:
    """Environment steps of a run by its last evaluation; 0 before the first.

    Raises:
        UnreadableFile: if the file is not a run's.
    """
    rows = read_rows(path)
    return int(last_number(path, "environment_steps", rows)) if rows else 0


def write_durably(path: Path, data: bytes) -> None:
    """Replaces a file in one step: written under a new name, synced, renamed.

    Raises:
        CannotWrite: if it cannot be; the older file stays.
    """
    temporary = path.with_name(path.name + ".new")
    try:
        temporary.unlink(missing_ok=True)  # of a run that was killed; never written through
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise CannotWrite(path, error, WHEN_FULL) from error
    sync_folder(path.parent)


WHEN_FULL = (
    "what was saved before is still there: free some space, then go on with --resume, or choose "
    "another folder with --out"
)


def locked(path: Path) -> TextIO:
    """The lock of a folder, held until it is closed.

    Raises:
        RunError: if another process holds it.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
    file = os.fdopen(os.open(path / "lock", flags, 0o644), "r+")  # held for the life of the run
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                file.close()
                raise RunError(
                    f"{path} is in use by another process: wait for it, or choose another folder "
                    "with --out"
                ) from error
        time.sleep(0.05)
