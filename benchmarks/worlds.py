"""Environments of four packages with goals, sparse or dense rewards, and what one would write.

    pip install panda-gym highway-env 'gymnasium[box2d]' && pip install -e '.[paper]'
    python -m benchmarks.pairs benchmarks.worlds --seeds 0 1 2

Of the last three pairs, and of Meta-World's push-right, the controller is right already: nothing
is to be lost on them.
"""

from __future__ import annotations

import gymnasium
import numpy as np

from benchmarks.pairs import Pair

Observation = dict[str, np.ndarray]

HIGH, LOW = 0.12, 0.02  # m, the hand over the table
BEHIND = 0.06  # m, from the cube's middle
REACH = 20.0  # action per metre


def make_panda(name: str = "PandaPush-v3", render_mode: str = "rgb_array") -> gymnasium.Env:
    """An environment of panda-gym."""
    import panda_gym  # noqa: F401  # registers its environments

    return gymnasium.make(name, render_mode=render_mode)


def push(observation: Observation, error: float = 0.0) -> np.ndarray:
    """Pushes the cube, which it sees ``error`` m beside its place: the hand's velocity (3,)."""
    hand, goal = observation["observation"][:3], observation["desired_goal"]
    cube = observation["achieved_goal"] + (error, error, 0.0)
    way = (goal - cube)[:2]
    way = way / max(float(np.linalg.norm(way)), 1e-6)
    behind = cube[:2] - BEHIND * way
    aside = np.linalg.norm(hand[:2] - behind)
    offset = hand[:2] - cube[:2]
    in_line = abs(offset[0] * way[1] - offset[1] * way[0]) < 0.015 and offset @ way < 0.0
    if hand[2] < HIGH / 2 and in_line:
        target = np.append(goal[:2] - 0.03 * way, LOW)
    elif aside < 0.01:
        target = np.append(behind, LOW)
    else:
        target = np.append(behind, HIGH if aside > 0.03 else hand[2])
    return np.clip(REACH * (target - hand), -1.0, 1.0)


def reach(observation: Observation, gain: float = 10.0) -> np.ndarray:
    """Goes straight to the goal: the hand's velocity (3,)."""
    return np.clip(gain * (observation["desired_goal"] - observation["achieved_goal"]), -1.0, 1.0)


def swing_up(observation: np.ndarray) -> np.ndarray:
    """Pendulum by its energy, and a PD law where it is upright: the torque (1,)."""
    cosine, sine, velocity = observation
    if cosine > 0.85:
        torque = -12.0 * np.arctan2(sine, cosine) - 3.0 * velocity
    else:
        missing = 10.0 * (1.0 - cosine) - velocity**2 / 3.0  # energy, /(kg m^2), times 2
        torque = np.sign(velocity or 1.0) * missing
    return np.clip([torque], -2.0, 2.0)


def _panda(name: str, controller: str) -> tuple[str, ...]:
    made = ("benchmarks.worlds:make_panda", "--task.kwargs", f"name={name}")
    return (*made, "--controller", f"benchmarks.worlds:{controller}")


LANDER = (
    "examples.lunar_lander:make_env",
    "--controller",
    "gymnasium.envs.box2d.lunar_lander:heuristic",
)
MAZE = "gymnasium_robotics:PointMaze_UMaze-v3"

PENDULUM = ("Pendulum-v1", "--controller")
PUSH = _panda("PandaPush-v3", "push(error=0.02)")

PAIRS = (
    Pair("panda-push", "sees the cube 2 cm beside its place", PUSH),
    Pair("point-maze", "has no brake", (MAZE, "--controller", "examples.point_maze:controller")),
    Pair("pendulum", "too weak to lift it", (*PENDULUM, "examples.pendulum:controller")),
    Pair("lander-in-wind", "knows no wind", (*LANDER, "--task.kwargs", "enable_wind=True")),
    Pair("panda-reach", "", _panda("PandaReach-v3", "reach"), 15_000),
    Pair("swing-up", "", (*PENDULUM, "benchmarks.worlds:swing_up")),
    Pair("lander", "", LANDER),
)
