"""A run in Weights & Biases; WANDB_MODE, WANDB_PROJECT and the like say where, as they do there."""

from __future__ import annotations

import io
import os
import secrets
from typing import Any

import wandb

from rpl.runs.trackers import Table
from rpl.settings import Record

STEPS = "environment_steps"


def opened(name: str, record: Record, known_as: str | None) -> tuple[WandB, str]:
    """The tracker, and the id under which the run goes on in later sessions."""
    known_as = known_as or secrets.token_hex(4)
    run = wandb.init(
        project=os.environ.get("WANDB_PROJECT", "rpl"),
        name=name,
        id=known_as,
        resume="allow",
        settings=wandb.Settings(silent=True, console="off"),
    )
    run.config.update(record, allow_val_change=True)
    # Not W&B's own counter, which takes no row again that a resumed run repeats.
    run.define_metric(STEPS)
    run.define_metric("*", step_metric=STEPS)
    return WandB(run), known_as


class WandB:
    """A ``Tracker``."""

    def __init__(self, run: Any) -> None:
        self._run = run

    def append(self, row: Record, wall_time: float) -> None:
        self._run.log({name: value for name, value in row.items() if value is not None})

    def end(self, table: Table, film: bytes | None) -> None:
        shown: Record = {"final": wandb.Table(list(table.columns), list(table.rows))}
        if film is not None:
            shown["film"] = wandb.Video(io.BytesIO(film), format="mp4")
        self._run.log(shown)

    def close(self) -> None:
        self._run.finish()
