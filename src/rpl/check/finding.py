"""What a check has found."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partialmethod
from typing import Literal

from rpl.tasks.gym.observe import Observe

Severity = Literal["error", "warning", "note"]
Subject = Literal["environment", "controller"]


@dataclass(frozen=True)
class Training:
    """What of a training changes the verdict on an environment and a controller."""

    max_episode_steps: int | None = None
    """Of an environment that does not say it."""
    observe: Observe = None
    """What the learner is shown; see ``rpl.tasks.gym.observe``."""
    hindsight: float = 0.8
    """Share of transitions with another goal."""
    scale: float | tuple[float, ...] = 1.0
    """What a residual of 1 adds, in halves of the action range."""
    processes: int = 1
    """Above 1 each environment has one of its own."""
    seconds: float = 5.0
    """Most time for each pass through episodes: a planner is checked for what it manages."""


@dataclass(frozen=True)
class Finding:
    """One thing that was found, in one sentence that says what to do."""

    severity: Severity
    """error: training would fail or learn nonsense. warning: look at it. note: good to know."""
    subject: Subject
    name: str
    """A short name that stays the same, such as ``not-deterministic``."""
    sentence: str


class Findings(list[Finding]):
    """Findings about one subject, in the order in which they were made; each name once."""

    def __init__(self, subject: Subject) -> None:
        super().__init__()
        self._subject: Subject = subject

    def add(self, severity: Severity, name: str, sentence: str) -> None:
        """Notes a finding, unless there is one of that name: the first says enough."""
        if all(finding.name != name for finding in self):
            self.append(Finding(severity, self._subject, name, sentence))

    error = partialmethod(add, "error")
    warning = partialmethod(add, "warning")
    note = partialmethod(add, "note")
