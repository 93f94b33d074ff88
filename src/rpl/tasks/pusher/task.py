"""MBRLPusher: a 7-joint arm pushes a tall cylinder to a fixed goal (paper, V-A.6).

The task of Chua et al., "Deep reinforcement learning in a handful of trials" (2018), which
is not Gymnasium's Pusher: other arm lengths, start, goal and reward.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Unpack

import mujoco
import numpy as np

from rpl.tasks.goal_task import GoalTask
from rpl.tasks.interface import Observation, TaskKeywords
from rpl.tasks.pusher.options import MBRL_PUSHER, PusherOptions
from rpl.tasks.rendering import Camera

Array = Any  # NumPy's, and JAX's where a planner's cost is this task's reward

SCENE = Path(__file__).with_name("scene.xml")
JOINTS = 7
OBJECT_START = (-0.25, 0.15)  # metres along the slides: y, then x
OBJECT_START_STD = 0.025  # metres
START_SPEED = 0.005  # rad/s, the largest
OBJECT_WEIGHT, TIP_WEIGHT, ACTION_WEIGHT = 1.25, 0.5, 0.1  # of the reward's three terms


def pusher_scene(max_torque: float) -> mujoco.MjModel:
    """The compiled scene; ``max_torque`` is that of every joint, N m."""
    model = mujoco.MjModel.from_xml_path(str(SCENE))
    model.actuator_gainprm[:, 0] = max_torque
    return model


class PusherTask(GoalTask):
    """Push a cylinder to a goal with the torques of seven joints; T = 150. See ``GoalTask``.

    The 20 observed numbers: ``joint_positions`` (7, rad), ``joint_velocities`` (7, rad/s),
    ``tip_position`` and ``object_position`` (3 each, m). The arm starts stretched out with
    velocities up to 0.005 rad/s, the cylinder about 0.29 m from the goal, normally
    distributed by 0.025 m; the goal is always the same.

    The goal lies 0.048 m below the centre of the cylinder, so that success (0.05 m in
    space) says little: judge by return.
    """

    action_size, horizon, substeps = JOINTS, 150, 4
    camera = Camera(distance=2.0, azimuth=150.0, elevation=-40.0, lookat=(0.4, -0.2, -0.2))

    def __init__(
        self,
        num_envs: int = 1,
        options: PusherOptions = MBRL_PUSHER,
        **keywords: Unpack[TaskKeywords],
    ) -> None:
        self.options = options
        super().__init__(pusher_scene(options.max_torque), num_envs, **keywords)
        self._qpos, self._qvel = self.batch.bind("qpos"), self.batch.bind("qvel")
        self._control = self.batch.bind("ctrl")
        self._body_position = self.batch.bind("xpos")
        self._tips, self._object = self.model.body("tips").id, self.model.body("object").id
        self._define_observation_space()

    def _reset_simulations(self, ids: np.ndarray) -> None:
        self.batch.reset(ids, stage=int(mujoco.mjtStage.mjSTAGE_NONE))
        for i in ids:
            generator = self._generators[i]
            offset = OBJECT_START_STD * generator.standard_normal(2)
            self._qpos[i, JOINTS:] = OBJECT_START + offset
            self._qvel[i, :JOINTS] = generator.uniform(-START_SPEED, START_SPEED, JOINTS)
        self.batch.forward(ids)

    def _sample_goal(self, generator: np.random.Generator, simulation: int) -> np.ndarray:
        return self.model.site("goal").pos.copy()

    def _apply_action(self, action: np.ndarray) -> None:
        self._control[:] = action

    def _observables(self) -> dict[str, np.ndarray]:
        return {
            "joint_positions": self._qpos[:, :JOINTS],
            "joint_velocities": self._qvel[:, :JOINTS],
            "tip_position": self._body_position[:, self._tips],
            "object_position": self._body_position[:, self._object],
        }

    def _achieved_goal(self, observables: dict[str, np.ndarray]) -> np.ndarray:
        return observables["object_position"]

    def _reward_info(self, observation: Observation, action: np.ndarray) -> dict[str, np.ndarray]:
        return {"observation": observation["observation"], "action": action}

    def compute_reward(
        self, achieved_goal: Array, desired_goal: Array, info: Mapping[str, Array]
    ) -> Array:
        """r = -(1.25 |object - goal|_1 + 0.5 |tip - object|_1 + 0.1 |torque|^2), metres and N m.

        Written with operators alone, so that NumPy and JAX arrays will both do: a planner's
        cost is this very function.

        Args:
            achieved_goal: (..., 3) the cylinder's position.
            desired_goal: (..., 3)
            info: ``observation`` (..., 20), after the step, and ``action`` (..., 7) of the step
                in [-1, 1], as in the info that ``step`` returns.

        Returns:
            (...) rewards.
        """
        tip = info["observation"][..., self.layout.tip_position]
        torque = self.options.max_torque * info["action"]
        return -(
            OBJECT_WEIGHT * abs(achieved_goal - desired_goal).sum(axis=-1)
            + TIP_WEIGHT * abs(tip - achieved_goal).sum(axis=-1)
            + ACTION_WEIGHT * (torque**2).sum(axis=-1)
        )

    def predicted_reward(self, observation: Array, action: Array, desired_goal: Array) -> Array:
        """The reward (...) of predicted observations (..., 20), for planners."""
        achieved_goal = observation[..., self.layout.object_position]
        info = {"observation": observation, "action": action}
        return self.compute_reward(achieved_goal, desired_goal, info)
