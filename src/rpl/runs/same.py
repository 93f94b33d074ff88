"""Whether a run that goes on is the run that was begun."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from rpl.config import Config
from rpl.errors import RunError
from rpl.runs.files import MARK, read_config
from rpl.runs.settings import differences
from rpl.settings import Record

PROVENANCE = (
    *("format", *MARK),
    *("command", "versions", "commit", "machine"),
    "prior",  # see rpl.runs.prior.check_same_prior
)  # may differ in a run that goes on


ASKED = ("task", "method", "learner", "controller", "config", "task_options", "controller_options")
"""What a command says of a run."""


def check_same_settings(path: Path, record: Record, defaults: Record) -> None:
    """Refuses a run that was started with other settings than ``record`` says.

    Raises:
        RunError: naming them.
    """
    asked = {name: record[name] for name in ASKED if name in record}
    before = {name: value for name, value in read_config(path).items() if name in asked}
    refuse_changes(path, before, asked, defaults)


def refuse_changes(path: Path, recorded: Record, record: Record, defaults: Record) -> None:
    """Refuses a record that sets other things than the one in the run's folder.

    Raises:
        RunError: naming them.
    """
    before, now = (
        {name: value for name, value in of.items() if name not in PROVENANCE}
        for of in (recorded, record)
    )
    defaults = {"learner": "ddpg", "config": asdict(Config())} | defaults
    changed = [
        f"{name} was {was}, is {should}"
        for name, was, should, _ in differences(before, now, defaults)
    ]
    if changed:
        raise RunError(
            f"the run in {path} was started with other settings ({'; '.join(changed)}): repeat its "
            "command with --resume, and with the old values as options where the preset has "
            "changed; choose another folder with --out, or begin again with --overwrite"
        )
