"""Any Gymnasium environment as a task: its episodes are those of the environment alone."""

from functools import partial

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete

from acting import Scripted
from rpl.rollout.collect import collect
from rpl.tasks.gym.requirements import UnsuitableEnvironment
from rpl.tasks.gym.task import GymnasiumTask
from toys import Reach, Slide

SEEDS = [3, 8, 2**40 + 1, 5, 11]


def scripted(actions):
    return Scripted(lambda observation, episodes, step: actions[episodes, step], len(actions))


def unit_actions(action_size, steps=8):
    generator = np.random.default_rng(0)
    return generator.uniform(-1.2, 1.2, (len(SEEDS), steps, action_size))


def alone(env, seed, actions):
    """An episode of the environment itself: its observations, rewards and how it ended."""
    observation, _ = env.reset(seed=seed % 2**31)
    seen, rewards = [observation], []
    for action in actions:
        observation, reward, terminated, truncated, info = env.step(action)
        seen.append(observation)
        rewards.append(reward)
        if terminated or truncated:
            break
    return seen, rewards, terminated, info


@pytest.mark.parametrize(("num_envs", "parallel"), [(1, False), (2, False), (7, False), (2, True)])
def test_episodes_are_those_of_the_environment_alone(num_envs, parallel) -> None:
    task = GymnasiumTask(Slide, num_envs, parallel=parallel)
    actions = unit_actions(1)
    actions[1] = 1.0  # to its end at x > 10
    episodes = collect(task, scripted(actions), SEEDS, task.max_episode_steps)
    native = np.clip(1.0 + 2.0 * np.clip(actions, -1, 1), -1, 3).astype(np.float32)
    for i, seed in enumerate(SEEDS):
        seen, rewards, terminated, _ = alone(Slide(), seed, native[i])
        assert episodes.length[i] == len(rewards)
        assert episodes.terminated[i] == terminated
        np.testing.assert_array_equal(episodes.observation["observation"][i, : len(seen)], seen)
        np.testing.assert_array_equal(episodes.reward[i, : len(rewards)], np.float32(rewards))
    assert episodes.terminated.any()
    assert not episodes.terminated.all()
    assert len(set(episodes.length)) > 1
    assert sum(env.unwrapped.steps_after_end for env in task.envs) == 0
    assert not task.reports_success
    task.close()


@pytest.mark.parametrize("parallel", [False, True])
def test_goals_and_successes_come_through(parallel) -> None:
    task = GymnasiumTask(lambda: Reach(ends=True), 2, parallel=parallel)
    actions = unit_actions(2, 6)
    episodes = collect(task, scripted(actions), SEEDS, 6)
    for i, seed in enumerate(SEEDS):
        env = Reach(ends=True)
        seen, _, terminated, info = alone(env, seed, np.clip(actions[i], -1, 1))
        for name in ("observation", "achieved_goal", "desired_goal"):
            expected = np.array([s[name] for s in seen])
            stored = episodes.observation.get(name, episodes.achieved_goal)
            np.testing.assert_allclose(stored[i, : len(seen)], expected, 1e-6)
        assert episodes.observation.keys() == {"observation", "desired_goal"}
        assert episodes.success[i] == info["success"] == terminated
    assert task.reports_success
    task.close()


def test_the_bounds_are_reached_and_never_left() -> None:
    task = GymnasiumTask(Slide, 1)
    extremes = np.array([[-1.0], [1.0], [5.0], [0.0]])
    np.testing.assert_array_equal(task.from_unit(extremes), [[-1.0], [3.0], [3.0], [1.0]])
    assert task.from_unit(extremes).dtype == np.float32
    np.testing.assert_allclose(task.to_unit(task.from_unit(np.array([[0.3]]))), [[0.3]], rtol=1e-6)


def test_whole_numbers_are_rounded_and_each_can_be_reached() -> None:
    task = GymnasiumTask(lambda: Odd(action=Box(0, 29, (1,), np.int64)))
    every = np.arange(30)[:, None]
    np.testing.assert_array_equal(task.from_unit(task.to_unit(every)), every)
    assert task.from_unit(np.array([[0.999]])) == 29


def test_a_limit_that_a_user_gives_truncates() -> None:
    task = GymnasiumTask(Slide, 2, max_episode_steps=3)
    task.reset(seed=0)
    for t in range(3):
        _, _, terminated, truncated, _ = task.step(np.zeros((2, 1)))
        np.testing.assert_array_equal(truncated, t == 2)
    assert not terminated.any()
    observation, reward, _, truncated, _ = task.step(np.ones((2, 1)))  # they stand still
    np.testing.assert_array_equal(observation[:, 1], 3.0)
    np.testing.assert_array_equal(reward, 0.0)
    assert truncated.all()


def test_a_limit_beyond_the_environment_s_own_is_refused_with_how_to_move_it() -> None:
    def pendulum(**keywords):
        return gymnasium.make("Pendulum-v1", **keywords)

    assert GymnasiumTask(pendulum, max_episode_steps=200).max_episode_steps == 200
    with pytest.raises(UnsuitableEnvironment, match=r"after 200 steps: --task.kwargs max_ep"):
        GymnasiumTask(pendulum, max_episode_steps=201)
    longer = partial(pendulum, max_episode_steps=500)
    assert GymnasiumTask(longer, max_episode_steps=500).max_episode_steps == 500


@pytest.mark.parametrize("parallel", [False, True])
def test_only_masked_environments_are_reset(parallel) -> None:
    task = GymnasiumTask(Slide, 2, parallel=parallel)
    task.reset(seed=0)
    before = task.step(np.zeros((2, 1)))[0]
    options = {"reset_mask": np.array([False, True])}
    after, _ = task.reset(seed=[None, 4], options=options)
    assert "reset_mask" in options
    np.testing.assert_array_equal(after[0], before[0])
    assert after[1, 1] == 0.0
    task.close()


def test_what_is_returned_is_not_written_into_later() -> None:
    task = GymnasiumTask(Slide, 1)
    first, _ = task.reset(seed=0)
    copy = first.copy()
    task.step(np.ones((1, 1)))
    np.testing.assert_array_equal(first, copy)


class Odd(gymnasium.Env):
    def __init__(self, action=None, observation=None, limit=5):
        self.action_space = action or Box(-1.0, 1.0, (1,))
        self.observation_space = observation or Box(-1.0, 1.0, (1,))
        if limit:
            self.max_episode_steps = limit


PLACE = Box(-1.0, 1.0, (1,))
UNLIKE = Dict({"observation": PLACE, "achieved_goal": Box(-1.0, 1.0, (3,)), "desired_goal": PLACE})


@pytest.mark.parametrize(
    ("odd", "sentence"),
    [
        ({"action": Discrete(3)}, "needs a Box"),
        ({"action": Box(-np.inf, np.inf, (1,))}, "is unbounded: give it finite bounds"),
        ({"action": Box(np.zeros(2), np.array([1.0, 0.0]))}, "bounds are equal"),
        ({"action": Box(-1e30, 1e30, (1,))}, "as good as none.*here 1e.30 units"),
        ({"observation": Box(0, 255, (4, 4), np.uint8)}, "is a picture .*task.observe module:"),
        ({"observation": UNLIKE}, "hindsight puts one in the place of the other"),
        ({"limit": None}, "--task.max-episode-steps N"),
    ],
)
def test_an_unsuitable_environment_is_refused_with_what_to_do(odd, sentence) -> None:
    with pytest.raises(UnsuitableEnvironment, match=sentence):
        GymnasiumTask(lambda: Odd(**odd))


def test_a_registered_environment_knows_its_limit() -> None:
    task = GymnasiumTask(lambda: gymnasium.make("Pendulum-v1"), 2)
    assert task.max_episode_steps == 200
    np.testing.assert_array_equal(task.from_unit(np.ones((2, 1))), 2.0)


def test_pictures_fit_the_size_asked_for() -> None:
    task = GymnasiumTask(lambda: Slide(render_mode="rgb_array"), 1)
    task.reset(seed=0)
    assert task.envs[0].render().shape == (20, 30, 3)
    assert task.frame(0, (64, 48)).shape == (64, 96, 3)
    assert task.frame(0, (80, 30)).shape == (40, 60, 3)
    reach = GymnasiumTask(Reach, 1)
    reach.reset(seed=0)
    with pytest.raises(UnsuitableEnvironment, match="draws no pictures"):  # nor has render()
        reach.frame()


def test_small_pictures_are_enlarged_to_fill_the_frame() -> None:
    task = GymnasiumTask(lambda: Slide(render_mode="rgb_array"), 1)
    task.reset(seed=0)
    picture = task.envs[0].render()
    assert picture.max() > 0
    height, width = picture.shape[:2]
    assert (task.frame(0, (4 * height, 4 * width)) > 0).all()
