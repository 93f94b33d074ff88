"""Environments in processes of their own, also of scripts that forgot how processes begin."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable, Sequence

import gymnasium
from gymnasium.vector import AsyncVectorEnv, AutoresetMode

from rpl.tasks.gym.requirements import UnsuitableEnvironment

GUARD = (
    "the processes for the environments ended as they began. Each of them runs the script again "
    "that starts them: put what it does, but not its functions and classes, under the line "
    "if __name__ == '__main__':"
)


def leave_if_spawned() -> None:
    """Ends a process, silently, that runs somebody's whole script only to find its functions.

    Its parent says what is wrong, and how to mend it.
    """
    # Python's own mark of a process that has not begun its work yet.
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        sys.exit(1)


def in_processes(makers: Sequence[Callable[[], gymnasium.Env]]) -> AsyncVectorEnv:
    """A vector environment with a process for each maker.

    Raises:
        UnsuitableEnvironment: if the processes ended before they began.
    """
    leave_if_spawned()
    try:
        # Spawned, since JAX's threads do not survive a fork.
        return AsyncVectorEnv(makers, autoreset_mode=AutoresetMode.DISABLED, context="spawn")
    except (EOFError, ConnectionError):
        raise UnsuitableEnvironment(GUARD) from None
