"""Lean physics: the published scene without what cannot take part in the task."""

# MuJoCo ships no type stubs for its compiled names.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Mapping, Sequence

import mujoco
import numpy as np

# The bodies of the arm that can touch the object or the table.
HAND_BODIES = (
    "robot0:wrist_flex_link",
    "robot0:wrist_roll_link",
    "robot0:gripper_link",
    "robot0:r_gripper_finger_link",
    "robot0:l_gripper_finger_link",
)
# The base's slides are damped to a standstill, and the head carries nothing. The torso stays
# free: it creeps by 6 mm in an episode.
STANDING_JOINTS = (
    "robot0:slide0",
    "robot0:slide1",
    "robot0:slide2",
    "robot0:head_pan_joint",
    "robot0:head_tilt_joint",
)


def make_lean(
    spec: mujoco.MjSpec,
    positions: Mapping[str, np.ndarray],
    objects: tuple[str, ...],
    ground: tuple[str, ...] = ("table0",),
    apart: Sequence[str] = (),
) -> None:
    """Leaves out of a published scene what cannot take part in the task; not yet compiled.

    Args:
        spec: the scene.
        positions: where the joints stand, by name; see ``leave_out_standing_joints``.
        objects: bodies that touch everything.
        ground: bodies that the hand and the objects touch.
        apart: standing bodies not to merge; see ``merge_standing_bodies``.
    """
    leave_out_collisions(spec, objects, ground)
    leave_out_standing_joints(spec, positions)
    merge_standing_bodies(spec, apart)
    simplify_solver(spec)


def leave_out_collisions(
    spec: mujoco.MjSpec, objects: tuple[str, ...], ground: tuple[str, ...]
) -> None:
    """Keeps the contacts that a task is made of: objects with everything, hand with ground.

    The base rests on the floor with slides that are damped to a standstill, and the arm meets
    its torso and head only where it is drawn far from the table (docs/physics.md has how often).
    MuJoCo lets two geoms collide if either's type meets the other's affinity.
    """
    hand_type, object_type = 1, 2
    for geom in spec.geoms:
        body = geom.parent.name
        if geom.contype == 0 and geom.conaffinity == 0:
            continue
        if body in objects:
            geom.contype, geom.conaffinity = object_type, hand_type | object_type
        elif body in HAND_BODIES:
            geom.contype, geom.conaffinity = hand_type, 0
        elif body in ground:
            geom.contype, geom.conaffinity = 0, hand_type | object_type
        elif geom.name == "floor0":
            geom.contype, geom.conaffinity = 0, object_type
        else:
            geom.contype, geom.conaffinity = 0, 0


def leave_out_standing_joints(spec: mujoco.MjSpec, positions: Mapping[str, np.ndarray]) -> None:
    """Fixes the robot's base and head where they stand: five joints fewer.

    Args:
        spec: the scene.
        positions: of every joint by its name, metres or radians; hinges stay at their reference.
    """
    for name in STANDING_JOINTS:
        joint = spec.joint(name)
        if joint.type == mujoco.mjtJoint.mjJNT_SLIDE:
            # Every body on the way is parallel to the world.
            joint.parent.pos = joint.parent.pos + positions[name] * np.asarray(joint.axis)
        spec.delete(joint)


def merge_standing_bodies(spec: mujoco.MjSpec, apart: Sequence[str]) -> None:
    """Makes bodies that cannot move one with what carries them: the same shapes, half the bodies.

    Args:
        spec: the scene.
        apart: standing bodies to leave as they are.
    """
    spec.compiler.fusestatic = True
    for name in apart:
        # A body that something refers to is not merged; this one never meets the world anyway.
        spec.add_exclude(bodyname1=name, bodyname2="world")


def simplify_solver(spec: mujoco.MjSpec) -> None:
    """Solves all constraints at once: finding independent groups costs more than it saves."""
    spec.option.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_ISLAND)


def keep_softness(model: mujoco.MjModel, published: mujoco.MjModel) -> None:
    """Lets the robot's contacts, limits and weld give way as they do in the published scene.

    MuJoCo scales their softness with the inertia that it computes for each body and joint as
    if nothing were damped: a fixed base would make the whole arm seem heavier.
    """
    for i in range(model.nbody):
        name = model.body(i).name
        if name.startswith("robot0:"):
            model.body_invweight0[i] = published.body(name).invweight0
    for i in range(model.njnt):
        name = model.joint(i).name
        if name.startswith("robot0:"):
            model.dof_invweight0[model.jnt_dofadr[i]] = published.dof_invweight0[
                published.joint(name).dofadr[0]
            ]
