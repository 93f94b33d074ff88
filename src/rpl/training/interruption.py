"""Stopping long work so that it can go on later."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from typing import Any

from rich.console import Console

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """Turns SIGINT, SIGTERM and SIGHUP into a question the loop asks; a second one ends at once.

    The same question is asked once nobody reads what ``console`` prints, as where the run was
    piped into a command that has ended: the run then saves and leaves instead of breaking off.

    Args:
        unit: what the loop finishes before it asks.
        console: what the loop prints to.
    """

    def __init__(self, unit: str, console: Console) -> None:
        self._unit = unit
        self._console = console
        self._asked = False
        self._previous: dict[int, Any] = {}

    def __call__(self) -> bool:
        return self._asked

    def __enter__(self) -> Interruption:
        self._console.on_broken_pipe = self._nobody_reads  # type: ignore[method-assign]
        if threading.current_thread() is not threading.main_thread():
            return self  # only there may signals be caught
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
                self._previous[number] = signal.signal(number, self._ask)
        return self

    def _ask(self, number: int, frame: object) -> None:
        if self._asked:
            signal.signal(number, self._previous[number])
            signal.raise_signal(number)
            return
        self._asked = True
        # Where Ctrl-C has ended the reader of a pipe too, this must not keep the run from saving.
        with contextlib.suppress(OSError, RuntimeError, ValueError):
            print(f"stopping after this {self._unit}; press again to stop at once", file=sys.stderr)

    def _nobody_reads(self) -> None:
        self._asked = self._console.quiet = True
        # Python would flush into the broken pipe once more in the end.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._console.file.fileno())

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
