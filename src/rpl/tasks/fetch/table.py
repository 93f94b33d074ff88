"""The Fetch arm in front of a table: push, slippery push, pick and place (paper, V-A.1-3)."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Unpack

import mujoco
import numpy as np

from rpl.tasks.fetch.arm import (
    FetchArmTask,
    InitialPose,
    fetch_assets,
    hold_weld_at_gripper,
    settle_arm,
)
from rpl.tasks.fetch.lean import keep_softness, make_lean
from rpl.tasks.fetch.options import PUSH, FetchOptions
from rpl.tasks.interface import TaskKeywords

OBJECT_RANGE = TARGET_RANGE = 0.15  # metres around the initial gripper position
BLOCK_COLOUR = (0.95, 0.62, 0.1, 1.0)
CLOSEST_OBJECT = 0.1  # metres between gripper and object, in the plane, at the start


def fetch_spec(options: FetchOptions) -> mujoco.MjSpec:
    """The published scene with the options' friction and collisions, ready to compile."""
    name = "push.xml" if options.gripper_locked else "pick_and_place.xml"
    spec = mujoco.MjSpec.from_file(str(fetch_assets() / name))
    # The published block is black, like the fingers in front of it.
    block = spec.geom("object0")
    block.material, block.rgba = "", BLOCK_COLOUR
    if options.friction is not None:
        for geom in spec.geoms:
            geom.friction = options.friction
    if options.physics == "lean":
        make_lean(spec, settle(options).qpos, objects=("object0",))
    return spec


@lru_cache(maxsize=8)
def exact_scene(options: FetchOptions) -> mujoco.MjModel:
    """The compiled scene with exact physics, whatever the options say of physics."""
    model = fetch_spec(replace(options, physics="exact")).compile()
    hold_weld_at_gripper(model)
    return model


def fetch_scene(options: FetchOptions) -> mujoco.MjModel:
    """The compiled scene of the options."""
    model = fetch_spec(options).compile()
    if options.physics == "lean":
        keep_softness(model, exact_scene(options))
    return model


@lru_cache(maxsize=8)
def settle(options: FetchOptions) -> InitialPose:
    """Where episodes begin; from the exact scene for lean ones too, so that they agree."""
    height = 0.0 if options.gripper_locked else 0.2
    return settle_arm(exact_scene(options), (1.25, 0.53, 0.4), height)


class FetchTask(FetchArmTask):
    """Move an object to a goal with the Fetch arm; T = 50, success within 0.05 m.

    The 25 observed numbers, the reset, the reward and the action are those of
    gymnasium-robotics' FetchPush-v4 and FetchPickAndPlace-v4, of which ``exact``
    physics reproduces every observation.

    Args:
        num_envs: number of simulations.
        options: the task's variations.
        keywords: see ``GoalTask``.
    """

    horizon = 50

    def __init__(
        self, num_envs: int = 1, options: FetchOptions = PUSH, **keywords: Unpack[TaskKeywords]
    ) -> None:
        self.options = options
        model, locked = fetch_scene(options), options.gripper_locked
        super().__init__(model, settle(options), num_envs, gripper_locked=locked, **keywords)

    def _place(self, generator: np.random.Generator, simulation: int) -> None:
        offset = np.zeros(2)
        while np.linalg.norm(offset) < CLOSEST_OBJECT:
            offset = generator.uniform(-OBJECT_RANGE, OBJECT_RANGE, 2)
        start = self._object_qpos
        self._qpos[simulation, start : start + 2] = self.initial.gripper_position[:2] + offset

    def _sample_goal(self, generator: np.random.Generator, simulation: int) -> np.ndarray:
        goal = self.initial.gripper_position + generator.uniform(-TARGET_RANGE, TARGET_RANGE, 3)
        goal[2] = self.initial.object_height
        if self.options.target_in_the_air and generator.uniform() < 0.5:
            goal[2] += generator.uniform(0.0, 0.45)
        return goal
