"""The run folder: what a run leaves behind, written so that killing it loses nothing."""

from __future__ import annotations

import contextlib
import csv
import functools
import io
import os
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

from rpl.errors import CannotWrite, RunError, sync_folder
from rpl.runs.checkpoint import (
    Position,
    State,
    Stored,
    has_checkpoint,
    load_checkpoint,
    packed,
    read_stored,
    rows_are_kept,
    steps_of,
)
from rpl.runs.entries import delete_entries, refuse_foreign
from rpl.runs.events import Events
from rpl.runs.files import (
    WHEN_FULL,
    locked,
    read_config,
    record_steps,
    settings_crc,
    steps_taken,
    write_config,
    write_durably,
)
from rpl.runs.occupied import refuse_held, refuse_unclear
from rpl.runs.same import refuse_changes
from rpl.runs.trackers import (
    Tracker,
    TrackerName,
    final_table,
    knows_end,
    note_end,
    open_tracker,
    told,
)
from rpl.settings import Record, Settings


class RunFolder:
    """One run on disk: ``config.json``, ``metrics.csv``, ``checkpoint/``, ``replay/``, events.

    A lock is held for as long as the object lives, and dies with its process.

    Args:
        path: the folder; made if missing.
        record: what ``config.json`` is to say.
        overwrite: delete the run that the folder holds; other files in it stay.
        defaults: of its settings, for a run that is older than some of them.
        track: who is told of the run besides.

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
        track: TrackerName | None = None,
    ) -> None:
        refuse_unclear(path, "run", (path / "config.json").exists(), resume, overwrite)
        self.path = path
        self.resumed = False
        self._record = record
        self._track: TrackerName | None = track
        self._events: Events | None = None
        self._tracker: Tracker | None = None
        self._resumed_at: int | None = None
        refuse_foreign(path)  # before anything is made in it
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = locked(path)
            try:
                self._begin(record, resume, overwrite, defaults or {})
            except BaseException:
                self._lock.close()
                raise
        except OSError as error:
            raise CannotWrite(path, error, WHEN_FULL) from error

    def _begin(self, record: Record, resume: bool, overwrite: bool, defaults: Record) -> None:
        """Takes up what the folder holds, or begins anew."""
        refuse_foreign(self.path)  # once more, now that nobody else can
        if (self.path / "config.json").exists():
            self._take_over(record, resume, overwrite, defaults)
        if self.resumed:
            self._lengthen(record)
        else:  # the record last, so that a kill leaves a folder that is still ours
            delete_entries(self.path)
            write_config(self.path, record)
        (self.path / "checkpoint").mkdir(exist_ok=True)

    def _take_over(self, record: Record, resume: bool, overwrite: bool, defaults: Record) -> None:
        if overwrite or (not resume and self._is_at_its_start()):
            return
        recorded = read_config(self.path)
        if not resume:
            refuse_held(self.path, "run")
        refuse_changes(self.path, recorded, record, defaults)
        self.resumed = has_checkpoint(self.path)  # else killed before its first: it begins again

    def _lengthen(self, record: Record) -> None:
        """Records how far a run now goes, where that is further than before."""
        recorded = read_config(self.path)
        before, now = (of.get("config", {}).get("steps", 0) for of in (recorded, record))
        if now > before:
            record_steps(self.path, now, record["command"])

    def _is_at_its_start(self) -> bool:
        """Whether what the folder holds failed before it had learned anything."""
        last = self.path / "checkpoint" / "last.eqx"
        if has_checkpoint(self.path):
            return not steps_of(last)
        return not steps_taken(self.path / "metrics.csv")

    @functools.cached_property
    def resumed_format(self) -> int:
        """The format of the checkpoint that is gone on with."""
        return read_stored(self.path / "checkpoint" / "last.eqx").format

    @property
    def replay_folder(self) -> Path:
        """Where the replay's arrays live."""
        return self.path / "replay"

    def append(self, row: Record) -> None:
        """Adds a row to ``metrics.csv``, to the TensorBoard events and to the tracker's run.

        Raises:
            CannotWrite: if there is no room.
            RunError: if the tracker does not take it.
        """
        path = self.path / "metrics.csv"
        text = io.StringIO()
        # A run that an older version began keeps the columns that it has.
        writer = csv.DictWriter(text, _columns(path) or list(row), extrasaction="ignore")
        if not path.exists():
            writer.writeheader()
        writer.writerow(row)
        with _writing(path), open(path, "a", newline="", encoding="utf-8") as file:
            file.write(text.getvalue())
            file.flush()
            os.fsync(file.fileno())
        sync_folder(self.path)
        events = self.path / "events"
        with _writing(events):
            self._events = self._events or Events(events, self._resumed_at)
            self._events.append(row, time.time())
        if self._tracker is not None:
            with told(self._track):
                self._tracker.append(row, time.time())

    def start_tracking(self) -> None:
        """Begins or takes up what the tracker knows of the run, if it has one.

        Raises:
            RunError: if the tracker is missing, or does not answer.
        """
        if self._track is not None:
            self._tracker = open_tracker(self._track, self.path, self._record)

    def end(self, film: bytes | None) -> None:
        """Tells the tracker what the run has come to, with a film if there is one.

        Raises:
            RunError: if the tracker does not take it.
        """
        if self._tracker is not None and self._track is not None:
            with told(self._track):
                self._tracker.end(final_table(self.path), film)
            note_end(self.path, self._track)

    @property
    def is_told(self) -> bool:
        """Whether the tracker, if the run has one, knows what the run has come to."""
        return self._track is None or knows_end(self.path, self._track)

    def save(self, state: object, progress: Settings, best: bool) -> None:
        """Writes the last checkpoint, and the best one if told so; each appears whole or not.

        The last one says whether it is the best too: it is one step from the old two to the new.

        Raises:
            CannotWrite: if there is no room.
        """
        rows_crc = zlib.crc32(_bytes_of(self.path / "metrics.csv"))
        data = packed(
            state,
            progress,
            is_best=best,
            rows_crc=rows_crc,
            settings_crc=settings_crc(self.path),
        )
        for name in ("last", "best") if best else ("last",):
            write_durably(self.path / "checkpoint" / f"{name}.eqx", data)

    def restore(self, like: State, kind: type[Position]) -> tuple[State, Position]:
        """The last checkpoint; rows of ``metrics.csv`` written after it are taken back.

        Args:
            like: a learner of the same shapes.
            kind: the dataclass of the run's progress.

        Raises:
            RunError: if the checkpoint or the rows before it are not as the run left them.
        """
        state, progress = load_checkpoint(self.path, like, kind)
        last = self.path / "checkpoint" / "last.eqx"
        if read_stored(last).is_best:  # killed, maybe, before it was written as such
            write_durably(last.with_name("best.eqx"), last.read_bytes())
        self._resumed_at = progress.environment_steps + 1  # events from here on are taken back
        self._keep_rows(read_stored(last))
        return state, progress

    def _keep_rows(self, stored: Stored) -> None:
        """Takes back the rows that were written after a checkpoint."""
        path = self.path / "metrics.csv"
        written = _bytes_of(path)
        kept = rows_are_kept(written, stored)
        if kept is None:
            raise RunError(
                f"{path} does not hold the {stored.progress['rows']} rows that the run has "
                "written: bring it back, or begin again with --overwrite"
            )
        if kept != written:
            write_durably(path, kept) if kept else path.unlink()

    def close(self) -> None:
        """Closes the events and lets go of the lock."""
        with self._lock:
            if self._events is not None:
                with contextlib.suppress(OSError):  # on a full disk that was said already
                    self._events.close()
            if self._tracker is not None:
                with told(self._track):
                    self._tracker.close()


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Says in a sentence where something could not be written."""
    try:
        yield
    except OSError as error:
        raise CannotWrite(path, error, WHEN_FULL) from error


def _bytes_of(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _columns(path: Path) -> list[str]:
    """The columns of a metrics.csv; none without the file."""
    if not path.exists():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        return next(csv.reader(file), [])
