"""Environments side by side in one process, each standing still once its episode is over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import gymnasium
import numpy as np

from rpl.observations import Info, Observation
from rpl.tasks.gym.contract import Step


class StandStill(gymnasium.Wrapper):
    """Does nothing once its episode is over, until it is reset."""

    def __init__(self, env: gymnasium.Env) -> None:
        super().__init__(env)
        self._last: Step | None = None

    def reset(
        self, *, seed: int | None = None, options: Info | None = None
    ) -> tuple[Observation, Info]:
        """Starts an episode."""
        self._last = None
        return self.env.reset(seed=seed, options=options)

    def step(self, action: np.ndarray) -> Step:
        """One step, or what the last step returned with a reward of 0."""
        if self._last is not None:
            return self._last
        observation, reward, terminated, truncated, info = self.env.step(action)
        if terminated or truncated:
            self._last = (observation, 0.0, bool(terminated), bool(truncated), info)
        return observation, cast(float, reward), terminated, truncated, info


class Serial:
    """Environments of one process; Gymnasium's SyncVectorEnv without what makes it slow."""

    def __init__(self, envs: list[gymnasium.Env]) -> None:
        self._envs = envs
        space = self._space = envs[0].observation_space
        self._parts: dict[str, np.ndarray] = {}
        self._plain: np.ndarray | None = None
        self._last: list[Observation] | None = None  # of whatever is neither
        if isinstance(space, gymnasium.spaces.Box):
            self._plain = _zeros(space, len(envs))
        elif _is_of_boxes(space):
            self._parts = {name: _zeros(part, len(envs)) for name, part in space.spaces.items()}
        else:
            self._last = [None] * len(envs)

    def reset(self, *, seed: Sequence[int | None], options: Info) -> tuple[Observation, Info]:
        for i in map(int, np.flatnonzero(options["reset_mask"])):
            self._write(i, self._envs[i].reset(seed=seed[i])[0])
        return self._observation(), {}

    def step(
        self, actions: np.ndarray
    ) -> tuple[Observation, np.ndarray, np.ndarray, np.ndarray, Info]:
        count = len(self._envs)
        reward, success = np.zeros(count), np.zeros(count, bool)
        terminated, truncated = np.zeros(count, bool), np.zeros(count, bool)
        known, plain = False, self._plain
        for i, env in enumerate(self._envs):
            observation, reward[i], terminated[i], truncated[i], info = env.step(actions[i])
            if plain is None:
                self._write(i, observation)
            else:
                plain[i] = observation
            if info and "is_success" in info:
                success[i] = info["is_success"]
                known = True
        info = {"is_success": success} if known else {}
        return self._observation(), reward, terminated, truncated, info

    def _write(self, i: int, observation: Observation) -> None:
        if self._last is not None:
            self._last[i] = observation
        if self._plain is not None:
            self._plain[i] = observation
        for name, part in self._parts.items():
            part[i] = observation[name]

    def _observation(self) -> Observation:
        if self._last is not None:
            return batched(self._space, self._last)
        if self._plain is not None:
            return self._plain.copy()
        return {name: part.copy() for name, part in self._parts.items()}


def batched(space: object, observations: Sequence[Observation]) -> Observation:
    """Observations of a space as a batch of arrays; of texts an array of objects."""
    if isinstance(space, gymnasium.spaces.Dict):
        return {
            name: batched(part, [one[name] for one in observations])
            for name, part in space.spaces.items()
        }
    if isinstance(space, gymnasium.spaces.Tuple):
        parts = enumerate(space.spaces)
        return tuple(batched(part, [one[i] for one in observations]) for i, part in parts)
    if isinstance(space, gymnasium.spaces.Text):
        return np.array(observations, object)
    return np.array(observations, space.dtype).reshape(len(observations), *(space.shape or ()))


def with_arrays(space: object, batch: Observation) -> Observation:
    """A batch of Gymnasium's, with an array where it has a tuple of texts."""
    if isinstance(space, gymnasium.spaces.Dict):
        return {name: with_arrays(part, batch[name]) for name, part in space.spaces.items()}
    if isinstance(space, gymnasium.spaces.Tuple):
        return tuple(with_arrays(part, batch[i]) for i, part in enumerate(space.spaces))
    return np.array(batch, object) if isinstance(space, gymnasium.spaces.Text) else batch


def _is_of_boxes(space: gymnasium.Space) -> bool:
    parts = space.spaces.values() if isinstance(space, gymnasium.spaces.Dict) else [space]
    return all(isinstance(part, gymnasium.spaces.Box) for part in parts)


def _zeros(space: gymnasium.Space, count: int) -> np.ndarray:
    return np.zeros((count, *(space.shape or ())), space.dtype)
