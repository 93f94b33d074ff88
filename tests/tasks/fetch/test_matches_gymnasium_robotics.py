"""Exact physics is the published environments, number by number."""

import warnings
from types import SimpleNamespace

import gymnasium
import mujoco
import numpy as np
import pytest

from rpl.tasks import PICK_AND_PLACE, PUSH

REQUIRED = 1e-6
MEASURED = 1e-9  # far above the 1e-16 seen, far below what any other formula would give


class PlainEnums:
    """``mujoco`` with enums that compare equal to NumPy integers, as they did before 3.12."""

    def __getattr__(self, name: str):
        value = getattr(mujoco, name)
        if name in ("mjtEq", "mjtJoint"):
            return SimpleNamespace(**{k: int(v) for k, v in value.__members__.items()})
        return value


@pytest.fixture
def published(monkeypatch):
    """Makes a published environment, whose package does not run on today's MuJoCo as it is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import gymnasium_robotics
        from gymnasium_robotics.utils import mujoco_utils

        monkeypatch.setattr(mujoco_utils, "mujoco", PlainEnums())
        gymnasium.register_envs(gymnasium_robotics)
        yield lambda name: gymnasium.make(name).unwrapped


def copy_state(task, env) -> None:
    """Puts the published environment where simulation 0 of the task is after its reset."""
    mujoco.mj_resetData(env.model, env.data)
    env.data.time = task.batch.bind("time")[0]
    env.data.qpos[:] = task.batch.bind("qpos")[0]
    env.data.qvel[:] = task.batch.bind("qvel")[0]
    mujoco.mj_forward(env.model, env.data)


def towards_block(observation: np.ndarray, random: np.ndarray) -> np.ndarray:
    """A random action that is drawn to the block, so that there is contact."""
    action = random.copy()
    drawn = np.clip(5 * (observation[3:6] - observation[:3]), -1, 1) + 0.3 * random[:3]
    action[:3] = np.clip(drawn, -1, 1)
    return action


@pytest.mark.parametrize("touching", [False, True])
@pytest.mark.parametrize(
    ("options", "name"), [(PUSH, "FetchPush-v4"), (PICK_AND_PLACE, "FetchPickAndPlace-v4")]
)
def test_the_same_actions_give_the_same_observations(
    make_task, published, options, name, touching
) -> None:
    env, task = published(name), make_task(1, options)
    env.reset(seed=0)
    mine, _ = task.reset(seed=3)
    copy_state(task, env)
    env.goal = mine["desired_goal"][0].copy()
    theirs, rng = env._get_obs(), np.random.default_rng(0)
    differences, start = [np.abs(mine["observation"][0] - theirs["observation"]).max()], theirs
    for _ in range(50):
        action = rng.uniform(-1, 1, 4).astype(np.float32)
        if touching:
            action = towards_block(theirs["observation"], action)
        theirs, their_reward, _, _, _ = env.step(action)
        mine, my_reward, _, _, _ = task.step(action[None])
        assert my_reward[0] == their_reward
        differences += [np.abs(mine[part][0] - theirs[part]).max() for part in theirs]
    assert max(differences) < REQUIRED
    assert max(differences) < MEASURED
    moved = np.linalg.norm(theirs["achieved_goal"] - start["achieved_goal"])
    assert moved > 0.01 or not touching


@pytest.mark.parametrize(
    ("options", "name"), [(PUSH, "FetchPush-v4"), (PICK_AND_PLACE, "FetchPickAndPlace-v4")]
)
def test_episodes_begin_where_the_published_ones_do(make_task, published, options, name) -> None:
    env, task = published(name), make_task(1, options)
    np.testing.assert_allclose(task.initial.state(task.model)[0], env.initial_qpos, atol=1e-9)
    np.testing.assert_allclose(task.initial.gripper_position, env.initial_gripper_xpos, atol=1e-9)
    assert task.initial.object_height == pytest.approx(env.height_offset, abs=1e-9)
