"""Environments in processes of their own: what goes wrong in one is said in this one."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import sys
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Text
from gymnasium.vector import AsyncVectorEnv, AutoresetMode

from rpl.errors import Failure, described
from rpl.observations import Info, Observation
from rpl.tasks.gym.observe import leaves
from rpl.tasks.gym.serial import with_arrays
from rpl.tasks.success import NAMES

NO_GUARD = 87  # exit code of a process that would start processes before it has begun
Make = Callable[[], gymnasium.Env]


class EnvironmentFailed(Failure):
    """What an environment raised in a process of its own, with the line of its code."""


def leave_if_spawned() -> None:
    """Ends a process that runs a script without a main guard: its parent says what to do."""
    if getattr(multiprocessing.process.current_process(), "_inheriting", False):
        sys.exit(NO_GUARD)


class Processes:
    """``num_envs`` environments, each in a process of its own, without autoreset.

    Args:
        first: one that was made here, whose spaces theirs are.

    Raises:
        Failure: if the processes cannot be begun.
    """

    def __init__(self, make: Make, num_envs: int, first: gymnasium.Env) -> None:
        leave_if_spawned()
        self._space = first.observation_space
        self._has_text = any(isinstance(part, Text) for _, part in leaves(self._space))
        spaces = first.observation_space, first.action_space
        # In two steps, so that its processes can be asked how they ended though it was never made.
        self._envs: Any = AsyncVectorEnv.__new__(AsyncVectorEnv)
        with self._in_words():
            # Spawned, since JAX's threads do not survive a fork.
            self._envs.__init__(
                [_Reporting(make, *spaces)] * num_envs,
                autoreset_mode=AutoresetMode.DISABLED,
                context="spawn",
                shared_memory=not self._has_text,  # in which Gymnasium's texts are lost
            )

    def reset(self, **keywords: Any) -> tuple[Observation, Info]:
        """As a vector environment's.

        Raises:
            Failure: if an environment raises something, or its process ends.
        """
        with self._in_words():
            observation, info = self._envs.reset(**keywords)
        return self._with_arrays(observation), info

    def step(self, actions: np.ndarray) -> tuple[Any, ...]:
        """As a vector environment's; raises as ``reset`` does."""
        with self._in_words():
            observation, *returned = self._envs.step(actions)
        return self._with_arrays(observation), *returned

    def _with_arrays(self, observation: Observation) -> Observation:
        return with_arrays(self._space, observation) if self._has_text else observation

    def close(self) -> None:
        """Ends the processes."""
        if not self._envs.closed:
            self._envs.close()

    @contextlib.contextmanager
    def _in_words(self) -> Iterator[None]:
        level = gymnasium.logger.min_level
        gymnasium.logger.min_level = gymnasium.logger.ERROR + 1  # it would print tracebacks
        try:
            yield
        except (EOFError, ConnectionError):
            why = self._why_one_ended()
            self._abandon()
            raise EnvironmentFailed(why) from None
        except Exception:
            self._abandon()
            raise
        finally:
            gymnasium.logger.min_level = level

    def _abandon(self) -> None:
        """Ends all processes, without waiting for what they were asked."""
        for process in getattr(self._envs, "processes", ()):
            process.terminate()
        self._envs.closed = True

    def _why_one_ended(self) -> str:
        codes = [
            process.exitcode
            for process in getattr(self._envs, "processes", ())
            if not _joined(process)
        ]
        ended = [code for code in codes if code is not None]
        if NO_GUARD in ended:
            return (
                "each process of --task.processes imports the script that starts them: put what "
                "the script does below `if __name__ == '__main__':`"
            )
        how = f"with exit code {ended[0]}" if ended else "for a reason it did not say"
        if ended and ended[0] < 0:
            how = f"by {signal.Signals(-ended[0]).name}"
        return (
            f"the process of an environment ended {how}: --task.processes 1 keeps environments "
            "in one process, which shows where, and `rpl check` tells more"
        )


def _joined(process: BaseProcess) -> bool:
    """Waits a moment for a process to end; whether it goes on."""
    process.join(timeout=1.0)
    return process.is_alive()


class _Reporting:
    """Makes an environment that raises nothing but sentences."""

    def __init__(self, make: Make, *spaces: gymnasium.Space) -> None:
        self._make, self._spaces = make, spaces

    def __call__(self) -> gymnasium.Env:
        try:
            return _Sentences(self._make())
        except Exception as error:
            return _Unmade(described(error), *self._spaces)


class _Sentences(gymnasium.Wrapper):
    """An environment whose errors say where they arose: no traceback comes with them.

    Of its info only success is told: no more is asked for, and not everything can be sent.
    """

    def reset(self, **keywords: Any) -> tuple[Observation, Info]:
        with _as_sentences():
            return self.env.reset(**keywords)[0], {}

    def step(self, action: np.ndarray) -> tuple[Any, ...]:
        with _as_sentences():
            *outcome, info = self.env.step(action)
            return *outcome, {name: info[name] for name in NAMES if name in info}


@contextlib.contextmanager
def _as_sentences() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise EnvironmentFailed(described(error)) from error


class _Unmade(gymnasium.Env):
    """Stands for an environment that could not be made, and says why as soon as it is asked."""

    def __init__(self, why: str, observation: gymnasium.Space, action: gymnasium.Space) -> None:
        self._why, self.observation_space, self.action_space = why, observation, action

    def reset(self, **keywords: Any) -> tuple[Observation, Info]:
        raise EnvironmentFailed(self._why)

    def step(self, action: np.ndarray) -> tuple[Any, ...]:
        raise EnvironmentFailed(self._why)
