"""ReactivePickAndPlace: grasp the block, carry it to the goal (paper, appendix A.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rpl.controllers.gripper import (
    CLOSE,
    CLOSE_FINGERS,
    CLOSED_ON_BLOCK,
    FINGER_TOLERANCE,
    first_that_holds,
    move,
    only_fingers,
    open_and_descend,
    raised,
    read,
    squared,
)
from rpl.errors import above_0, check_settings
from rpl.tasks.layout import Layout

GRASP_HEIGHT = -0.02  # metres, gripper above block when grasping
CARRY_HEIGHT = 0.045  # metres above the grasp, to clear the table
AT_GOAL = 1e-6  # m^2


@dataclass(frozen=True)
class ReactivePickAndPlace:
    """A stateless pick-and-place policy; its carrying gain tunes or spoils it.

    With ``carrying_gain=10`` it solves the task. At 100, the miscalibrated setting, the
    gripper overshoots and swings about the goal, and about half of the episodes fail.
    """

    layout: Layout
    """The observation's names: ``task.layout``."""
    gain: float = 10.0
    """Action per metre when moving without the block."""
    carrying_gain: float = 100.0
    """Action per metre when carrying the block: 10 is tuned, 100 miscalibrated."""

    def __post_init__(self) -> None:
        """Refuses gains with which nothing can be reached."""
        gains = {"--controller.gain": self.gain, "--controller.carrying-gain": self.carrying_gain}
        check_settings(gains, above_0, "above 0")

    def __call__(self, observation: Mapping[str, np.ndarray]) -> np.ndarray:
        """Actions (num_envs, 4) for observations of num_envs simulations; not clipped."""
        gripper, block, fingers = read(
            observation, self.layout, "gripper_position", "object_position", "finger_position"
        )
        goal = observation["desired_goal"]
        count = len(gripper)
        grasp = raised(block, GRASP_HEIGHT)
        carry = raised(goal, GRASP_HEIGHT + CARRY_HEIGHT)
        inside = squared(gripper - grasp) < CLOSE
        grasped = inside & (fingers[:, 0] < CLOSED_ON_BLOCK + FINGER_TOLERANCE)
        return first_that_holds(
            [
                (grasped & (squared(block - goal) < AT_GOAL), only_fingers(count, CLOSE_FINGERS)),
                (grasped, move(gripper, carry, self.carrying_gain, CLOSE_FINGERS)),
                (inside, only_fingers(count, CLOSE_FINGERS)),
            ],
            otherwise=open_and_descend(gripper, grasp, fingers, self.gain),
        )
