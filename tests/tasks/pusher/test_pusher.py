"""MBRLPusher: its scene, its start, its dense reward, and hindsight on that reward."""

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from acting import Scripted
from rpl.observations import Seen
from rpl.replay.buffer import Replay
from rpl.replay.hindsight import GoalRules
from rpl.rollout.collect import collect
from rpl.tasks import PusherOptions, PusherTask

GOAL = np.array((0.45, -0.05, -0.323))


@pytest.fixture
def make_pusher():
    """Builds one-threaded tasks and closes them afterwards."""
    tasks: list[PusherTask] = []

    def make(num_envs: int = 1, **keywords) -> PusherTask:
        tasks.append(PusherTask(num_envs, num_threads=1, **keywords))
        return tasks[-1]

    yield make
    for task in tasks:
        task.close()


def sweep(observation: np.ndarray) -> np.ndarray:
    """Lowers the hand to the table and turns the shoulder towards the cylinder."""
    position, speed = observation[:, :7], observation[:, 7:14]
    wanted = np.array((1.4, 0.6, 0.0, -0.3, 0.0, 0.0, 0.0))
    return np.clip(4.0 * (wanted - position) - 0.5 * speed, -1.0, 1.0)


def test_the_observation_is_the_published_one(make_pusher) -> None:
    task = make_pusher(2)
    observation, _ = task.reset(seed=0)
    row, layout = observation["observation"][0], task.layout
    assert (layout.size, layout.tip_position.start, layout.object_position.start) == (20, 14, 17)
    np.testing.assert_array_equal(row[layout.joint_positions], 0.0)
    assert 0 < np.abs(row[layout.joint_velocities]).max() <= 0.005
    # Stretched out along x: 0.1 + 0.4 + 0.321 m from a shoulder at (0, -0.6, 0).
    np.testing.assert_allclose(row[layout.tip_position], (0.821, -0.6, 0.0), atol=1e-12)
    np.testing.assert_array_equal(observation["achieved_goal"][0], row[layout.object_position])
    np.testing.assert_allclose(observation["desired_goal"], [GOAL, GOAL])


def test_the_cylinder_starts_where_it_is_published(make_pusher) -> None:
    observation, _ = make_pusher(400).reset(seed=0)
    start = observation["achieved_goal"]
    np.testing.assert_allclose(start.mean(axis=0), (0.6, -0.3, -0.275), atol=0.005)
    np.testing.assert_allclose(start[:, :2].std(axis=0), 0.025, rtol=0.15)
    np.testing.assert_array_equal(start[:, 2], -0.275)


def test_the_hand_moves_the_cylinder(make_pusher) -> None:
    task = make_pusher()
    observation, _ = task.reset(seed=0)
    in_the_way = np.array((0.42, 0.05))
    task.batch.bind("qpos")[:, 7:] = in_the_way[::-1] - (-0.05, 0.45)
    for _ in range(60):
        observation, *_ = task.step(sweep(observation["observation"]))
    moved = observation["achieved_goal"][0] - (*in_the_way, -0.275)
    assert moved[1] > 0.03  # the way the hand swings
    assert np.linalg.norm(moved) > 0.1  # far more than the softness of a contact
    assert abs(moved[2]) < 1e-12


def test_a_full_action_is_the_largest_torque(make_pusher) -> None:
    speeds = []
    for torque in (2.0, 1.0):
        task = make_pusher(options=PusherOptions(max_torque=torque))
        task.reset(seed=0)
        task.batch.bind("qvel")[:] = 0.0
        task.step(np.full((1, 7), -1.0))
        speeds.append(task.batch.bind("qvel")[0, 0])
    assert speeds[0] == pytest.approx(2 * speeds[1], rel=0.05)
    model = make_pusher().model
    np.testing.assert_array_equal(model.actuator_gainprm[:, 0] * model.actuator_ctrlrange[:, 1], 2)


def test_the_reward_by_hand(make_pusher) -> None:
    task = make_pusher()
    row = np.zeros(20)
    row[task.layout.tip_position] = (0.5, -0.2, -0.2)
    row[task.layout.object_position] = (0.6, -0.3, -0.275)
    action = np.array((0.5, 0, 0, 0, 0, 0, -1.0))
    # 1.25 (0.15 + 0.25 + 0.048) + 0.5 (0.1 + 0.1 + 0.075) + 0.1 (1 + 4), torques of 1 and -2.
    expected = -(1.25 * 0.448 + 0.5 * 0.275 + 0.5)
    reward = task.compute_reward(row[17:20], GOAL, {"observation": row, "action": action})
    assert reward == pytest.approx(expected)
    rows, actions = np.tile(row, (3, 2, 1)), np.tile(action, (3, 2, 1))
    np.testing.assert_allclose(
        task.predicted_reward(rows, actions, GOAL), np.full((3, 2), expected)
    )


def test_steps_and_compute_reward_agree_on_what_they_see(make_pusher) -> None:
    task = make_pusher(3)
    task.reset(seed=0)
    beyond = np.random.default_rng(0).uniform(-2, 2, (3, 7))
    observation, reward, _, _, info = task.step(beyond)
    expected = task.compute_reward(observation["achieved_goal"], observation["desired_goal"], info)
    np.testing.assert_array_equal(reward, expected)
    np.testing.assert_array_equal(info["observation"], observation["observation"])
    np.testing.assert_array_equal(info["action"], np.clip(beyond, -1, 1))


def test_hindsight_recomputes_the_reward_of_the_new_goal(make_pusher) -> None:
    task, generator = make_pusher(2), np.random.default_rng(0)
    actions = generator.uniform(-1, 1, (2, 150, 7))

    def replayed(observation, episodes, step):
        return actions[episodes, step]

    episodes = collect(task, Scripted(replayed), [1, 2], 150)
    replay = Replay(2, 150, Seen.of(task.single_observation_space), 7)
    replay.store(episodes)
    stored = replay.sample((200,), generator, 0.0, GoalRules(task.compute_reward))
    # The fixed goal again: what hindsight recomputes is what the episode earned.
    seen, goal = (stored.next_observation[name] for name in ("observation", "desired_goal"))
    recomputed = task.predicted_reward(seen, stored.action, goal)
    np.testing.assert_allclose(recomputed, stored.reward, rtol=1e-5)
    batch = replay.sample((200,), generator, 1.0, GoalRules(task.compute_reward))
    seen, goal = (batch.next_observation[name] for name in ("observation", "desired_goal"))
    positions = seen[:, task.layout.object_position]
    assert (goal != GOAL.astype(np.float32)).any(axis=1).all()
    hand = abs(seen[:, task.layout.tip_position] - positions).sum(axis=1)
    effort = (4 * batch.action**2).sum(axis=1)
    expected = -(1.25 * abs(positions - goal).sum(axis=1) + 0.5 * hand + 0.1 * effort)
    np.testing.assert_allclose(batch.reward, expected, rtol=1e-5)


def test_returns_are_those_of_the_published_scene(make_pusher) -> None:
    def mean_return(task: PusherTask, actions: np.ndarray) -> float:
        def replayed(observation, episodes, step):
            return actions[episodes, step]

        return collect(task, Scripted(replayed), range(100), 150).returns.mean()

    # The published model file earns -143.9 and, with random torques up to 1 N m, -184.0
    # (100 episodes, standard errors 0.4 and 1.3).
    random = np.random.default_rng(0).uniform(-1, 1, (100, 150, 7))
    assert mean_return(make_pusher(100), 0 * random) == pytest.approx(-143.9, abs=1.2)
    weak = make_pusher(100, options=PusherOptions(max_torque=1.0))
    assert mean_return(weak, random) == pytest.approx(-184.0, abs=4.0)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_it_is_registered_with_gymnasium() -> None:
    env = gymnasium.make("rpl/MBRLPusher-v0", max_torque=1.0)
    check_env(env.unwrapped, skip_render_check=True)
    env.reset(seed=0)
    ends = [env.step(env.action_space.sample())[3] for _ in range(150)]
    assert ends == [False] * 149 + [True]
    env.close()
    envs = gymnasium.make_vec("rpl/MBRLPusher-v0", num_envs=3, num_threads=1)
    observation, _ = envs.reset(seed=0)
    assert envs.observation_space.contains(observation)
    assert observation["observation"].shape == (3, 20)
    envs.close()
