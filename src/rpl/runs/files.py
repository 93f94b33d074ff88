"""Files of a run folder, written whole or not at all, and read back."""

from __future__ import annotations

import csv
import fcntl
import json
import os
import time
from pathlib import Path
from typing import Any

from rpl.errors import RunError


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


LOCK_SECONDS = 0.5  # whoever looks whether a run is in use holds its lock for a moment


def read_config(path: Path) -> dict[str, Any]:
    """The run's ``config.json``.

    Raises:
        RunError: if the folder is not a run.
    """
    try:
        record = json.loads((path / "config.json").read_text())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise RunError(f"{path} is not a run folder: it has no config.json") from error
    except json.JSONDecodeError as error:
        raise RunError(f"{path / 'config.json'} is damaged: {error}") from error
    if not isinstance(record, dict) or "task" not in record:
        raise RunError(f"{path / 'config.json'} is not a run's")
    return record


def write_durably(path: Path, data: bytes) -> None:
    """Replaces a file in one step: written under a new name, synced, renamed."""
    temporary = path.with_name(path.name + ".new")
    with open(temporary, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def locked(path: Path):
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


def json_bytes(record: dict[str, Any]) -> bytes:
    return (json.dumps(record, indent=2) + "\n").encode()
