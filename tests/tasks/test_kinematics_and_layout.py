"""Angles against SciPy, velocities against MuJoCo's Jacobian, names against numbers."""

import mujoco
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from rpl.tasks import PICK_AND_PLACE, PUSH, Layout
from rpl.tasks.kinematics import SiteVelocity, euler_angles


def test_euler_angles_agree_with_scipy() -> None:
    rotations = Rotation.random(200, rng=np.random.default_rng(0))
    angles = euler_angles(rotations.as_matrix().reshape(200, 9))
    np.testing.assert_allclose(angles, rotations.as_euler("XYZ"), atol=1e-12)
    np.testing.assert_array_equal(euler_angles(rotations.as_matrix()), angles)


@pytest.mark.parametrize("pole", [np.pi / 2, -np.pi / 2])
def test_euler_angles_at_the_poles_still_describe_the_rotation(pole) -> None:
    # The entries that vanish at a pole must be exact zeros to count as one.
    matrix = Rotation.from_euler("XYZ", [0.0, pole, 0.7]).as_matrix()
    matrix[np.abs(matrix) < 1e-15] = 0.0
    angles = euler_angles(matrix)
    assert angles[0] == 0.0
    np.testing.assert_allclose(Rotation.from_euler("XYZ", angles).as_matrix(), matrix, atol=1e-12)


@pytest.mark.parametrize("site", ["robot0:grip", "object0"])
@pytest.mark.parametrize("options", [PUSH, PICK_AND_PLACE])
def test_site_velocity_is_the_jacobian_times_qvel(make_task, options, site) -> None:
    task = make_task(2, options)
    task.reset(seed=0)
    velocity = SiteVelocity(task.batch, task.model, site)
    rng = np.random.default_rng(0)
    for _ in range(3):
        task.step(rng.uniform(-1, 1, (2, 4)))
    dofs = task.model.joint("object0:joint").dofadr[0]
    task.batch.bind("qvel")[:, dofs : dofs + 6] += rng.normal(size=(2, 6))
    task.batch.forward()
    linear, angular = velocity()
    for i in range(2):
        data, jacobian = task.batch.get_data(i), np.zeros((2, 3, task.model.nv))
        mujoco.mj_forward(task.model, data)
        site_id = task.model.site(site).id
        mujoco.mj_jacSite(task.model, data, jacobian[0], jacobian[1], site_id)
        np.testing.assert_allclose(linear[i], jacobian[0] @ data.qvel, atol=1e-12)
        np.testing.assert_allclose(angular[i], jacobian[1] @ data.qvel, atol=1e-12)
        assert np.abs(linear[i]).max() > 1e-3


def test_a_layout_names_consecutive_slices() -> None:
    layout = Layout({"hand": 3, "wheel": 1, "block": 2})
    assert (layout.hand, layout.wheel, layout.block) == (slice(0, 3), slice(3, 4), slice(4, 6))
    assert layout.size == 6
    assert [name for name, _ in layout.items()] == ["hand", "wheel", "block"]


def test_an_unknown_part_lists_the_known_ones() -> None:
    layout = Layout({"hand": 3, "block": 2})
    with pytest.raises(AttributeError, match="no part 'hook'; it has hand, block"):
        _ = layout.hook


def test_the_fetch_layout_names_what_is_there(make_task) -> None:
    task = make_task(1)
    observation, _ = task.reset(seed=0)
    row = observation["observation"][0]
    block = row[task.layout.object_position]
    np.testing.assert_array_equal(block, task.batch.bind("qpos")[0, task._object_qpos :][:3])
    np.testing.assert_array_equal(
        row[task.layout.object_relative_position], block - row[task.layout.gripper_position]
    )
    assert task.layout.size == 25
