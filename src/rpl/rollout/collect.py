"""Collecting whole episodes; training, evaluation and planning all use this."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from gymnasium.vector import VectorEnv

from rpl.observations import as_goal_observation
from rpl.replay.episodes import Episodes, join
from rpl.residual import deviation


class ActingPolicy(Protocol):
    """Chooses actions for a running round of episodes."""

    def __call__(self, observation: Any, episodes: np.ndarray, step: int) -> np.ndarray:
        """Actions (num_envs, action_dim).

        Args:
            observation: the task's batched observation.
            episodes: (num_envs,) positions of the running episodes among the seeds asked for.
            step: the time t within the episodes, from 0.
        """
        ...


def collect(task: VectorEnv, policy: ActingPolicy, seeds: Sequence[int], horizon: int) -> Episodes:
    """Runs one episode per seed and returns them in the order of the seeds.

    More seeds than environments run in rounds. An episode depends on its seed and the
    policy alone.

    Args:
        task: a vector environment without autoreset.
        policy: see ``ActingPolicy``.
        seeds: one per episode.
        horizon: the largest number of steps an episode may take.
    """
    rounds = []
    for first in range(0, len(seeds), task.num_envs):
        wanted = np.arange(first, min(first + task.num_envs, len(seeds)))
        # A last, partial round repeats episodes to fill the environments; extras are cut off.
        episodes = np.resize(wanted, task.num_envs)
        rounds.append(_round(task, policy, episodes, seeds, horizon, keep=len(wanted)))
    return join(rounds)


def _round(
    task: VectorEnv,
    policy: ActingPolicy,
    episodes: np.ndarray,
    seeds: Sequence[int],
    horizon: int,
    keep: int,
) -> Episodes:
    observation, _ = task.reset(seed=[int(seeds[i]) for i in episodes])  # type: ignore[arg-type]
    record = _Record(as_goal_observation(observation), task, horizon)
    running = np.arange(task.num_envs) < keep
    for t in range(horizon):
        action = policy(_finite(observation), episodes, t)
        observation, reward, terminated, truncated, info = task.step(action)
        record.add(t, action, as_goal_observation(observation), reward, running, info)
        ended = np.asarray(terminated) | np.asarray(truncated)
        record.terminated |= running & terminated
        running = running & ~ended
        if not running.any():
            break
    return record.episodes(episodes[:keep])


class _Record:
    """The arrays of one round while it runs."""

    def __init__(self, observation: dict[str, np.ndarray], task: VectorEnv, horizon: int) -> None:
        n = task.num_envs
        (action_size,) = task.single_action_space.shape or (0,)
        self.parts = {
            name: np.zeros((n, horizon + 1, value.shape[1]), np.float32)
            for name, value in observation.items()
        }
        self.sound = np.ones(n, bool)
        self._see(0, observation, np.ones(n, bool))
        self.action = np.zeros((n, horizon, action_size), np.float32)
        self.reward = np.zeros((n, horizon), np.float32)
        self.length = np.zeros(n, np.int32)
        self.terminated = np.zeros(n, bool)
        self.success = np.zeros(n, bool)
        self.residual_size = np.zeros(n)
        self.clipped_share = np.zeros(n)
        self.largest_deviation = np.zeros((n, action_size))

    def _see(self, t: int, observation: dict[str, np.ndarray], running: np.ndarray) -> None:
        """Stores what is observed at time t; what no float32 can hold is not finite either."""
        for name, value in observation.items():
            with np.errstate(over="ignore"):
                self.parts[name][running, t] = value[running]
            self.sound &= np.isfinite(self.parts[name][:, t]).all(axis=1)

    def add(
        self,
        t: int,
        action: np.ndarray,
        observation: dict[str, np.ndarray],
        reward: np.ndarray,
        running: np.ndarray,
        info: dict[str, Any],
    ) -> None:
        self._see(t + 1, observation, running)
        self.action[running, t] = action[running]
        with np.errstate(over="ignore"):
            self.reward[running, t] = reward[running]
        self.sound &= np.isfinite(self.reward[:, t])
        self.length += running
        success = info.get("is_success", info.get("success"))
        if success is not None:
            self.success = np.where(running, np.asarray(success, bool), self.success)
        if "residual" in info:
            self.residual_size += running * np.abs(info["residual"]).mean(axis=1)
            self.clipped_share += running * info["clipped"]
            far = deviation(info["executed_action"], info["controller_action"])
            np.maximum(self.largest_deviation, running[:, None] * far, out=self.largest_deviation)

    def episodes(self, index: np.ndarray) -> Episodes:
        """The sound ones of the first ``len(index)`` episodes; the rest only filled the round."""
        sound = self.sound[: len(index)]
        chosen = np.flatnonzero(sound)
        steps = np.maximum(self.length[chosen], 1)
        return Episodes(
            index=index[chosen],
            observation=self.parts["observation"][chosen],
            achieved_goal=self.parts["achieved_goal"][chosen],
            desired_goal=self.parts["desired_goal"][chosen],
            action=self.action[chosen],
            reward=self.reward[chosen],
            length=self.length[chosen],
            terminated=self.terminated[chosen],
            success=self.success[chosen],
            dropped=int((~sound).sum()),
            residual_size=self.residual_size[chosen] / steps,
            clipped_share=self.clipped_share[chosen] / steps,
            largest_deviation=self.largest_deviation[chosen],
        )


def _finite(observation: Any) -> Any:
    """Zeros in place of the rows that diverged: their episodes will be dropped."""
    if isinstance(observation, Mapping):
        return {name: _finite(value) for name, value in observation.items()}
    sound = np.isfinite(observation).all(axis=1)
    return observation if sound.all() else np.where(sound[:, None], observation, 0.0)
