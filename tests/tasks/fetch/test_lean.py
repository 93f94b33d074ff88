"""What lean physics keep touches exactly as the published scene has it."""

from dataclasses import replace

import mujoco
import numpy as np
import pytest

from rpl.tasks import PICK_AND_PLACE, SLIPPERY_PUSH, FetchOptions
from rpl.tasks.fetch.arm import InitialPose
from rpl.tasks.fetch.hook import BUMPS, hook_spec
from rpl.tasks.fetch.hook import settle as settle_hook
from rpl.tasks.fetch.lean import FINGER_BODIES, HAND_BODIES
from rpl.tasks.fetch.objects import choose_objects
from rpl.tasks.fetch.table import fetch_spec, settle

FIELDS = ("dist", "pos", "frame", "friction", "solref", "solimp", "dim", "includemargin")
ON_TABLE = (1.32, 0.78, 0.422)
OBJECTS = choose_objects("library", "training")


def fetch_scene(options: FetchOptions, lean: bool) -> mujoco.MjSpec:
    return fetch_spec(replace(options, physics="lean" if lean else "exact"))


def hook_scene(lean: bool) -> mujoco.MjSpec:
    bumps = BUMPS.draw(np.random.default_rng(0))
    return hook_spec("lean" if lean else "exact", OBJECTS[:3], 1, bumps)


def touching(spec: mujoco.MjSpec, pose: InitialPose, **places) -> dict[frozenset[str], np.ndarray]:
    """Contacts (n, numbers) by the bodies that touch, with free bodies put somewhere."""
    spec.compiler.fusestatic = False  # keeps the names
    model = spec.compile()
    data = mujoco.MjData(model)
    data.qpos[:], _ = pose.state(model)
    for body, place in places.items():
        start = int(model.jnt_qposadr[model.body(body).jntadr[0]])
        data.qpos[start : start + 3] = place
    mujoco.mj_forward(model, data)
    found: dict[frozenset[str], list[np.ndarray]] = {}
    for contact in data.contact:
        bodies = frozenset(model.body(int(model.geom_bodyid[g])).name for g in contact.geom)
        row = np.concatenate([np.ravel(getattr(contact, field)) for field in FIELDS])
        found.setdefault(bodies, []).append(row)
    return {bodies: np.array(sorted(rows, key=tuple)) for bodies, rows in found.items()}


def assert_kept_as_published(exact, lean) -> None:
    """Same contacts, but for those of the robot with itself, with the floor, of the arm."""
    for bodies, rows in lean.items():
        np.testing.assert_allclose(rows, exact[bodies], rtol=0, atol=1e-12)
    for bodies in exact.keys() - lean.keys():
        robot = {body for body in bodies if body.startswith("robot0:")}
        assert robot - set(HAND_BODIES) or robot == bodies, f"{bodies} should touch"


@pytest.mark.parametrize("options", [SLIPPERY_PUSH, PICK_AND_PLACE])
def test_an_object_meets_table_and_hand_as_published(options) -> None:
    pose = settle(options)
    for place, bodies in [(ON_TABLE, {"table0"}), (pose.gripper_position, set(FINGER_BODIES))]:
        exact, lean = (
            touching(fetch_scene(options, lean), pose, object0=place) for lean in (False, True)
        )
        assert all(frozenset(("object0", body)) in lean for body in bodies)
        assert_kept_as_published(exact, lean)


def test_objects_hook_and_bumps_meet_as_published() -> None:
    pose, bump = settle_hook(), BUMPS.draw(np.random.default_rng(0))[0][0]
    seen: set[frozenset[str]] = set()
    for object_place, hook_place in [
        (bump, np.add(pose.gripper_position, (0.25, 0.0, 0.0))),
        ((1.8, 0.75, 0.41), (1.42, 0.73, 0.41)),
        ((1.0, 0.2, 0.01), bump),
    ]:
        places = {"object0": object_place, "hook": hook_place}
        exact, lean = (touching(hook_scene(lean), pose, **places) for lean in (False, True))
        assert_kept_as_published(exact, lean)
        seen |= lean.keys()
    names = [set(bodies) for bodies in seen]
    for expected in (
        {"object0", "table0"},
        {"object0", "hook"},
        {"object0", "world"},
        {"hook", "table0"},
        {"hook", FINGER_BODIES[0]},
        {"hook", "bump0"},
        {"object0", "bump0"},
    ):
        assert expected in names


def test_nothing_of_the_arm_is_left_to_collide_by_itself() -> None:
    model = fetch_scene(PICK_AND_PLACE, lean=True).compile()
    assert not model.geom_contype.any()
    assert not model.geom_conaffinity.any()
    assert model.npair == 7, "the object with 5, the fingers with the table"
