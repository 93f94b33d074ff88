"""Many simulations stepped together are the same simulations stepped alone."""

import mujoco
import numpy as np
import pytest

from rpl.tasks import PICK_AND_PLACE, PUSH

TASKS = {"push": PUSH, "pick-and-place": PICK_AND_PLACE}


def actions_at_the_block(observation: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Disturbed moves towards the block: contact makes the physics sensitive."""
    action = rng.uniform(-1, 1, (len(observation), 4))
    action[:, :3] = 5 * (observation[:, 3:6] - observation[:, :3]) + 0.3 * action[:, :3]
    return np.clip(action, -1, 1)


def plain_simulation(task, simulation: int) -> mujoco.MjData:
    """Ordinary MuJoCo data that starts where the simulation was reset to."""
    data = mujoco.MjData(task.model)
    data.time = task.batch.bind("time")[simulation]
    data.qpos[:] = task.batch.bind("qpos")[simulation]
    data.qvel[:] = task.batch.bind("qvel")[simulation]
    mujoco.mj_forward(task.model, data)
    return data


def plain_step(model: mujoco.MjModel, data: mujoco.MjData, action: np.ndarray, locked: bool):
    """One environment step written out with nothing but MuJoCo's own functions."""
    gripper = data.body("robot0:gripper_link")
    data.mocap_pos[0] = gripper.xpos + 0.05 * action[:3]
    data.mocap_quat[0] = gripper.xquat + np.array((1.0, 0.0, 1.0, 0.0))
    fingers = [f"robot0:{side}_gripper_finger_joint" for side in "rl"]
    if not locked:
        for i in range(model.nu):
            joint = model.actuator_trnid[i, 0]
            data.ctrl[i] = data.qpos[model.jnt_qposadr[joint]] + action[3]
    for _ in range(20):
        mujoco.mj_step(model, data)
    if locked:
        for name in fingers:
            data.joint(name).qpos = 0.0
        mujoco.mj_forward(model, data)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", TASKS)
def test_a_batched_step_equals_plain_mujoco_bit_for_bit(make_task, name, threads) -> None:
    options = TASKS[name]
    task = make_task(3, options, num_threads=threads)
    observation, _ = task.reset(seed=0)
    plain = [plain_simulation(task, i) for i in range(3)]
    rng = np.random.default_rng(1)
    for _ in range(25):
        action = actions_at_the_block(observation["observation"], rng)
        observation, *_ = task.step(action)
        for i, data in enumerate(plain):
            plain_step(task.model, data, action[i], options.gripper_locked)
        for field in ("qpos", "qvel", "site_xpos", "ctrl", "mocap_pos", "qacc_warmstart"):
            expected = np.stack([getattr(data, field) for data in plain])
            np.testing.assert_array_equal(task.batch.bind(field), expected, err_msg=field)


@pytest.mark.parametrize("name", TASKS)
def test_an_episode_depends_on_its_seed_alone(make_task, name) -> None:
    options = TASKS[name]
    alone, among = make_task(1, options), make_task(3, options, num_threads=2)
    mine, _ = alone.reset(seed=[7])
    others, _ = among.reset(seed=[5, 7, 6])
    rng = np.random.default_rng(0)
    for _ in range(10):
        for part, rows in mine.items():
            np.testing.assert_array_equal(rows[0], others[part][1])
        action = actions_at_the_block(others["observation"], rng)
        mine, my_reward, *_ = alone.step(action[1:2])
        others, rewards, *_ = among.step(action)
        assert my_reward[0] == rewards[1]
    assert not np.array_equal(others["observation"][0], others["observation"][1])


def test_a_diverged_simulation_shows_and_leaves_the_others_alone(make_task) -> None:
    healthy, ill = make_task(3), make_task(3)
    healthy.reset(seed=0)
    ill.reset(seed=0)
    ill.batch.bind("qvel")[1, 0] = np.nan
    for _ in range(3):
        expected, *_ = healthy.step(np.zeros((3, 4)))
        observation, reward, *_ = ill.step(np.zeros((3, 4)))
    assert not np.isfinite(observation["observation"][1]).all()
    assert np.isnan(reward[1])
    for part, rows in expected.items():
        np.testing.assert_array_equal(observation[part][[0, 2]], rows[[0, 2]])
    np.testing.assert_array_equal(reward[[0, 2]], [-1, -1])


def test_a_diverged_simulation_recovers_at_its_next_reset(make_task) -> None:
    task, fresh = make_task(2), make_task(2)
    task.reset(seed=0)
    task.batch.bind("qvel")[1, 0] = np.nan
    task.step(np.zeros((2, 4)))
    task.reset(seed=4)
    fresh.reset(seed=4)
    observation, *_ = task.step(np.full((2, 4), 0.5))
    expected, *_ = fresh.step(np.full((2, 4), 0.5))
    np.testing.assert_array_equal(observation["observation"], expected["observation"])
