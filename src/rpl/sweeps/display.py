"""What a person sees while many runs are made: a table in place, or a line now and then."""

import time
from collections.abc import Callable
from typing import NamedTuple

from rich.console import Console, Group, RenderableType
from rich.live import Live

from rpl.sweeps.worker import Job
from rpl.training.console import say
from rpl.training.interruption import Interruption

SECONDS_BETWEEN_LINES = 60.0


class Look(NamedTuple):
    """Where the runs stand."""

    table: RenderableType
    running: list[str]
    """What runs, and how far it is."""
    sentence: str
    """What is left."""


class Watch(Interruption):
    """The table, redrawn in place on a terminal; plain lines in a pipe. Stops at a signal.

    Args:
        console: where it goes.
        look: finds out where the runs stand; it is told which have ended, with why they failed.
        finished: is told of every run that is.
    """

    def __init__(
        self,
        console: Console,
        look: Callable[[dict[Job, str | None]], Look],
        finished: Callable[[Job], None] = lambda job: None,
    ) -> None:
        super().__init__("cycle", console)
        self.ended: dict[Job, str | None] = {}
        self._look, self._finished, self._next_line = look, finished, 0.0
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None

    def __enter__(self) -> "Watch":
        super().__enter__()
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._live:
            self._live.stop()
        super().__exit__(*error)

    def on_end(self, job: Job, error: str | None) -> None:
        """Says how a run ended."""
        self.ended[job] = error
        if error is None:
            self._finished(job)
        how = "is finished" if error is None else f"failed: {error}"
        say(self._console, f"{job.name} {how}")

    @property
    def failures(self) -> int:
        """How many runs could not be finished."""
        return sum(error is not None for error in self.ended.values())

    def on_tick(self) -> bool:
        """Shows where the runs stand, once in a while; whether somebody wants them to stop."""
        if self._live or time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + SECONDS_BETWEEN_LINES
            self._show(self._look(self.ended))
        return self()

    def _show(self, look: Look) -> None:
        if self._live:
            self._live.update(Group(look.table, look.sentence), refresh=True)
            return
        if look.running:
            say(self._console, f"running: {', '.join(look.running)}")
        say(self._console, look.sentence)
