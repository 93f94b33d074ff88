"""The run folder: what a run leaves behind, written so that killing it loses nothing."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
import shutil
from pathlib import Path
from typing import Any

import equinox as eqx

from rpl.config import Config, Settings
from rpl.errors import RunError, UsageError
from rpl.runs.checkpoint import Position, State, has_checkpoint, load_checkpoint, steps_of
from rpl.runs.files import (
    FORMAT,
    Record,
    locked,
    read_config,
    steps_taken,
    write_config,
    write_durably,
)
from rpl.runs.settings import differences

OWN_ENTRIES = ("config.json", "metrics.csv", "checkpoint", "replay", "events")
"""What a run leaves in its folder; nothing else there is ever deleted."""
PROVENANCE = (
    "format",
    "command",
    "versions",
    "commit",
    "machine",
)  # may differ in a run that goes on


class RunFolder:
    """One run on disk: ``config.json``, ``metrics.csv``, ``checkpoint/``, ``replay/``, events.

    A lock is held for as long as the object lives, and dies with its process.

    Args:
        path: the folder; made if missing.
        record: what ``config.json`` is to say.
        resume: continue what the folder holds.
        overwrite: delete the run that the folder holds; other files in it stay.
        defaults: of its settings, for a run that is older than some of them.

    Raises:
        RunError: if another process uses the folder, its config.json is not a run's, it holds a
            run that has learned something and neither ``resume`` nor ``overwrite`` was asked for,
            there is nothing to resume, or it cannot be written.
        UsageError: if both were asked for.
    """

    def __init__(
        self,
        path: Path,
        record: Record,
        resume: bool = False,
        overwrite: bool = False,
        defaults: Record | None = None,
    ) -> None:
        if resume and overwrite:
            raise UsageError("--resume continues a run and --overwrite deletes it: leave out one")
        if resume and not (path / "config.json").exists():
            raise RunError(f"{path} holds no run to resume; leave out --resume to start one")
        self.path = path
        self.resumed = False
        self._events = None
        self._resumed_at: int | None = None
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = locked(path)
            try:
                if (path / "config.json").exists():
                    self._take_over(record, resume, overwrite, defaults or {})
                if self.resumed:
                    self._lengthen(record)
                else:
                    write_config(path, record)
                (path / "checkpoint").mkdir(exist_ok=True)
            except BaseException:
                self._lock.close()
                raise
        except OSError as error:
            raise RunError(f"cannot write to {path}: {error.strerror or error}") from error

    def _take_over(self, record: Record, resume: bool, overwrite: bool, defaults: Record) -> None:
        recorded = self._recorded()
        if overwrite or (not resume and self._is_at_its_start()):
            for entry in map(self.path.joinpath, OWN_ENTRIES):
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink(missing_ok=True)
            return
        if not resume:
            raise RunError(
                f"{self.path} holds a run already: --resume continues it, --overwrite replaces it, "
                "--out names another folder"
            )
        before, now = (
            {name: value for name, value in of.items() if name not in PROVENANCE}
            for of in (recorded, record)
        )
        defaults = {"learner": "ddpg", "config": dataclasses.asdict(Config())} | defaults
        changed = [
            f"{name} was {was}, is {should}"
            for name, was, should, _ in differences(before, now, defaults)
        ]
        if changed:
            raise RunError(
                f"the run in {self.path} was started with other settings "
                f"({'; '.join(changed)}): repeat its command with --resume, "
                "and with the old values as options where the preset has changed; choose "
                "another folder with --out, or begin again with --overwrite"
            )
        self.resumed = has_checkpoint(self.path)
        if not self.resumed:  # killed before its first checkpoint: it begins again
            (self.path / "metrics.csv").unlink(missing_ok=True)

    def _lengthen(self, record: Record) -> None:
        """Records how far a run now goes, where that is further than before."""
        recorded = read_config(self.path)
        before, now = (of.get("config", {}).get("steps", 0) for of in (recorded, record))
        if now > before:
            recorded["config"]["steps"], recorded["command"] = now, record["command"]
            write_config(self.path, recorded)

    def _recorded(self) -> Record:
        """What the folder's run records; of somebody else's folder nothing is touched."""
        try:
            return read_config(self.path)
        except RunError as error:
            raise RunError(f"{error}: choose another folder with --out") from error

    def _is_at_its_start(self) -> bool:
        """Whether what the folder holds failed before it had learned anything."""
        if steps_taken(self.path / "metrics.csv"):
            return False
        return not has_checkpoint(self.path) or not steps_of(self.path / "checkpoint/last.eqx")

    @property
    def replay_folder(self) -> Path:
        """Where the replay's arrays live."""
        return self.path / "replay"

    def append(self, row: dict[str, Any]) -> None:
        """Adds a row to ``metrics.csv`` and to the TensorBoard events."""
        path = self.path / "metrics.csv"
        text = io.StringIO()
        # A run that an older version began keeps the columns that it has.
        writer = csv.DictWriter(text, _columns(path) or list(row), extrasaction="ignore")
        if not path.exists():
            writer.writeheader()
        writer.writerow(row)
        with open(path, "a", newline="") as file:
            file.write(text.getvalue())
            file.flush()
            os.fsync(file.fileno())
        self._append_events(row)

    def _append_events(self, row: dict[str, Any]) -> None:
        from tensorboardX import SummaryWriter

        if self._events is None:
            self._events = SummaryWriter(str(self.path / "events"), purge_step=self._resumed_at)
        for name, value in row.items():
            if value is not None and name != "environment_steps":
                self._events.add_scalar(name, value, row["environment_steps"])
        self._events.flush()

    def save(self, state: object, progress: Settings, best: bool) -> None:
        """Writes the last checkpoint, and the best one if told so; each appears whole or not."""
        buffer = io.BytesIO()
        stood = {"format": FORMAT} | dataclasses.asdict(progress)
        buffer.write(json.dumps(stood).encode() + b"\n")
        eqx.tree_serialise_leaves(buffer, state)
        for name in ("last", "best") if best else ("last",):
            write_durably(self.path / "checkpoint" / f"{name}.eqx", buffer.getvalue())

    def restore(self, like: State, kind: type[Position]) -> tuple[State, Position]:
        """The last checkpoint; rows of ``metrics.csv`` written after it are taken back.

        Args:
            like: a learner of the same shapes.
            kind: the dataclass of the run's progress.
        """
        state, progress = load_checkpoint(self.path, like, kind)
        self._resumed_at = progress.environment_steps + 1  # events from here on are taken back
        _keep_rows(self.path / "metrics.csv", progress.rows)
        return state, progress

    def close(self) -> None:
        """Closes the events and lets go of the lock."""
        if self._events is not None:
            self._events.close()
        self._lock.close()


def _columns(path: Path) -> list[str]:
    """The columns of a metrics.csv; none without the file."""
    if not path.exists():
        return []
    with open(path, newline="") as file:
        return next(csv.reader(file), [])


def _keep_rows(path: Path, rows: int) -> None:
    if path.exists():
        lines = path.read_bytes().splitlines(keepends=True)
        if len(lines) > rows + 1:
            write_durably(path, b"".join(lines[: rows + 1]))
