"""Recorded episodes as a task: played back, they are collected like any others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from rpl.controllers.contract import ControllerPolicy, Policy
from rpl.observations import Info, Observation
from rpl.replay.episodes import Episodes
from rpl.replay.recorded import Recorded, nested
from rpl.rollout.collect import collect
from rpl.tasks.gym.task import GymnasiumTask


@dataclass(frozen=True)
class Units:
    """How what an environment observes and takes becomes what its task does."""

    space: gymnasium.Space
    """Of one environment's observations."""
    actions: Box
    """Its action space."""
    shown: Callable[[Observation], Observation] = lambda observation: observation
    """A batch of its observations, as the task's."""
    to_unit: Callable[[np.ndarray], np.ndarray] = lambda action: action
    """Its actions as fractions of their range."""

    @staticmethod
    def of(task: VectorEnv) -> Units:
        """Those of a task; the paper's tasks have no others than their own."""
        if isinstance(task, GymnasiumTask):
            bounds = Box(task.action_low, task.action_high, dtype=np.float64)
            return Units(task.whole_space, bounds, task.shown, task.to_unit)
        space: Any = task.single_action_space
        return Units(task.single_observation_space, space)


class Playback(VectorEnv):
    """What happened happens again, whatever is done; the seeds of a reset choose the episodes.

    Args:
        task: that the episodes are of, with as many environments as play side by side.
        episodes: recorded in it.
    """

    metadata = {"autoreset_mode": AutoresetMode.DISABLED}  # noqa: RUF012

    def __init__(self, task: VectorEnv, episodes: Sequence[Recorded]) -> None:
        self.num_envs, self._units, self._episodes = task.num_envs, Units.of(task), episodes
        self.single_observation_space = task.single_observation_space
        self.single_action_space = task.single_action_space
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._now: list[Recorded] = []
        self._t = 0

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[Observation, Info]:
        """Begins the episodes of these numbers."""
        self._now, self._t = [self._episodes[i] for i in seed], 0
        return self._observation(), {}

    def step(
        self, actions: np.ndarray
    ) -> tuple[Observation, np.ndarray, np.ndarray, np.ndarray, Info]:
        """What the next step was, in each episode; an episode that is over stands still."""
        reward = self.rows_of(lambda episode: episode.rewards)
        self._t += 1
        over = np.array([self._t >= len(episode) for episode in self._now])
        terminated = over & [episode.terminated for episode in self._now]
        success = over & [bool(episode.success) for episode in self._now]
        info = {"is_success": success}
        return self._observation(), reward, terminated, over & ~terminated, info

    def rows_of(self, what: Callable[[Recorded], Any]) -> np.ndarray:
        """Of each running episode the row of now, or its last one."""
        rows = map(what, self._now)
        return np.stack([part[min(self._t, len(part) - 1)] for part in rows])

    def actions_of(self, what: Callable[[Recorded], Any]) -> np.ndarray:
        """The same of actions, as the task's."""
        return self._units.to_unit(self.rows_of(what))

    def _observation(self) -> Observation:
        names = self._now[0].observations

        def now(name: str) -> np.ndarray:
            return self.rows_of(lambda episode: episode.observations[name])

        return self._units.shown(nested({name: now(name) for name in names}, self._units.space))


class AsRecorded:
    """A policy that does, or would do, what was recorded in the episodes that play.

    Args:
        playback: the episodes.
        what: was recorded.
        clip: clip it to [-1, 1].
    """

    has_memory = True

    def __init__(
        self, playback: Playback, what: Callable[[Recorded], Any], clip: bool = True
    ) -> None:
        self._playback, self._what, self._clip = playback, what, clip

    def reset(self, mask: np.ndarray) -> None:
        """The playback knows."""

    def __call__(
        self, observation: Observation, base_action: np.ndarray | None = None
    ) -> np.ndarray:
        """Actions (num_envs, action_dim)."""
        action = self._playback.actions_of(self._what)
        return np.clip(action, -1.0, 1.0) if self._clip else action


def played_back(
    task: VectorEnv, episodes: Sequence[Recorded], horizon: int, base: ControllerPolicy | None
) -> Episodes:
    """Recorded episodes as if they had been collected in a task.

    Args:
        task: that they are of.
        episodes: held to it, see ``check_recording``.
        horizon: the most steps that one of them has.
        base: the base policy, which sees each episode in its order; where base actions are
            recorded they stand for what it would say. None has none.
    """
    playback = Playback(task, episodes)
    beside: Policy | None = base
    if base is not None and all(episode.base_actions is not None for episode in episodes):
        beside = AsRecorded(playback, lambda episode: episode.base_actions, base.clip)
    acted = AsRecorded(playback, lambda episode: episode.actions)
    return collect(playback, acted, range(len(episodes)), horizon, beside)
