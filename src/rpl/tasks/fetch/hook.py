"""A hook drags an object that is out of reach: hook, noisy and complex hook (paper, V-A.4-5)."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Unpack, cast

import mujoco
import numpy as np

from rpl.tasks.fetch.arm import (
    SUBSTEPS,
    FetchArmTask,
    InitialPose,
    fetch_assets,
    settle_arm,
)
from rpl.tasks.fetch.lean import STANDING_JOINTS, TORSO_JOINT, keep_softness, make_lean
from rpl.tasks.fetch.objects import RigidObject, add_mesh, become, choose_objects
from rpl.tasks.fetch.options import HOOK, HookOptions, Physics
from rpl.tasks.fetch.redraw import Bumps, BumpSwitch, DrawnBumps, ObjectSwitch
from rpl.tasks.goal_task import GoalTask
from rpl.tasks.interface import TaskKeywords
from rpl.tasks.kinematics import SiteVelocity, euler_angles
from rpl.tasks.rendering import Camera
from rpl.tasks.wrappers import History

TABLE_POSITION, TABLE_HALF_SIZE = (1.65, 0.75, 0.2), (0.5, 0.45, 0.2)
TABLE_TOP = 0.4
FLOOR_POSITION = (1.42, 0.75, 0.0)
CUBE_HALF_SIZE = 0.025
# The hook is a long bar with a short one across its far end; it is grasped near the other.
HOOK_BOXES = (((0.4, 0.015, 0.015), (0.0, 0.0, 0.0)), ((0.015, 0.1, 0.015), (0.4, 0.085, 0.0)))
GRASP_SITE = (-0.25, 0.0, 0.0)
HOOK_START, HOOK_START_ABOVE_BUMPS = (1.35, 0.35, 0.4), (1.35, 0.35, 0.6)
OBJECT_CENTRE, GOAL_CENTRE = np.array((1.8, 0.75)), np.array((1.65, 0.75, 0.42))
CLOSEST_OBJECT = 0.1  # metres in the plane between the object and the goals' centre, at the start
BUMPS = Bumps(centre=(TABLE_POSITION[0], TABLE_POSITION[1], TABLE_TOP))
HOOK_COLOUR, OBJECT_COLOUR = (0.9, 0.5, 0.1, 1.0), (0.2, 0.4, 0.75, 1.0)
# What the noise disturbs, in the order in which it is drawn (paper, V-A.4).
NOISY_SIZES = {"object_xy": 2, "object_rotation": 3, "hook_position": 3, "hook_rotation": 3}


def hook_spec(
    physics: Physics,
    objects: Sequence[RigidObject] = (),
    shown: int = 0,
    bumps: DrawnBumps | None = None,
) -> mujoco.MjSpec:
    """The scene, ready to compile: the arm, a large table, the hook and an object.

    Args:
        physics: see ``HookOptions``.
        objects: what the scene holds the meshes of; without any the object is a cube.
        shown: which of the objects is on the table.
        bumps: positions and half-sizes as ``Bumps.draw`` gives them; None for a plain table.
    """
    spec = mujoco.MjSpec.from_file(str(fetch_assets() / "pick_and_place.xml"))
    spec.geom("floor0").pos = FLOOR_POSITION
    spec.body("floor0").pos = FLOOR_POSITION
    table = spec.body("table0")
    table.pos = TABLE_POSITION
    table.first_geom().size = TABLE_HALF_SIZE
    table.first_geom().name = "table0"
    _add_hook(spec)
    if objects:
        for rigid in objects:
            add_mesh(spec, rigid)
        become(spec.body("object0"), objects[shown])
        spec.geom("object0").rgba = OBJECT_COLOUR
    if bumps is not None:
        BUMPS.add_to(spec, bumps)
    if physics == "lean":
        strewn = () if bumps is None else tuple(BUMPS.names())
        make_lean(
            spec,
            settle().qpos,
            objects=("object0", "hook"),
            ground=("table0", *strewn),
            standing=(*STANDING_JOINTS, TORSO_JOINT),
        )
    return spec


def _objects_of(options: HookOptions) -> tuple[RigidObject, ...]:
    """The objects that the episodes draw from; none for the cube."""
    return () if options.objects is None else choose_objects(options.objects, options.split)


def _add_hook(spec: mujoco.MjSpec) -> None:
    hook = spec.worldbody.add_body(name="hook", pos=HOOK_START)
    hook.add_freejoint(name="hook:joint").damping = (0.01, 0.0, 0.0)
    for size, position in HOOK_BOXES:
        hook.add_geom(
            type=mujoco.mjtGeom.mjGEOM_BOX, size=size, pos=position, mass=2.0, rgba=HOOK_COLOUR
        )
    hook.add_site(name="hook", pos=GRASP_SITE, size=(0.02, 0.02, 0.02), rgba=(0, 0, 0, 0))


@lru_cache(maxsize=1)
def exact_scene() -> mujoco.MjModel:
    """The compiled scene with exact physics, with the cube and a plain table."""
    return hook_spec("exact").compile()


def hook_scene(
    physics: Physics,
    objects: Sequence[RigidObject] = (),
    shown: int = 0,
    bumps: DrawnBumps | None = None,
) -> mujoco.MjModel:
    """The compiled scene; see ``hook_spec``."""
    model = hook_spec(physics, objects, shown, bumps).compile()
    if physics == "lean":
        keep_softness(model, exact_scene())
    return model


@lru_cache(maxsize=1)
def settle() -> InitialPose:
    """Moves the arm over the table as in the pick-and-place task."""
    cube = (*OBJECT_CENTRE, TABLE_TOP + CUBE_HALF_SIZE)
    return settle_arm(exact_scene(), cube, gripper_height=0.2)


class HookTask(FetchArmTask):
    """Drag an object to a goal with a hook held by the Fetch arm; T = 100, within 0.05 m.

    The 40 observed numbers are the Fetch tasks' 25 and the hook's position (of the place
    to grasp), rotation, velocities and position relative to the gripper. See ``GoalTask``.
    """

    horizon = 100
    camera = Camera(distance=1.85, azimuth=140.0, elevation=-30.0, lookat=(1.4, 0.7, 0.45))

    def __init__(
        self, num_envs: int = 1, options: HookOptions = HOOK, **keywords: Unpack[TaskKeywords]
    ) -> None:
        self.options = options
        self.objects = _objects_of(options)
        self.object_index = np.zeros(num_envs, np.int64)
        self._noise = {name: np.zeros((num_envs, size)) for name, size in NOISY_SIZES.items()}
        bumps = BUMPS.draw(np.random.default_rng(0)) if options.bumps else None
        model = hook_scene(options.physics, self.objects, bumps=bumps)
        super().__init__(model, settle(), num_envs, gripper_locked=False, **keywords)

    def _bind(self) -> None:
        super()._bind()
        self._hook_site = self.model.site("hook").id
        self._hook_qpos = int(self.model.joint("hook:joint").qposadr[0])
        self._hook_velocity = SiteVelocity(self.batch, self.model, "hook")

        self._object_switch = self._bump_switch = None
        self._rest_height = np.array([CUBE_HALF_SIZE])
        if self.objects:
            self._object_switch = ObjectSwitch(self.batch, "object0", self.objects)
            self._rest_height = np.array([-o.mesh.vertices[:, 2].min() for o in self.objects])
        if self.options.bumps:
            self._bump_switch = BumpSwitch(self.batch, BUMPS)

    def _reset_simulations(self, ids: np.ndarray) -> None:
        for i in map(int, ids):
            if self._object_switch is not None:
                self.object_index[i] = self._generators[i].integers(len(self.objects))
                self._object_switch.put(i, self.object_index[i])
            if self._bump_switch is not None:
                self._bump_switch.put(i, BUMPS.draw(self._generators[i]))
        super()._reset_simulations(ids)

    def episode_object(self, seed: int) -> RigidObject:
        """The object of the episode with this seed: of the first episode after such a reset."""
        return self.objects[int(np.random.default_rng(seed).integers(len(self.objects)))]

    def _place(self, generator: np.random.Generator, simulation: int) -> None:
        bumps = self.options.bumps
        position = GOAL_CENTRE[:2]
        while np.linalg.norm(position - GOAL_CENTRE[:2]) < CLOSEST_OBJECT:
            farthest = (0.05 if bumps else 0.1, 0.05)
            position = OBJECT_CENTRE + generator.uniform((-0.05, -0.05), farthest)
        # Above the bumps the object and the hook fall into place.
        height = TABLE_TOP + float(self._rest_height[self.object_index[simulation]])
        height += 2.0 * BUMPS.largest[2] if bumps else 0.0
        self._set_pose(simulation, self._object_qpos, [*position.tolist(), height])
        hook = HOOK_START_ABOVE_BUMPS if bumps else HOOK_START
        self._set_pose(simulation, self._hook_qpos, hook)

    def _set_pose(self, simulation: int, start: int, position: Sequence[float]) -> None:
        self._qpos[simulation, start : start + 7] = (*position, 1.0, 0.0, 0.0, 0.0)

    def _sample_goal(self, generator: np.random.Generator, simulation: int) -> np.ndarray:
        # One draw for both axes, as published: the goals lie on a diagonal.
        return GOAL_CENTRE + generator.uniform(-0.05, 0.05) * np.array((1.0, 1.0, 0.0))

    def _sense(self, ids: np.ndarray) -> None:
        if self.options.noise == 0.0:
            return
        for i in ids:
            generator = self._generators[i]
            for noise in self._noise.values():
                noise[i] = generator.normal(0.0, self.options.noise, noise.shape[1])

    def _silence(self) -> None:
        for noise in self._noise.values():
            noise[:] = 0.0

    def _observables(self) -> dict[str, np.ndarray]:
        seconds = SUBSTEPS * self.model.opt.timestep
        parts = super()._observables()
        gripper_position, gripper_velocity = parts["gripper_position"], self._gripper_velocity()[0]
        hook_velocity, hook_angular_velocity = self._hook_velocity()
        object_position = parts["object_position"].copy()
        object_position[:, :2] += self._noise["object_xy"]
        hook_position = self._site_position[:, self._hook_site] + self._noise["hook_position"]
        hook_rotation = euler_angles(self._site_rotation[:, self._hook_site])
        return {
            **parts,
            "object_position": object_position,
            "object_relative_position": object_position - gripper_position,
            "object_rotation": parts["object_rotation"] + self._noise["object_rotation"],
            "hook_position": hook_position,
            "hook_rotation": hook_rotation + self._noise["hook_rotation"],
            "hook_relative_velocity": (hook_velocity - gripper_velocity) * seconds,
            "hook_angular_velocity": hook_angular_velocity * seconds,
            "hook_relative_position": hook_position - gripper_position,
        }

    def _achieved_goal(self, observables: dict[str, np.ndarray]) -> np.ndarray:
        if self.options.noisy_rewards:
            return observables["object_position"]
        return self._site_position[:, self._object_site]

    def _true_achieved_goal(self, achieved_goal: np.ndarray) -> np.ndarray:
        return self._site_position[:, self._object_site]


def make_hook_task(
    num_envs: int = 1, options: HookOptions = HOOK, **keywords: Unpack[TaskKeywords]
) -> GoalTask:
    """The hook task of the options, with its history where they ask for one."""
    task = HookTask(num_envs, options, **keywords)
    if options.frames == 1:
        return task
    # A wrapper passes on whatever it does not change itself.
    return cast(GoalTask, History(task, options.frames))
