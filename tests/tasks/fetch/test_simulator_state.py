"""A state continues in another scene: what both have is carried over, by name."""

from dataclasses import replace

import mujoco
import numpy as np
import pytest

from rpl.tasks import PICK_AND_PLACE, PUSH
from rpl.tasks.fetch.simulator_state import StateTranslation

LEAN_PUSH = replace(PUSH, physics="lean")


def moved(task, steps: int = 12):
    """A task in the middle of an episode, with the block pushed about."""
    seen, _ = task.reset(seed=4)
    for _ in range(steps):
        action = np.zeros((task.num_envs, 4))
        action[:, :3] = 8 * (seen["observation"][:, 3:6] - seen["observation"][:, :3])
        seen, *_ = task.step(action)
    return seen


def translation(source, target) -> StateTranslation:
    target.reset(seed=0)
    return StateTranslation(source.model, target.model, target.simulator_state()[0])


def test_rows_of_the_same_scene_stay_as_they_are(make_task) -> None:
    task, other = make_task(2, simulator_state=True), make_task(1)
    rows = moved(task)["simulator_state"]
    np.testing.assert_array_equal(translation(task, other)(rows), rows)


@pytest.mark.parametrize("options", [PUSH, PICK_AND_PLACE], ids=["push", "pick-and-place"])
def test_a_lean_scene_continues_an_exact_one(make_task, options) -> None:
    exact = make_task(2, options, simulator_state=True)
    lean = make_task(2, replace(options, physics="lean"))
    seen = moved(exact)
    rows = translation(exact, lean)(seen["simulator_state"])
    action = np.array([[0.5, -1.0, 0.2, 0.0], [-0.3, 0.4, 1.0, 0.0]])
    predicted, _ = lean.predict(rows, action)
    expected, *_ = exact.step(action)
    difference = np.abs(predicted["observation"] - expected["observation"])
    assert difference[:, exact.layout.gripper_position].max() < 1e-4
    assert difference[:, exact.layout.object_position].max() < 1e-3
    travelled = np.abs(expected["observation"] - seen["observation"])
    assert travelled[:, exact.layout.gripper_position].max() > 1e-2


def test_the_way_back_fills_in_what_the_lean_scene_lacks(make_task) -> None:
    exact, lean = make_task(1), make_task(1, LEAN_PUSH, simulator_state=True)
    rows = moved(lean)["simulator_state"]
    there = translation(lean, exact)(rows)
    np.testing.assert_array_equal(translation(exact, lean)(there), rows)
    data = mujoco.MjData(exact.model)
    mujoco.mj_setState(exact.model, data, there[0], mujoco.mjtState.mjSTATE_INTEGRATION)
    assert data.joint("robot0:slide0").qpos[0] == pytest.approx(0.405, abs=1e-3)


def test_scenes_with_other_actuators_are_refused(make_task) -> None:
    with pytest.raises(ValueError, match="differ in mjSTATE_CTRL: 0 and 2 numbers"):
        translation(make_task(1, PUSH), make_task(1, PICK_AND_PLACE))
