"""One simulation of a batched task as an ordinary Gymnasium environment."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

from rpl.tasks.goal_task import GoalTask


class SingleTask(gymnasium.Env):
    """A batched task with one simulation, seen through Gymnasium's goal-environment interface.

    Args:
        task: a task with ``num_envs == 1``. Its own horizon is left to Gymnasium's
            ``TimeLimit``, which ``gymnasium.make`` adds.
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
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Starts an episode; see Gymnasium."""
        super().reset(seed=seed)
        if seed is None:
            # Gymnasium asks that np_random alone decides an unseeded reset.
            seed = int(self.np_random.integers(2**31))
        observation, _ = self.task.reset(seed=seed)
        return _first(observation), {}

    def step(
        self, action: np.ndarray
    ) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        """Advances by one action; never truncates by itself."""
        observation, reward, _, _, info = self.task.step(np.asarray(action)[None])
        return _first(observation), float(reward[0]), False, False, _first(info)

    def compute_reward(self, achieved_goal: Any, desired_goal: Any, info: Any) -> Any:
        """See ``rpl.tasks.goal_task.GoalTask.compute_reward``."""
        return self.task.compute_reward(np.asarray(achieved_goal), np.asarray(desired_goal), info)

    def render(self) -> np.ndarray | None:  # type: ignore[override]
        """A (height, width, 3) frame in ``rgb_array`` mode; None with a window."""
        frames = self.task.render()
        return None if frames is None else frames[0]

    def close(self) -> None:
        """Frees what the task holds."""
        self.task.close()


def _first(batched: dict[str, Any]) -> dict[str, Any]:
    return {name: value[0] for name, value in batched.items()}
