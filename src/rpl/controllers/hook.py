"""ReactiveHook: grasp the hook, put it behind the object, pull (paper, appendix A.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rpl.controllers.gripper import (
    CLOSE,
    CLOSE_FINGERS,
    FINGER_TOLERANCE,
    HOLD,
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

GRASP_DEPTH = 0.05  # metres by which the gripper grasps below the place to grasp
CLOSED_ON_HOOK = 0.014  # metres a finger is away from the centre
LIFTED, PULLING, LOW = 0.5, 0.45, 0.475  # heights of the gripper, metres
# Squared metres between gripper and grasp. Within REACHED the fingers close. Fingers that are
# no further apart than the hook is wide hold it up to HELD, so that a noisy position may be off.
REACHED, HELD = 2.5e-3, 1.44e-2
# The place to grasp, from the object, when the hook's far end is behind the object and its bar
# to the right of it: x and y, metres.
PLACE = np.array((-0.5, -0.05))
ALIGNED = 0.03  # metres from there, before the hook goes down
# Once it is down, it stays until the object lies beyond its far end, left or right of it.
FARTHEST_BEHIND, FARTHEST_RIGHT, FARTHEST_LEFT = -0.64, -0.17, 0.0


@dataclass(frozen=True)
class ReactiveHook:
    """A stateless policy that solves the hook task when nothing disturbs it.

    The first of these that holds decides:
    the object is at the goal: do nothing;
    the hook is not held: grasp it;
    the hook is not beyond and to the right of the object: lift it, move it forward, then
    sideways, and put it down;
    otherwise: move as the object has to move.
    """

    layout: Layout
    """The observation's names: ``task.layout``."""
    gain: float = 10.0
    """Action per metre when moving freely."""
    pull: float = 0.4
    """Size of the action that pulls the object."""

    def __post_init__(self) -> None:
        """Refuses gains with which nothing can be reached."""
        gains = {"--controller.gain": self.gain, "--controller.pull": self.pull}
        check_settings(gains, above_0, "above 0")

    def __call__(self, observation: Mapping[str, np.ndarray]) -> np.ndarray:
        """Actions (num_envs, 4) for observations of num_envs simulations; not clipped."""
        gripper, block, hook, fingers = read(
            observation,
            self.layout,
            *("gripper_position", "object_position", "hook_position", "finger_position"),
        )
        goal = observation["desired_goal"]
        far = squared(gripper - raised(hook, -GRASP_DEPTH))
        held = (far < HELD) & (fingers[:, 0] < CLOSED_ON_HOOK + FINGER_TOLERANCE)
        low = gripper[:, 2] < LOW
        behind, right = self._placed((hook - block)[:, :2], low)
        placed = behind & right
        here = gripper[:, :2]
        place = here + PLACE - (hook - block)[:, :2]
        forward = np.column_stack([place[:, 0], here[:, 1]])
        return first_that_holds(
            [
                (squared(block - goal) < CLOSE, only_fingers(len(gripper), HOLD)),
                (held & placed & low, self._pull(gripper, (goal - block)[:, :2])),
                (held & placed, self._carry(gripper, here, PULLING)),
                (held & low, self._carry(gripper, here, LIFTED)),
                (held & ~behind, self._carry(gripper, forward, LIFTED)),
                (held, self._carry(gripper, place, LIFTED)),
            ],
            otherwise=self._grasp(gripper, raised(hook, -GRASP_DEPTH), fingers),
        )

    @staticmethod
    def _placed(offset: np.ndarray, low: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Whether the hook is behind and whether it is right of the object, each (num_envs,)."""
        x, y = offset.T
        behind = x > np.where(low, FARTHEST_BEHIND, PLACE[0] - ALIGNED)
        right = np.where(
            low, (y > FARTHEST_RIGHT) & (y < FARTHEST_LEFT), np.abs(y - PLACE[1]) < ALIGNED
        )
        return behind, right

    def _carry(self, gripper: np.ndarray, target: np.ndarray, height: float) -> np.ndarray:
        """Moves the hook so that the gripper comes to ``target`` (num_envs, 2) at a height."""
        target = np.column_stack([target, np.full(len(target), height)])
        return move(gripper, target, self.gain, CLOSE_FINGERS)

    def _pull(self, gripper: np.ndarray, line: np.ndarray) -> np.ndarray:
        """Moves the hook along the line (num_envs, 2) that the object has to go."""
        action = self._carry(gripper, gripper[:, :2], PULLING)
        length = np.linalg.norm(line, axis=1, keepdims=True)
        action[:, :2] = self.pull * line / np.maximum(length, 1e-12)
        return action

    def _grasp(self, gripper: np.ndarray, grasp: np.ndarray, fingers: np.ndarray) -> np.ndarray:
        """Opens the fingers above the grasp, goes down and closes them."""
        reached = squared(gripper - grasp) < REACHED
        return first_that_holds(
            [(reached, only_fingers(len(gripper), CLOSE_FINGERS))],
            otherwise=open_and_descend(gripper, grasp, fingers, self.gain),
        )
