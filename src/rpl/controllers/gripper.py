"""What the hand-made controllers share: where the gripper is and how to move it."""

from collections.abc import Mapping

import numpy as np

from rpl.tasks.layout import Layout

# Distances are compared squared, in m^2, as the paper's "global threshold".
CLOSE = 1e-3
OPEN_FINGERS, CLOSED_ON_BLOCK = 0.05, 0.024  # metres a finger is away from the centre
FINGER_TOLERANCE = 3e-3
APPROACH_HEIGHT = 0.1  # metres above where the gripper is to go
OPEN, HOLD, CLOSE_FINGERS = 1.0, 0.0, -1.0


def squared(vector: np.ndarray) -> np.ndarray:
    """Squared length over the last axis."""
    return np.einsum("...i,...i->...", vector, vector)


def move(
    gripper: np.ndarray, target: np.ndarray, gain: float | np.ndarray, fingers: float | np.ndarray
) -> np.ndarray:
    """Actions (num_envs, 4) that move the gripper to a target, both (num_envs, 3), metres.

    ``gain`` is the action per metre of distance, ``fingers`` the fourth component.
    """
    action = np.empty((len(gripper), 4))
    action[:, :3] = gain * (target - gripper)
    action[:, 3] = fingers
    return action


def read(observation: Mapping[str, np.ndarray], layout: Layout, *parts: str) -> list[np.ndarray]:
    """Parts of the observation by name, each (num_envs, size)."""
    return [observation["observation"][:, getattr(layout, part)] for part in parts]


def raised(position: np.ndarray, height: float) -> np.ndarray:
    """Positions (num_envs, 3) moved up by ``height`` metres."""
    return position + np.array((0.0, 0.0, height))


def only_fingers(count: int, fingers: float) -> np.ndarray:
    """Actions (count, 4) that hold the gripper still and work the fingers."""
    return np.tile((0.0, 0.0, 0.0, fingers), (count, 1))


def open_and_descend(
    gripper: np.ndarray, grasp: np.ndarray, fingers: np.ndarray, gain: float
) -> np.ndarray:
    """Actions (num_envs, 4): go above the grasp, open the fingers there, then go down."""
    over = squared((gripper - grasp)[:, :2]) < CLOSE
    opened = np.abs(fingers[:, 0] - OPEN_FINGERS) < FINGER_TOLERANCE
    return first_that_holds(
        [
            (over & ~opened, only_fingers(len(gripper), OPEN)),
            (over, move(gripper, grasp, gain, OPEN)),
        ],
        otherwise=move(gripper, raised(grasp, APPROACH_HEIGHT), gain, OPEN),
    )


def first_that_holds(
    cases: list[tuple[np.ndarray, np.ndarray]], otherwise: np.ndarray
) -> np.ndarray:
    """The action (num_envs, 4) of the first condition (num_envs,) that holds in each simulation."""
    conditions, actions = zip(*cases, strict=True)
    return np.select([c[:, None] for c in conditions], actions, otherwise)
