"""ReactiveHook: grasp the hook, put it behind the object, pull (paper, appendix A.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rpl.controllers.gripper import (
    CLOSE,
    CLOSE_FINGERS,
    FINGER_TOLERANCE,
    OPEN,
    OPEN_FINGERS,
    first_that_holds,
    move,
    read,
    squared,
)
from rpl.tasks.layout import Layout

GRASP_OFFSET = np.array((0.0, 0.0, -0.05))  # gripper from the place to grasp, metres
APPROACH_HEIGHT = 0.1  # metres above the grasp
CLOSED_ON_HOOK = 0.014  # metres a finger is away from the centre
LIFTED, PULLING = 0.5, 0.45  # heights of the gripper, metres
# Where the place to grasp is, from the object, when the hook's far end is behind the object
# and its bar to the right of it.
BEHIND, RIGHT = -0.5, -0.05
# How far it may be from there: the far end follows the object before it touches it.
TOUCHING = -0.64


@dataclass(frozen=True)
class ReactiveHook:
    """A stateless policy that solves the hook task when nothing disturbs it."""

    layout: Layout
    """The observation's names: ``task.layout``."""
    gain: float = 10.0
    """Action per metre when moving."""
    pull: float = 0.4
    """Size of the action when pulling the object."""

    def __call__(self, observation: Mapping[str, np.ndarray]) -> np.ndarray:
        """Actions (num_envs, 4) for observations of num_envs simulations; not clipped."""
        gripper, block, hook, fingers = read(
            observation,
            self.layout,
            "gripper_position",
            "object_position",
            "hook_position",
            "finger_position",
        )
        goal = observation["desired_goal"]
        still = np.zeros((len(gripper), 4))
        grasp = hook + GRASP_OFFSET
        inside = squared(gripper - grasp) < CLOSE
        grasped = inside & (fingers[:, 0] < CLOSED_ON_HOOK + FINGER_TOLERANCE)
        over = squared((gripper - grasp)[:, :2]) < CLOSE
        opened = np.abs(fingers[:, 0] - OPEN_FINGERS) < FINGER_TOLERANCE
        above = grasp + (0.0, 0.0, APPROACH_HEIGHT)
        fromblock = (hook - block)[:, :2]
        behind = fromblock[:, 0] > TOUCHING
        right = (fromblock[:, 1] < -0.03) & (fromblock[:, 1] > -0.12)
        low = gripper[:, 2] < LIFTED - 0.03
        delta = still.copy()
        delta[:, 3] = CLOSE_FINGERS
        forward = delta.copy()
        forward[:, 0] = self.gain * (BEHIND - fromblock[:, 0])
        forward[:, 2] = self.gain * (LIFTED - gripper[:, 2])
        sideways = forward.copy()
        sideways[:, 1] = self.gain * (RIGHT - fromblock[:, 1])
        lift = delta.copy()
        lift[:, 2] = self.gain * (LIFTED - gripper[:, 2])
        lower = delta.copy()
        lower[:, 2] = self.gain * (PULLING - gripper[:, 2])
        line = (goal - block)[:, :2]
        pull = delta.copy()
        pull[:, :2] = self.pull * line / np.maximum(np.linalg.norm(line, axis=1, keepdims=True), 1e-12)
        pull[:, 2] = self.gain * (PULLING - gripper[:, 2])
        return first_that_holds(
            [
                (squared(block - goal) < CLOSE, still),
                (grasped & behind & right & (gripper[:, 2] > PULLING + 0.02), lower),
                (grasped & behind & right, pull),
                (grasped & low, lift),
                (grasped & ~behind, forward),
                (grasped, sideways),
                (inside, still + (0, 0, 0, CLOSE_FINGERS)),
                (over & ~opened, still + (0, 0, 0, OPEN)),
                (over, move(gripper, grasp, self.gain, OPEN)),
            ],
            otherwise=move(gripper, above, self.gain, OPEN),
        )
