"""The scene of MBRLPusher: a 7-joint arm, a table and a cylinder, with the published numbers."""

# MuJoCo ships no type stubs for its compiled names.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from typing import Any, NamedTuple

import mujoco

TIMESTEP = 0.01  # seconds
OBJECT_POSITION = (0.45, -0.05, -0.275)  # metres, with both slides at zero
GOAL = (0.45, -0.05, -0.323)  # metres; 0.048 below the centre of a cylinder that is there

SKIN = (0.8, 0.6, 0.4, 1.0)
CYLINDER_COLOUR = (0.95, 0.62, 0.1, 1.0)
GOAL_COLOUR = (0.85, 0.1, 0.1, 1.0)


class Link(NamedTuple):
    """A body of the arm: where it hangs on the one before, how it turns, what it is made of."""

    name: str
    position: tuple[float, float, float]
    axis: tuple[int, int, int] | None
    """Of its hinge; None fixes it to the body before."""
    range: tuple[float, float]
    """Radians."""
    damping: float
    capsules: tuple[tuple[tuple[float, ...], float], ...]
    """(two end points, radius), metres"""


UPRIGHT, SIDEWAYS, ALONG = (0, 0, 1), (0, 1, 0), (1, 0, 0)
ROLL_CAPSULE = ((-0.1, 0, 0, 0.1, 0, 0), 0.02)
ARM = (
    Link(
        *("shoulder_pan", (0, -0.6, 0), UPRIGHT, (-2.2854, 2.0), 1.0),
        (((0, 0, -0.4, 0, 0, 0.2), 0.1),),
    ),
    Link(
        *("shoulder_lift", (0.1, 0, 0), SIDEWAYS, (-0.5236, 1.3963), 1.0),
        (((0, -0.1, 0, 0, 0.1, 0), 0.1),),
    ),
    Link("upper_arm_roll", (0, 0, 0), ALONG, (-1.5, 1.7), 0.1, (ROLL_CAPSULE,)),
    Link("upper_arm", (0, 0, 0), None, (0, 0), 0.0, (((0, 0, 0, 0.4, 0, 0), 0.06),)),
    Link(
        *("elbow_flex", (0.4, 0, 0), SIDEWAYS, (-2.3213, 0.0), 0.1),
        (((0, -0.02, 0, 0, 0.02, 0), 0.06),),
    ),
    Link("forearm_roll", (0, 0, 0), ALONG, (-1.5, 1.5), 0.1, (ROLL_CAPSULE,)),
    Link("forearm", (0, 0, 0), None, (0, 0), 0.0, (((0, 0, 0, 0.291, 0, 0), 0.05),)),
    Link(
        *("wrist_flex", (0.321, 0, 0), SIDEWAYS, (-1.094, 0.0), 0.1),
        (((0, -0.02, 0, 0, 0.02, 0), 0.01),),
    ),
    Link("wrist_roll", (0, 0, 0), ALONG, (-1.5, 1.5), 0.1, ()),
)
# The hand is a fork, and all of the arm that can touch anything.
HAND = ((0, -0.1, 0, 0, 0.1, 0), (0, -0.1, 0, 0.1, -0.1, 0), (0, 0.1, 0, 0.1, 0.1, 0))
HAND_RADIUS = 0.02
SHOULDER_BALLS = (
    *(((-0.06, 0.05, 0.2), 0.05), ((0.06, 0.05, 0.2), 0.05)),
    *(((-0.06, 0.09, 0.2), 0.03), ((0.06, 0.09, 0.2), 0.03)),
)


def pusher_spec(max_torque: float) -> mujoco.MjSpec:
    """The scene, ready to compile; ``max_torque`` is that of every joint, N m."""
    spec = mujoco.MjSpec()
    spec.modelname = "mbrl-pusher"
    spec.compiler.degree = False
    spec.option.timestep = TIMESTEP
    spec.option.gravity = (0, 0, 0)
    spec.option.iterations = 20
    # The cylinder weighs next to nothing: its inertia is its joints' armature, which MuJoCo
    # no longer counts when it estimates how hard contacts must be. The exact value does,
    # and without it the hand sinks into the cylinder instead of moving it.
    spec.option.enableflags |= int(mujoco.mjtEnableBit.mjENBL_DIAGEXACT)
    default = spec.default
    default.joint.armature = 0.04
    default.joint.limited = int(mujoco.mjtLimited.mjLIMITED_TRUE)
    default.geom.friction = (0.8, 0.1, 0.1)
    default.geom.density = 300
    default.geom.margin = 0.002
    default.geom.condim = 1
    default.geom.contype = default.geom.conaffinity = 0
    default.geom.rgba = SKIN
    world = spec.worldbody
    world.add_light(pos=(0, 0, 3), dir=(0, 0, -1), diffuse=(0.5, 0.5, 0.5))
    world.add_geom(
        name="table",
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        pos=(0, 0.5, -0.325),
        size=(1, 1, 0.1),
        contype=1,
        conaffinity=1,
        rgba=(0.7, 0.7, 0.7, 1),
    )
    world.add_site(
        name="goal",
        type=mujoco.mjtGeom.mjGEOM_CYLINDER,
        pos=GOAL,
        size=(0.08, 0.001, 0),
        rgba=GOAL_COLOUR,
    )
    _add_arm(spec, max_torque)
    _add_object(world)
    return spec


def _add_arm(spec: mujoco.MjSpec, max_torque: float) -> None:
    body = spec.worldbody
    for link in ARM:
        body = body.add_body(name=link.name, pos=link.position)
        if link.axis is not None:
            body.add_joint(
                name=link.name,
                type=mujoco.mjtJoint.mjJNT_HINGE,
                axis=link.axis,
                range=link.range,
                damping=link.damping,
            )
            motor = spec.add_actuator(
                name=link.name,
                target=link.name,
                trntype=mujoco.mjtTrn.mjTRN_JOINT,
                ctrlrange=(-1, 1),
                ctrllimited=int(mujoco.mjtLimited.mjLIMITED_TRUE),
            )
            motor.gainprm[0] = max_torque
        for ends, radius in link.capsules:
            _add_capsule(body, ends, radius)
    for ends in HAND:
        _add_capsule(body, ends, HAND_RADIUS, contype=1, conaffinity=1)
    tips = body.add_body(name="tips")
    for y in (-0.1, 0.1):
        tips.add_geom(type=mujoco.mjtGeom.mjGEOM_SPHERE, pos=(0.1, y, 0), size=(0.01, 0, 0))
    for position, radius in SHOULDER_BALLS:
        spec.body("shoulder_pan").add_geom(
            type=mujoco.mjtGeom.mjGEOM_SPHERE, pos=position, size=(radius, 0, 0)
        )


def _add_capsule(body: Any, ends: tuple[float, ...], radius: float, **keywords: Any) -> None:
    body.add_geom(type=mujoco.mjtGeom.mjGEOM_CAPSULE, fromto=ends, size=(radius, 0, 0), **keywords)


def _add_object(world: Any) -> None:
    body = world.add_body(name="object", pos=OBJECT_POSITION)
    for name, axis in (("object_y", (0, 1, 0)), ("object_x", (1, 0, 0))):
        body.add_joint(
            name=name,
            type=mujoco.mjtJoint.mjJNT_SLIDE,
            axis=axis,
            range=(-10.3, 10.3),
            damping=0.5,
        )
    body.add_geom(
        type=mujoco.mjtGeom.mjGEOM_CYLINDER,
        size=(0.05, 0.05, 0),
        density=1e-5,
        contype=1,
        conaffinity=0,
        rgba=CYLINDER_COLOUR,
    )
