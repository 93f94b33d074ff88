"""Writes what happened in any loop, as a file of episodes to learn from."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import SupportsFloat

import gymnasium
import numpy as np
from numpy.typing import ArrayLike

from rpl.errors import InvalidValue
from rpl.observations import Arrays, Info, Observation, in_form
from rpl.replay.episode_files import write_recording
from rpl.replay.recorded import MadeIn, Recorded, flat
from rpl.tasks.success import succeeded


class EpisodeLog:
    """Keeps the episodes of a loop, and writes them where a ``with`` ends::

        with rpl.EpisodeLog("demonstrations.npz", env) as log:
            ...
            log.begin(observation)  # what reset() returned
            ...
            log.step(action, *env.step(action))

    An episode counts once it has ended, by the environment or at the next ``begin``.

    Args:
        path: an ``.npz`` file, or an HDF5 file (``.h5``, ``.hdf5``), which needs the extra
            ``data``; one that is there is replaced.
        env: the environment, by whose name others are refused; None leaves it open.

    Raises:
        InvalidValue: if the suffix is another.
    """

    def __init__(self, path: str | Path, env: gymnasium.Env | None = None) -> None:
        self.path = Path(path)
        if self.path.suffix not in (".npz", ".h5", ".hdf5"):
            raise InvalidValue(f"{path} must end in .npz, .h5 or .hdf5")
        self.episodes: list[Recorded] = []
        self._made_in = MadeIn.of(env)
        self._space = None if env is None else env.observation_space
        self._running: _Running | None = None

    def begin(self, observation: Observation, base_action: ArrayLike | None = None) -> None:
        """An episode begins.

        Args:
            observation: the first one, which ``reset()`` returned.
            base_action: what the controller would do now, in the environment's units; None leaves
                it to be asked when the file is learned from. Give it always or never.
        """
        self.end()
        self._running = _Running(self._copied(observation), base_action)

    def step(
        self,
        action: ArrayLike,
        observation: Observation,
        reward: SupportsFloat,
        terminated: bool,
        truncated: bool,
        info: Info | None = None,
        base_action: ArrayLike | None = None,
    ) -> None:
        """A step was taken: what was executed, and what ``env.step`` returned.

        Args:
            action: (action_dim,), in the environment's units.
            observation: after the step.
            reward: one number.
            terminated: whether the episode ended by itself.
            truncated: whether the clock ended it.
            info: may say ``is_success`` or ``success``, of which the last step's counts.
            base_action: what the controller would do next.

        Raises:
            InvalidValue: if no episode has begun, or base actions come and go.
        """
        if self._running is None:
            raise InvalidValue("no episode has begun: call begin(observation) after reset()")
        self._running.add(action, self._copied(observation), reward, info or {}, base_action)
        if terminated or truncated:
            self.end(bool(terminated))

    def _copied(self, observation: Observation) -> Arrays:
        """Its parts; loops reuse their arrays."""
        if self._space is not None:
            observation = in_form(observation, self._space)
        return {name: np.array(part) for name, part in flat(observation).items()}

    def end(self, terminated: bool = False) -> None:
        """Ends the running episode, if there is one with a step."""
        if self._running is not None and self._running.actions:
            self.episodes.append(self._running.episode(terminated))
        self._running = None

    def save(self) -> None:
        """Writes the episodes that have ended.

        Raises:
            CannotWrite: if the file cannot be written.
            InvalidValue: if there is none, or if they do not observe the same.
        """
        write_recording(self.path, self.episodes, self._made_in)

    def __enter__(self) -> EpisodeLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        """Ends the running episode and saves; after an error only what had ended before."""
        if kind is None:
            self.end()
        if kind is None or self.episodes:
            self.save()


class _Running:
    """An episode as far as it has come; actions are copied, for loops reuse their arrays."""

    def __init__(self, observation: Arrays, base_action: ArrayLike | None) -> None:
        self.observations = [observation]
        self.base_actions = [] if base_action is None else [np.array(base_action, np.float64)]
        self.actions: list[np.ndarray] = []
        self.rewards: list[float] = []
        self.success: bool | None = None

    def add(
        self,
        action: ArrayLike,
        observation: Arrays,
        reward: SupportsFloat,
        info: Info,
        base_action: ArrayLike | None,
    ) -> None:
        if bool(self.base_actions) != (base_action is not None):
            raise InvalidValue(
                "give base_action to begin() and to every step(), or to none of them"
            )
        self.actions.append(np.array(action, np.float64))
        self.observations.append(observation)
        self.rewards.append(float(reward))
        if self.base_actions:
            self.base_actions.append(np.array(base_action, np.float64))
        self.success = succeeded(info)

    def episode(self, terminated: bool) -> Recorded:
        first = self.observations[0]
        return Recorded(
            {name: np.stack([seen[name] for seen in self.observations]) for name in first},
            np.stack(self.actions),
            np.array(self.rewards),
            terminated,
            self.success,
            np.stack(self.base_actions) if self.base_actions else None,
        )
