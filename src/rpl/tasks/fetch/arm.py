"""What every task with the published Fetch arm shares: its scene, its moves, what it senses."""

import importlib.util
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

import mujoco
import numpy as np

from rpl.tasks.fetch.options import SUBSTEPS
from rpl.tasks.goal_task import GoalTask
from rpl.tasks.interface import TaskKeywords
from rpl.tasks.kinematics import SiteVelocity, euler_angles
from rpl.tasks.needed import NeedsMuJoCo

MOVE_PER_ACTION = 0.05  # metres the gripper's target moves under a full action
BASE_POSITION = {"robot0:slide0": 0.405, "robot0:slide1": 0.48, "robot0:slide2": 0.0}
FINGER_JOINTS = ("robot0:r_gripper_finger_joint", "robot0:l_gripper_finger_joint")


def fetch_assets() -> Path:
    """The folder of the published Fetch scenes, found without importing their package."""
    package = importlib.util.find_spec("gymnasium_robotics")
    if package is None or package.origin is None:
        raise NeedsMuJoCo(
            "the Fetch tasks need the model in gymnasium-robotics: pip install -e '.[paper]'"
        )
    return Path(package.origin).parent / "envs" / "assets" / "fetch"


def hold_weld_at_gripper(model: mujoco.MjModel) -> None:
    """Lets the mocap body pull the gripper's own frame, without an offset."""
    welds = model.eq_type == int(mujoco.mjtEq.mjEQ_WELD)
    model.eq_data[welds, :7] = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)


@dataclass(frozen=True)
class InitialPose:
    """Where every episode begins, found by letting the published scene settle."""

    qpos: dict[str, np.ndarray]
    """By joint."""
    qvel: dict[str, np.ndarray]
    """By joint."""
    time: float
    gripper_position: np.ndarray
    object_height: float

    def state(self, model: mujoco.MjModel) -> tuple[np.ndarray, np.ndarray]:
        """``qpos`` and ``qvel`` for a model, which may have fewer joints."""
        data = mujoco.MjData(model)
        for i in range(model.njnt):
            joint = data.joint(i)
            if joint.name in self.qpos:
                joint.qpos, joint.qvel = self.qpos[joint.name], self.qvel[joint.name]
        return data.qpos.copy(), data.qvel.copy()


def settle_arm(
    model: mujoco.MjModel, object_position: tuple[float, ...], gripper_height: float
) -> InitialPose:
    """Moves the arm over the table as the published environments do: ten steps of settling."""
    hold_weld_at_gripper(model)
    data = mujoco.MjData(model)
    for name, value in BASE_POSITION.items():
        data.joint(name).qpos = value
    data.joint("object0:joint").qpos = (*object_position, 1.0, 0.0, 0.0, 0.0)
    mujoco.mj_forward(model, data)
    target = np.array((-0.498, 0.005, -0.431 + gripper_height))
    data.mocap_pos[0] = target + data.site("robot0:grip").xpos
    data.mocap_quat[0] = (1.0, 0.0, 1.0, 0.0)
    for _ in range(10):
        mujoco.mj_step(model, data, nstep=SUBSTEPS)
    joints = [data.joint(i) for i in range(model.njnt)]
    return InitialPose(
        {joint.name: joint.qpos.copy() for joint in joints},
        {joint.name: joint.qvel.copy() for joint in joints},
        float(data.time),
        data.site("robot0:grip").xpos.copy(),
        float(data.site("object0").xpos[2]),
    )


class FetchArmTask(GoalTask):
    """A goal-reaching task with the Fetch arm and one object, of 25 or more observed numbers.

    The action is the gripper's displacement in units of 5 cm and the change of the fingers'
    opening, which has no effect where the gripper is locked: its fingers stay closed. The
    object is the model's body ``object0``, on a free joint of its own. See ``GoalTask``.
    """

    action_size, substeps = 4, SUBSTEPS

    def __init__(
        self,
        model: mujoco.MjModel,
        initial: InitialPose,
        num_envs: int,
        *,
        gripper_locked: bool,
        **keywords: Unpack[TaskKeywords],
    ) -> None:
        hold_weld_at_gripper(model)
        self.initial = initial
        self._initial_qpos, self._initial_qvel = initial.state(model)
        self.gripper_locked = gripper_locked
        super().__init__(model, num_envs, **keywords)
        self._bind()
        self._define_observation_space()

    def _bind(self) -> None:
        batch, model = self.batch, self.model
        self._qpos, self._qvel = batch.bind("qpos"), batch.bind("qvel")
        self._time = batch.bind("time")
        self._mocap_pos, self._mocap_quat = batch.bind("mocap_pos"), batch.bind("mocap_quat")
        self._control = batch.bind("ctrl")
        self._body_position, self._body_quaternion = batch.bind("xpos"), batch.bind("xquat")
        self._site_position, self._site_rotation = batch.bind("site_xpos"), batch.bind("site_xmat")
        self._gripper_body = model.body("robot0:gripper_link").id
        self._gripper_site = model.site("robot0:grip").id
        self._object_site = model.site("object0").id
        self._object_qpos = int(model.joint("object0:joint").qposadr[0])
        self._finger_qpos = [int(model.joint(name).qposadr[0]) for name in FINGER_JOINTS]
        self._finger_qvel = [int(model.joint(name).dofadr[0]) for name in FINGER_JOINTS]
        self._gripper_velocity = SiteVelocity(batch, model, "robot0:grip")
        self._object_velocity = SiteVelocity(batch, model, "object0")
        # An actuator's target is relative to its own joint; actuators may come in any order.
        self._actuated_qpos = model.jnt_qposadr[model.actuator_trnid[:, 0]]

    @abstractmethod
    def _place(self, generator: np.random.Generator, simulation: int) -> None:
        """Draws where the objects of one simulation begin, and writes it."""

    def _reset_simulations(self, ids: np.ndarray) -> None:
        self.batch.reset(ids, stage=int(mujoco.mjtStage.mjSTAGE_NONE))
        self._qpos[ids] = self._initial_qpos
        self._qvel[ids] = self._initial_qvel
        self._time[ids] = self.initial.time
        for i in ids:
            self._place(self._generators[i], int(i))
        self.batch.forward(ids)

    def _apply_action(self, action: np.ndarray) -> None:
        # The mocap body first snaps to where the gripper is known to be, then leads it.
        self._mocap_pos[:, 0] = (
            self._body_position[:, self._gripper_body] + MOVE_PER_ACTION * action[:, :3]
        )
        self._mocap_quat[:, 0] = self._body_quaternion[:, self._gripper_body] + (1.0, 0.0, 1.0, 0.0)
        if not self.gripper_locked:
            self._control[:] = self._qpos[:, self._actuated_qpos] + action[:, 3:]

    def _after_step(self, ids: np.ndarray | None = None) -> None:
        if self.gripper_locked:
            self._qpos[:, self._finger_qpos] = 0.0
            # Observations need no later stage, and this one leaves the state alone.
            self.batch.forward(ids, stage=int(mujoco.mjtStage.mjSTAGE_POS))

    def _restore_derived(self, ids: np.ndarray) -> None:
        if self.gripper_locked:
            super()._restore_derived(ids)
            return
        # After a step an action reads positions that are one substep old: go back for them.
        rows = self.batch.state[ids]
        for i in ids[self._time[ids] > self.initial.time]:
            mujoco.mj_integratePos(
                self.model, self._qpos[i], self._qvel[i], -self.model.opt.timestep
            )
        super()._restore_derived(ids)
        self.batch.state[ids] = rows

    def _observables(self) -> dict[str, np.ndarray]:
        seconds = SUBSTEPS * self.model.opt.timestep
        gripper_position = self._site_position[:, self._gripper_site]
        object_position = self._site_position[:, self._object_site]
        gripper_velocity, _ = self._gripper_velocity()
        object_velocity, object_angular_velocity = self._object_velocity()
        return {
            "gripper_position": gripper_position,
            "object_position": object_position,
            "object_relative_position": object_position - gripper_position,
            "finger_position": self._qpos[:, self._finger_qpos],
            "object_rotation": euler_angles(self._site_rotation[:, self._object_site]),
            "object_relative_velocity": (object_velocity - gripper_velocity) * seconds,
            "object_angular_velocity": object_angular_velocity * seconds,
            "gripper_velocity": gripper_velocity * seconds,
            "finger_velocity": self._qvel[:, self._finger_qvel] * seconds,
        }

    def _achieved_goal(self, observables: dict[str, np.ndarray]) -> np.ndarray:
        return observables["object_position"]

    def _mark_goal(self, model: mujoco.MjModel, goal: np.ndarray) -> None:
        target = model.site("target0")
        model.site_pos[target.id] = goal - model.body_pos[int(target.bodyid[0])]
        # The object's own marker would hide inside the block or pass for the goal, and the
        # cross that leads the gripper for a part of the scene.
        model.site_rgba[self._object_site, 3] = 0.0
        model.geom_rgba[model.geom_bodyid == model.body("robot0:mocap").id, 3] = 0.0
