"""Seeds, partial resets, rewards, horizons and the words of the contract."""

from dataclasses import replace

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from rpl.tasks import PICK_AND_PLACE, PUSH, SLIPPERY_PUSH
from rpl.tasks.rendering import RenderingError

IDS = ["rpl/Push-v0", "rpl/SlipperyPush-v0", "rpl/PickAndPlace-v0"]


def test_a_step_before_a_reset_is_refused(make_task) -> None:
    with pytest.raises(gymnasium.error.ResetNeeded):
        make_task(1).step(np.zeros((1, 4)))


def test_the_goal_lies_where_the_paper_draws_it(make_task) -> None:
    task = make_task(40, PICK_AND_PLACE)
    observation, _ = task.reset(seed=0)
    start, goal = task.initial.gripper_position, observation["desired_goal"]
    assert (np.abs(goal - start)[:, :2] <= 0.15).all()
    in_the_air = goal[:, 2] > task.initial.object_height + 1e-9
    assert 10 < in_the_air.sum() < 30
    distance = np.linalg.norm((observation["achieved_goal"] - start)[:, :2], axis=1)
    assert (distance >= 0.1).all()


def test_push_goals_lie_on_the_table(make_task) -> None:
    task = make_task(10, PUSH)
    observation, _ = task.reset(seed=0)
    np.testing.assert_array_equal(observation["desired_goal"][:, 2], task.initial.object_height)


def test_reset_mask_restarts_only_the_masked_simulations(make_task) -> None:
    undisturbed, task = make_task(3), make_task(3)
    action = np.full((3, 4), 0.4)
    for each in (undisturbed, task):
        each.reset(seed=0)
        each.step(action)
    before = task.step(action)[0]
    undisturbed.step(action)
    after, _ = task.reset(seed=[90, 91, 92], options={"reset_mask": np.array([False, True, False])})
    for part, rows in before.items():
        np.testing.assert_array_equal(after[part][[0, 2]], rows[[0, 2]])
        assert not np.array_equal(after[part][1], rows[1])
    fresh, _ = make_task(1).reset(seed=91)
    np.testing.assert_array_equal(after["observation"][1], fresh["observation"][0])
    expected, observation = undisturbed.step(action)[0], task.step(action)[0]
    np.testing.assert_array_equal(
        observation["observation"][[0, 2]], expected["observation"][[0, 2]]
    )


def test_the_clock_of_a_restarted_simulation_starts_anew(make_task) -> None:
    task = make_task(2, max_episode_steps=3)
    task.reset(seed=0)
    task.step(np.zeros((2, 4)))
    task.reset(options={"reset_mask": np.array([True, False])})
    ends = [task.step(np.zeros((2, 4)))[3].tolist() for _ in range(3)]
    assert ends == [[False, False], [False, True], [True, True]]


def test_seeds_that_are_left_out_continue_their_generator(make_task) -> None:
    some, none = make_task(3), make_task(3)
    for task in (some, none):
        task.reset(seed=[10, 11, 12])
    partly, _ = some.reset(seed=[1, None, 2])
    unseeded, _ = none.reset()
    seeded, _ = make_task(3).reset(seed=[1, 0, 2])
    np.testing.assert_array_equal(partly["desired_goal"][1], unseeded["desired_goal"][1])
    np.testing.assert_array_equal(partly["desired_goal"][[0, 2]], seeded["desired_goal"][[0, 2]])
    assert not np.array_equal(partly["desired_goal"], unseeded["desired_goal"])


def test_an_integer_seed_counts_up_over_the_simulations(make_task) -> None:
    counted, _ = make_task(2).reset(seed=5)
    listed, _ = make_task(2).reset(seed=[5, 6])
    np.testing.assert_array_equal(counted["observation"], listed["observation"])
    assert not np.array_equal(counted["observation"][0], counted["observation"][1])


@pytest.mark.parametrize("options", [PUSH, SLIPPERY_PUSH, PICK_AND_PLACE])
def test_lean_and_exact_episodes_begin_alike(make_task, options) -> None:
    exact, _ = make_task(4, options).reset(seed=0)
    lean_task = make_task(4, replace(options, physics="lean"))
    lean, _ = lean_task.reset(seed=0)
    for part, rows in exact.items():
        np.testing.assert_allclose(lean[part], rows, rtol=0, atol=1e-7)


def test_rewards_by_hand(make_task) -> None:
    task = make_task(1)
    goal = np.array([1.0, 1.0, 1.0])
    reached = goal + np.array((0.03, 0.03, 0.0))  # 4.2 cm away
    missed = goal + np.array((0.04, 0.04, 0.0))  # 5.7 cm
    assert task.compute_reward(reached, goal, {}) == 0.0
    assert task.compute_reward(missed, goal, {}) == -1.0
    grid = np.stack([[reached, missed, reached], [missed, missed, goal]])
    np.testing.assert_array_equal(task.compute_reward(grid, goal, {}), [[0, -1, 0], [-1, -1, 0]])
    lost = np.array([[np.nan, 1, 1], [1, 1, 1]])
    rewards = task.compute_reward(lost, goal, {})
    assert np.isnan(rewards[0])
    assert rewards[1] == 0.0


def test_step_rewards_and_success_agree_with_compute_reward(make_task) -> None:
    task = make_task(6)
    observation, _ = task.reset(seed=0)
    task.batch.bind("qpos")[:3, task._object_qpos : task._object_qpos + 2] = observation[
        "desired_goal"
    ][:3, :2]
    observation, reward, terminated, _, info = task.step(np.zeros((6, 4)))
    expected = task.compute_reward(observation["achieved_goal"], observation["desired_goal"], {})
    np.testing.assert_array_equal(reward, expected)
    np.testing.assert_array_equal(reward, [0, 0, 0, -1, -1, -1])
    np.testing.assert_array_equal(info["is_success"], reward == 0)
    assert not terminated.any()


def test_observations_are_snapshots(make_task) -> None:
    task = make_task(1)
    first, _ = task.reset(seed=0)
    kept = {name: rows.copy() for name, rows in first.items()}
    task.step(np.ones((1, 4)))
    task.reset(seed=1)
    for name, rows in kept.items():
        np.testing.assert_array_equal(first[name], rows)


def test_actions_beyond_the_bounds_are_clipped(make_task) -> None:
    far, edge = make_task(1), make_task(1)
    far.reset(seed=0)
    edge.reset(seed=0)
    beyond, *_ = far.step(np.array([[30.0, -30.0, 0.5, 0.0]]))
    at, *_ = edge.step(np.array([[1.0, -1.0, 0.5, 0.0]]))
    np.testing.assert_array_equal(beyond["observation"], at["observation"])


def test_slippery_friction_is_on_every_geom(make_task) -> None:
    slippery, published = make_task(1, SLIPPERY_PUSH).model, make_task(1, PUSH).model
    wanted = np.tile((0.18, 0.005, 0.0001), (slippery.ngeom, 1))
    np.testing.assert_allclose(slippery.geom_friction, wanted)
    assert (published.geom_friction[:, 0] != 0.18).all()


def test_a_simulator_state_continues_exactly(make_task) -> None:
    import mujoco

    task = make_task(2, PICK_AND_PLACE, simulator_state=True)
    task.reset(seed=0)
    observation, *_ = task.step(np.full((2, 4), 0.3))
    data = mujoco.MjData(task.model)
    kind = int(mujoco.mjtState.mjSTATE_INTEGRATION)
    mujoco.mj_setState(task.model, data, observation["simulator_state"][1], kind)
    mujoco.mj_step(task.model, data)
    task.batch.step(nstep=1)
    np.testing.assert_array_equal(task.batch.bind("qpos")[1], data.qpos)


@pytest.mark.parametrize(
    ("keywords", "words"),
    [({"num_envs": 0}, "num_envs"), ({"render_mode": "ascii"}, "rgb_array")],
)
def test_wrong_settings_are_refused_with_words(make_task, keywords, words) -> None:
    with pytest.raises(ValueError, match=words):
        make_task(**keywords)


def test_wrong_shapes_are_refused_with_words(make_task) -> None:
    task = make_task(2)
    with pytest.raises(ValueError, match="1 seeds were given for 2"):
        task.reset(seed=[1])
    with pytest.raises(ValueError, match="reset_mask has shape"):
        task.reset(options={"reset_mask": [True]})
    task.reset(seed=0)
    with pytest.raises(ValueError, match=r"expected \(2, 4\)"):
        task.step(np.zeros(4))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", IDS)
def test_single_environments_pass_gymnasiums_checker(name) -> None:
    env = gymnasium.make(name)
    check_env(env.unwrapped, skip_render_check=True)
    env.reset(seed=0)
    ends = [env.step(env.action_space.sample())[3] for _ in range(50)]
    assert ends == [False] * 49 + [True]
    env.close()


@pytest.mark.parametrize("name", IDS)
def test_vector_environments_fit_their_spaces(name) -> None:
    envs = gymnasium.make_vec(name, num_envs=3, physics="lean", num_threads=1)
    observation, _ = envs.reset(seed=0)
    assert envs.observation_space.contains(observation)
    assert observation["observation"].shape == (3, 25)
    envs.action_space.seed(0)
    observation, reward, terminated, truncated, info = envs.step(envs.action_space.sample())
    assert envs.observation_space.contains(observation)
    assert reward.shape == terminated.shape == truncated.shape == info["is_success"].shape == (3,)
    assert envs.single_action_space.contains(envs.single_action_space.sample())
    envs.close()


def test_pictures_change_when_the_block_moves(make_task) -> None:
    task = make_task(2, render_mode="rgb_array")
    task.reset(seed=0)
    try:
        first, second = task.render()
    except RenderingError as error:
        pytest.skip(f"no picture can be drawn on this machine: {error}")
    assert first.shape == second.shape == (480, 480, 3)
    assert first.dtype == np.uint8
    assert first.std() > 10  # not an empty picture
    np.testing.assert_array_equal(task.frame(0), first)
    task.batch.bind("qpos")[0, task._object_qpos] += 0.1
    moved = (task.frame(0) != first).any(axis=-1).mean()
    assert 0.001 < moved < 0.2  # the block and its shadow, not the whole scene
    np.testing.assert_array_equal(task.frame(1), second)
