"""What all kinds of training have in common on the command line."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

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


def making(command: list[str]) -> str:
    """The command that makes a run anew, whatever the folder held when it was given."""
    return shlex.join(word for word in command if word not in ("--resume", "--overwrite"))


def resuming(command: list[str]) -> str:
    """The command that continues the run that ``command`` began."""
    return f"{making(command)} --resume"
