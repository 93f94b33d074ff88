"""Around a task: a history of observations, and a single environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import gymnasium
import numpy as np
from gymnasium.vector import VectorEnv, VectorWrapper

from rpl.errors import InvalidValue
from rpl.observations import Info, reset_mask
from rpl.tasks.interface import Observation, Seed

if TYPE_CHECKING:
    from rpl.tasks.goal_task import GoalTask


class History(VectorWrapper):
    """A goal task that observes its last ``frames`` observations, against noise (paper, IV-C, V-C).

    ``observation`` becomes ``(num_envs, frames * size)``; goals and all else stay as they are.
    Since the newest frame comes first, the task's layout still names its parts, and controllers
    see what they saw without the history. Before there are enough frames, the episode's first
    one stands for those that are missing.
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

    def reset(self, *, seed: Seed = None, options: Info | None = None) -> tuple[Observation, Info]:
        """Resets the task; episodes that go on keep their frames."""
        # Gymnasium's annotation forgets the list of seeds that its vector environments take.
        observation, info = self.env.reset(seed=cast(int, seed), options=options)
        begun = reset_mask(options, self.num_envs)
        self._frames[begun] = observation["observation"][begun][:, None]
        return self._stacked(observation), info

    def step(
        self, actions: np.ndarray
    ) -> tuple[Observation, np.ndarray, np.ndarray, np.ndarray, Info]:
        """Steps the task and moves the frames on by one."""
        observation, reward, terminated, truncated, info = self.env.step(actions)
        self._frames[:, 1:] = self._frames[:, :-1].copy()
        self._frames[:, 0] = observation["observation"]
        return self._stacked(observation), reward, terminated, truncated, info

    def _stacked(self, observation: Observation) -> Observation:
        return {**observation, "observation": self._frames.reshape(self.num_envs, -1).copy()}


class SingleTask(gymnasium.Env):
    """A batched task with one simulation, seen through Gymnasium's goal-environment interface.

    Its own horizon is left to Gymnasium's ``TimeLimit``, which ``gymnasium.make`` adds.
    """

    def __init__(self, task: GoalTask) -> None:
        if task.num_envs != 1:
            raise ValueError(f"a single environment needs num_envs=1, not {task.num_envs}")
        self.task = task
        self.layout = task.layout
        self.metadata = {k: v for k, v in task.metadata.items() if k != "autoreset_mode"}
        self.render_mode = task.render_mode
        self.observation_space = task.single_observation_space
        self.action_space = task.single_action_space

    def reset(
        self, *, seed: int | None = None, options: Info | None = None
    ) -> tuple[Observation, Info]:
        """Starts an episode; see Gymnasium."""
        super().reset(seed=seed)
        if seed is None:
            # Gymnasium asks that np_random alone decides an unseeded reset.
            seed = int(self.np_random.integers(2**31))
        observation, _ = self.task.reset(seed=seed)
        return _first(observation), {}

    def step(self, action: np.ndarray) -> tuple[Observation, float, bool, bool, Info]:
        """Advances by one action; never truncates by itself."""
        observation, reward, _, _, info = self.task.step(np.asarray(action)[None])
        return _first(observation), float(reward[0]), False, False, _first(info)

    def compute_reward(
        self, achieved_goal: np.ndarray, desired_goal: np.ndarray, info: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        """See ``rpl.tasks.goal_task.GoalTask.compute_reward``."""
        return self.task.compute_reward(np.asarray(achieved_goal), np.asarray(desired_goal), info)

    def render(self) -> np.ndarray | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """A (height, width, 3) frame in ``rgb_array`` mode; None with a window."""
        frames = self.task.render()
        return None if frames is None else frames[0]

    def close(self) -> None:
        """Frees what the task holds."""
        self.task.close()


def _first(batched: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: value[0] for name, value in batched.items()}
