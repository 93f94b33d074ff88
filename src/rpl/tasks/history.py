"""The last few observations side by side, against sensor noise (paper, IV-C and V-C)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import VectorEnv, VectorWrapper

from rpl.errors import InvalidValue
from rpl.resetting import reset_mask


class History(VectorWrapper):
    """A task that observes its last ``frames`` observations, the newest first.

    ``observation`` becomes ``(num_envs, frames * size)``; goals and all else stay as they
    are. Since the newest frame comes first, the task's layout still names its parts, and
    controllers see what they saw without the history. Before there are enough frames, the
    episode's first one stands for those that are missing.

    Args:
        task: a goal-reaching vector environment without autoreset.
        frames: number of observations, 1 or more.
    """

    def __init__(self, task: VectorEnv, frames: int) -> None:
        super().__init__(task)
        if frames < 1:
            raise InvalidValue(f"frames must be at least 1, not {frames}")
        self.frames = frames
        single = task.single_observation_space
        if not isinstance(single, gymnasium.spaces.Dict):
            raise TypeError(f"a history needs the observations of a goal task, not {single}")
        (self.frame_size,) = single["observation"].shape or (0,)
        self._frames = np.zeros((task.num_envs, frames, self.frame_size))
        stacked = gymnasium.spaces.Box(-np.inf, np.inf, (frames * self.frame_size,), np.float64)
        self.single_observation_space = gymnasium.spaces.Dict(
            {**single.spaces, "observation": stacked}
        )
        self.observation_space = gymnasium.vector.utils.batch_space(
            self.single_observation_space, task.num_envs
        )

    def __getattr__(self, name: str) -> Any:
        """What the history does not change is the task's: its layout, rewards, pictures."""
        if name.startswith("_"):
            raise AttributeError(f"'History' object has no attribute '{name}'")
        return getattr(self.env, name)

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Resets the task; episodes that go on keep their frames."""
        observation, info = self.env.reset(seed=seed, options=options)  # type: ignore[arg-type]
        begun = reset_mask(options, self.num_envs)
        self._frames[begun] = observation["observation"][begun][:, None]
        return self._stacked(observation), info

    def step(self, actions: np.ndarray) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Steps the task and moves the frames on by one."""
        observation, reward, terminated, truncated, info = self.env.step(actions)
        self._frames[:, 1:] = self._frames[:, :-1].copy()
        self._frames[:, 0] = observation["observation"]
        return self._stacked(observation), reward, terminated, truncated, info

    def _stacked(self, observation: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {**observation, "observation": self._frames.reshape(self.num_envs, -1).copy()}
