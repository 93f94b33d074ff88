"""What all kinds of training have in common on the command line."""

from __future__ import annotations

import shlex
import signal
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from rich.console import Console

MethodName = Literal["rpl", "scratch", "expert-explore", "pets"]


@dataclass(frozen=True)
class RunOptions:
    """What is trained, and where its run folder is."""

    task_name: Annotated[tyro.conf.Positional[str], tyro.conf.arg(name="task", metavar="TASK")]
    """The task; `rpl tasks` lists them. Your own: a Gymnasium id, or module:function that
    makes one."""
    method: MethodName = "rpl"
    """What is learned: the residual, the whole action, that with the controller exploring, or a
    model of the task to plan with (pets)."""
    out: Path | None = None
    """The run folder; default: runs/<task>-<method>-seed<k>, with the
    learner after the method where it is not ddpg."""
    resume: tyro.conf.FlagCreatePairsOff[bool] = False
    """Continue the run in the folder."""
    overwrite: tyro.conf.FlagCreatePairsOff[bool] = False
    """Replace the run in the folder."""


def resuming(command: list[str]) -> str:
    """The command that continues the run that ``command`` began."""
    words = [word for word in command if word not in ("--resume", "--overwrite")]
    return shlex.join([*words, "--resume"])


def say_end(console: Console, resume: str, path: Path, stopped_at: str | None) -> int:
    """Says where the run is, or how to go on with one that was stopped; returns the exit code."""
    if stopped_at is None:
        console.print(f"done: {path}", soft_wrap=True)
        return 0
    console.print(
        f"stopped at {stopped_at} and saved; continue with: {resume}", soft_wrap=True, markup=False
    )
    return 1


class Interruption:
    """Turns SIGINT and SIGTERM into a question the loop asks; a second one ends at once.

    Args:
        unit: what the loop finishes before it asks.
    """

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._asked = False
        self._previous: dict[int, Any] = {}

    def __call__(self) -> bool:
        return self._asked

    def __enter__(self) -> Interruption:
        if threading.current_thread() is not threading.main_thread():
            return self  # only there may signals be caught
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._ask)
        return self

    def _ask(self, number: int, frame: Any) -> None:
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True
        print(f"stopping after this {self._unit}; press again to stop at once", file=sys.stderr)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
