"""ReactivePush: go behind the block, then push it to the goal (paper, appendix A.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rpl.controllers.gripper import (
    APPROACH_HEIGHT,
    CLOSE,
    HOLD,
    first_that_holds,
    move,
    only_fingers,
    raised,
    read,
    squared,
)
from rpl.errors import above_0, check_settings
from rpl.tasks.layout import Layout

BEHIND_BLOCK = 0.075  # metres between the block's centre and the push point
ABOVE_BLOCK = 0.005  # metres by which the push point lies above the block's centre


@dataclass(frozen=True)
class ReactivePush:
    """A stateless pushing policy, tuned to solve push and too fast for slippery-push.

    The first of these that holds decides:
    the block is at the goal: do nothing;
    the block is between gripper and goal: move towards the goal;
    the gripper is above the push point: go down to it;
    otherwise: go above the push point.
    """

    layout: Layout
    """The observation's names: ``task.layout``."""
    gain: float = 10.0
    """Action per metre when moving freely."""
    push_gain: float = 5.0
    """Action per metre when pushing."""

    def __post_init__(self) -> None:
        """Refuses gains with which nothing can be reached."""
        gains = {"--controller.gain": self.gain, "--controller.push-gain": self.push_gain}
        check_settings(gains, above_0, "above 0")

    def __call__(self, observation: Mapping[str, np.ndarray]) -> np.ndarray:
        """Actions (num_envs, 4) for observations of num_envs simulations; not clipped."""
        gripper, block = read(observation, self.layout, "gripper_position", "object_position")
        goal = observation["desired_goal"]
        push_point = self._push_point(block, goal)
        along_table = np.concatenate([goal[:, :2], gripper[:, 2:]], axis=1)
        return first_that_holds(
            [
                (squared(block - goal) < CLOSE, only_fingers(len(gripper), HOLD)),
                (
                    self._block_between(gripper, block, goal, push_point),
                    move(gripper, along_table, self.push_gain, HOLD),
                ),
                (
                    squared((gripper - push_point)[:, :2]) < CLOSE,
                    move(gripper, push_point, self.gain, HOLD),
                ),
            ],
            otherwise=move(gripper, raised(push_point, APPROACH_HEIGHT), self.gain, HOLD),
        )

    @staticmethod
    def _push_point(block: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """Behind the block on the line from the goal through the block, (num_envs, 3)."""
        line = (block - goal)[:, :2]
        length = np.linalg.norm(line, axis=1, keepdims=True)
        point = raised(block, ABOVE_BLOCK)
        point[:, :2] += BEHIND_BLOCK * line / np.maximum(length, 1e-12)
        return point

    @staticmethod
    def _block_between(
        gripper: np.ndarray, block: np.ndarray, goal: np.ndarray, push_point: np.ndarray
    ) -> np.ndarray:
        from_gripper, from_block = (goal - gripper)[:, :2], (goal - block)[:, :2]
        cosine = np.einsum("ni,ni->n", from_gripper, from_block)
        lengths = np.sqrt(squared(from_gripper) * squared(from_block))
        aligned = cosine > lengths * np.cos(np.pi / 4)
        nearer = squared(from_block) < squared(from_gripper)
        level = (gripper[:, 2] - push_point[:, 2]) ** 2 < CLOSE
        return aligned & nearer & level
