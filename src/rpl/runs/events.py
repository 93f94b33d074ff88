"""TensorBoard events, written at once and in this thread: what goes wrong is said by who writes."""

# Its messages are made as they are imported.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from pathlib import Path
from typing import Any

from rpl.settings import Record


class Events:
    """The numbers of a run for TensorBoard, in a file of their own for each session.

    Args:
        folder: where the files are.
        resumed_at: steps from which on earlier sessions' events are taken back; None takes none.
    """

    def __init__(self, folder: Path, resumed_at: int | None) -> None:
        from tensorboardX.event_file_writer import EventsWriter

        folder.mkdir(parents=True, exist_ok=True)
        # Two sessions may begin within a second, which is all that a file's name says.
        count = len(list(folder.iterdir()))
        self._writer = EventsWriter(str(folder / "events"), f".{count}")
        if resumed_at is not None:
            messages = _messages()
            start = messages.SessionLog(status=messages.SessionLog.START)
            self._writer.write_event(messages.Event(step=resumed_at, session_log=start))

    def append(self, row: Record, wall_time: float) -> None:
        """Adds the numbers of a row at its ``environment_steps``.

        Raises:
            OSError: if they cannot be written.
        """
        from tensorboardX.summary import scalar

        messages = _messages()
        for name, value in row.items():
            if value is not None and name != "environment_steps":
                step = row["environment_steps"]
                summary = scalar(name, value)
                event = messages.Event(step=step, wall_time=wall_time, summary=summary)
                self._writer.write_event(event)
        self._writer.flush()

    def close(self) -> None:
        """Closes the file."""
        self._writer.close()


def _messages() -> Any:
    """The kinds of events, which are made when their module is imported."""
    from tensorboardX.proto import event_pb2

    return event_pb2
