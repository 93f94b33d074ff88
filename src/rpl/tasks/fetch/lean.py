"""Lean physics: the published scene without what cannot take part in the task."""

from collections.abc import Mapping
from itertools import chain, combinations, product

import mujoco
import numpy as np

# What of the arm can touch an object, and what of it can touch the ground: the gripper points
# down, and its fingers stand centimetres in front of all else.
FINGER_BODIES = ("robot0:r_gripper_finger_link", "robot0:l_gripper_finger_link")
HAND_BODIES = ("robot0:gripper_link", *FINGER_BODIES)
FLOOR_BODY = "world"
# The base's slides are damped to a standstill, and the head carries nothing.
STANDING_JOINTS = (
    "robot0:slide0",
    "robot0:slide1",
    "robot0:slide2",
    "robot0:head_pan_joint",
    "robot0:head_tilt_joint",
)
# The torso creeps by 6 mm in an episode. It is held only where no planner continues an exact
# scene's state in a lean one: the gripper would jump by as much.
TORSO_JOINT = "robot0:torso_lift_joint"


def make_lean(
    spec: mujoco.MjSpec,
    positions: Mapping[str, np.ndarray],
    objects: tuple[str, ...],
    ground: tuple[str, ...] = ("table0",),
    standing: tuple[str, ...] = STANDING_JOINTS,
) -> None:
    """Leaves out of a published scene what cannot take part in the task; not yet compiled.

    Args:
        positions: where the joints stand, by name, metres or radians.
        objects: bodies that touch the hand, the ground, the floor and each other.
        ground: bodies that the fingers and the objects touch.
        standing: joints that stay where they stand.
    """
    leave_out_collisions(spec, objects, ground)
    for name in standing:
        _fix(spec, spec.joint(name), positions[name])
    # Bodies that cannot move become one with what carries them: the same shapes, fewer bodies.
    spec.compiler.fusestatic = True
    # A body that something refers to is not merged, and no contacts are left to exclude.
    for exclude in spec.excludes:
        spec.delete(exclude)
    # Finding independent groups of constraints costs more than it saves.
    spec.option.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_ISLAND)


def leave_out_collisions(
    spec: mujoco.MjSpec, objects: tuple[str, ...], ground: tuple[str, ...]
) -> None:
    """Names the pairs of geoms that may touch: objects with all but the arm, fingers with ground.

    The base rests on the floor with slides that are damped to a standstill, and the arm meets
    its torso and head only where it is drawn far from the table (how often is in
    docs/notebook/physics.md). With the few pairs named, MuJoCo need not search all bodies for
    those that are close.
    """
    touching = [geom for geom in spec.geoms if geom.contype or geom.conaffinity]
    for i, geom in enumerate(touching):
        geom.name = geom.name or f"{geom.parent.name}:{i}"
        geom.contype = geom.conaffinity = 0

    def of(*bodies: str) -> list[mujoco.MjsGeom]:
        return [geom for geom in touching if geom.parent.name in bodies]

    pairs = [
        *product(of(*objects), of(*ground, FLOOR_BODY, *HAND_BODIES)),
        *chain.from_iterable(product(of(a), of(b)) for a, b in combinations(objects, 2)),
        *product(of(*FINGER_BODIES), of(*ground)),
    ]
    for one, other in pairs:
        _add_pair(spec, one, other)


def _add_pair(spec: mujoco.MjSpec, one: mujoco.MjsGeom, other: mujoco.MjsGeom) -> None:
    """Lets two geoms touch as MuJoCo mixes it for pairs that it finds itself."""
    geoms = (one, other)
    if one.priority != other.priority:
        geoms = (max(geoms, key=lambda geom: geom.priority),)
    spec.add_pair(
        geomname1=one.name,
        geomname2=other.name,
        condim=max(geom.condim for geom in geoms),
        friction=pair_friction(np.max([geom.friction for geom in geoms], axis=0)),
        solref=np.mean([geom.solref for geom in geoms], axis=0),
        solimp=np.mean([geom.solimp for geom in geoms], axis=0),
        margin=max(one.margin, other.margin),
    )


def pair_friction(friction: np.ndarray) -> np.ndarray:
    """A geom's sliding, torsional and rolling friction, (..., 3), as a pair's five numbers."""
    return friction[..., [0, 0, 1, 2, 2]]


def _fix(spec: mujoco.MjSpec, joint: mujoco.MjsJoint, position: np.ndarray) -> None:
    """Fixes a slide of the robot where it stands, a hinge at its reference."""
    if joint.type == mujoco.mjtJoint.mjJNT_SLIDE:
        # Every body on the way is parallel to the world.
        joint.parent.pos = joint.parent.pos + position * np.asarray(joint.axis)
    spec.delete(joint)


def keep_softness(model: mujoco.MjModel, published: mujoco.MjModel) -> None:
    """Lets the robot's contacts, limits and weld give way as they do in the published scene.

    MuJoCo scales their softness with the inertia that it computes for each body and joint as
    if nothing were damped: a fixed base would make the whole arm seem heavier.
    """
    for body in map(model.body, range(model.nbody)):
        if body.name.startswith("robot0:"):
            body.invweight0[:] = published.body(body.name).invweight0
    for i, joint in enumerate(map(model.joint, range(model.njnt))):
        if joint.name.startswith("robot0:"):
            theirs = published.joint(joint.name).dofadr[0]
            model.dof_invweight0[model.jnt_dofadr[i]] = published.dof_invweight0[theirs]
