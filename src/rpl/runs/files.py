"""Files of a run folder, written whole or not at all, and read back in whatever format."""

from __future__ import annotations

import csv
import fcntl
import json
import os
import time
from pathlib import Path
from typing import Any, TextIO

from rpl.errors import RunError

Record = dict[str, Any]
"""What a ``config.json`` says."""
FORMAT = 1
"""Of ``config.json`` and checkpoints; those without a number are older: see ``migrated``."""
NEW_NAMES = {"judged_by": "metric"}
"""Settings that had another name before; both are read."""
LOCK_SECONDS = 0.5  # whoever looks whether a run is in use holds its lock for a moment


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

    Raises:
        RunError: if the format is newer.
    """
    found = record.get("format", 0)
    check_format(found, path)
    config = record.get("config", {})
    if found < 1 and "learner" in config:
        settings = dict(config["learner"])
        learner = "sac" if settings.pop("stochastic", False) else record.get("learner", "ddpg")
        settings = {"algorithm": learner} | settings
        record = record | {"learner": learner, "config": config | {"learner": settings}}
    return _renamed(record) | {"format": FORMAT}


def _renamed(record: Record) -> Record:
    return {
        NEW_NAMES.get(name, name): _renamed(value) if isinstance(value, dict) else value
        for name, value in record.items()
    }


def read_config(path: Path) -> Record:
    """The run's ``config.json``, in this version's format.

    Raises:
        RunError: if the folder is not a run, or is one of a newer version.
    """
    try:
        record = json.loads((path / "config.json").read_text())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise RunError(f"{path} is not a run folder: it has no config.json") from error
    except json.JSONDecodeError as error:
        raise RunError(f"{path / 'config.json'} is damaged: {error}") from error
    if not isinstance(record, dict) or "task" not in record:
        raise RunError(f"{path / 'config.json'} is not a run's")
    return migrated(record, path / "config.json")


def write_config(path: Path, record: Record) -> None:
    """Writes the run's ``config.json``."""
    text = json.dumps({"format": FORMAT} | record, indent=2) + "\n"
    write_durably(path / "config.json", text.encode())


def read_rows(path: Path) -> list[dict[str, str]]:
    """The whole rows of a metrics.csv by column, in their order; none without the file."""
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        # A row that is still being written has too few fields.
        return [row for row in csv.DictReader(file) if None not in row.values()]


def steps_taken(path: Path) -> int:
    """Environment steps of a run by its last evaluation; 0 before the first."""
    rows = read_rows(path)
    return int(float(rows[-1]["environment_steps"])) if rows else 0


def write_durably(path: Path, data: bytes) -> None:
    """Replaces a file in one step: written under a new name, synced, renamed."""
    temporary = path.with_name(path.name + ".new")
    with open(temporary, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def locked(path: Path) -> TextIO:
    """The lock of a folder, held until it is closed.

    Raises:
        RunError: if another process holds it.
    """
    file = open(path / "lock", "a")  # noqa: SIM115  held for the life of the run
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
