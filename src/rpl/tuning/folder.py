"""The folder of a tuning: what was asked for, every setting that was tried, and the result."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

from rpl.errors import CannotWrite, RunError
from rpl.runs.files import MARK, WHEN_FULL, locked, write_durably
from rpl.runs.occupied import refuse_held, refuse_unclear
from rpl.settings import Record
from rpl.tuning.search import Tried

FORMAT = 1
RECORD, JOURNAL, TABLE, PICTURE = "tuning.json", "journal.log", "tried.csv", "search.png"
FREE = ("command", "versions", "commit", "machine", "result")
"""What may differ in a tuning that goes on."""


class TuningFolder:
    """One tuning on disk; a lock is held for as long as the object lives.

    Args:
        path: the folder; made if missing.

    Raises:
        RunError: if it holds something else, another process uses it, or it cannot be written.
        UsageError: if both were asked for.
    """

    def __init__(
        self, path: Path, record: Record, resume: bool = False, overwrite: bool = False
    ) -> None:
        refuse_unclear(path, "tuning", (path / RECORD).exists(), resume, overwrite)
        self.path = path
        self.rows: list[Record] = []
        """What was tried, once the tuning is finished."""
        _refuse_foreign(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = locked(path)
        except OSError as error:
            raise CannotWrite(path, error, WHEN_FULL) from error
        try:
            self._begin({"format": FORMAT, **MARK, **record}, resume, overwrite)
        except BaseException:
            self.close()
            raise

    def _begin(self, record: Record, resume: bool, overwrite: bool) -> None:
        if (self.path / RECORD).exists() and not overwrite:
            before = read_tuning(self.path)
            if not resume:
                refuse_held(self.path, "tuning")
            _refuse_changes(self.path, before, record)
            self.record = before
            return
        self.record = record
        for name in (JOURNAL, TABLE, PICTURE):
            (self.path / name).unlink(missing_ok=True)
        self._write()

    def _write(self) -> None:
        text = json.dumps(self.record, indent=2) + "\n"
        write_durably(self.path / RECORD, text.encode())

    def finish(self, tried: Sequence[Tried], result: Record) -> None:
        """Writes the result, and all that was tried as a table.

        Raises:
            CannotWrite: if there is no room.
        """
        self.rows = [_row(one) for one in tried]
        write_durably(self.path / TABLE, _table(self.rows).encode())
        self.record = {**self.record, "result": dict(result)}
        self._write()

    def close(self) -> None:
        """Lets go of the lock."""
        self._lock.close()


def read_tuning(path: Path) -> Record:
    """The record of a tuning.

    Raises:
        RunError: if it cannot be read, or is no tuning's.
    """
    file = path / RECORD
    try:
        record = json.loads(file.read_bytes().decode())
    except OSError as error:
        raise RunError(f"{file} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise RunError(f"{file} is damaged: {error}") from error
    if not isinstance(record, dict) or not record.items() >= MARK.items():
        raise RunError(f"{file} is no tuning's: choose another folder with --out")
    if record.get("format") != FORMAT:
        raise RunError(f"{file} has format {record.get('format')}: upgrade rpl to use it")
    return record


def _refuse_foreign(path: Path) -> None:
    """Refuses a folder that holds anything but a tuning."""
    if path.is_dir() and not (path / RECORD).exists() and set(_names(path)) - {"lock"}:
        some = ", ".join(sorted(_names(path))[:3])
        raise RunError(f"{path} holds {some}, and no tuning: choose another folder with --out")
    if (path / RECORD).exists():
        read_tuning(path)
    for name in (RECORD, JOURNAL, TABLE, PICTURE):
        if (path / name).is_symlink():
            raise RunError(f"{path / name} is a link: choose another folder with --out")


def _names(path: Path) -> list[str]:
    return [entry.name for entry in path.iterdir()]


def _refuse_changes(path: Path, before: Record, now: Record) -> None:
    now = json.loads(json.dumps(now))
    changed = [
        f"{name} was {before.get(name)}, is {now.get(name)}"
        for name in sorted({*before, *now} - set(FREE))
        if before.get(name) != now.get(name)
    ]
    if changed:
        raise RunError(
            f"the tuning in {path} was started with other settings ({'; '.join(changed)}): repeat "
            "its command with --resume, choose another folder with --out, or begin again with "
            "--overwrite"
        )


def _row(one: Tried) -> Record:
    return {
        **one.values,
        "episodes": len(one.outcome.success),
        "steps": one.outcome.steps,
        "success": one.outcome.success_rate,
        "return": one.outcome.mean_return,
    }


def _table(rows: Sequence[Record]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
