"""gymnasium-robotics' PointMaze: a point that is pushed through a U to a goal, without a brake.

The controller follows the U and pushes in proportion to the distance, so it swings past its
goal. Goals are relabelled in hindsight, with the environment's own compute_reward.

    rpl train gymnasium_robotics:PointMaze_UMaze-v3 --controller examples.point_maze:controller \\
        --learner td3 --steps 60000 --learner.hidden 64 64
    rpl eval runs/gymnasium_robotics-PointMaze_UMaze-v3-rpl-td3-seed0
"""

from __future__ import annotations

import numpy as np

GAIN = 1.0  # force / m
ARM = 0.4  # m: beyond this |y| the point is in an arm of the U, else in the bend at x = 1


def controller(observation: dict[str, np.ndarray]) -> np.ndarray:
    """The force (2,) for one observation."""
    place, goal = observation["achieved_goal"], observation["desired_goal"]
    return GAIN * (waypoint(place, goal) - place)


def waypoint(place: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """Where to go next, (2,): the goal if it is in the same arm, else around the wall."""
    in_arm, goal_in_arm = abs(place[1]) > ARM, abs(goal[1]) > ARM
    if in_arm and place[1] * goal[1] > 0 and goal_in_arm:
        return goal
    if in_arm and place[0] < 0.8:
        return np.array([1.0, np.sign(place[1])])
    return np.array([1.0, np.sign(goal[1])]) if goal_in_arm else goal


if __name__ == "__main__":
    import rpl

    name = "gymnasium_robotics:PointMaze_UMaze-v3"
    rpl.improve(name, controller, learner="td3", steps=60_000)
