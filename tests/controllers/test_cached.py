"""Caches of policies: what they answer, what they are made of, and their files."""

import numpy as np
import pytest

from acting import Scripted
from rpl.controllers.cached import (
    Cache,
    CachedPETS,
    CachedPolicy,
    CacheError,
    from_episodes,
)
from rpl.controllers.contract import ControllerPolicy
from rpl.rollout.collect import collect
from rpl.tasks import PusherTask


def without_goals(count: int) -> np.ndarray:
    return np.zeros((count, 0))


@pytest.fixture
def cache() -> Cache:
    """States 0, 1, .. 9 on a line; in state i the action is (i, -i) / 10."""
    line = np.arange(10.0)
    action = np.column_stack([line, -line]) / 10
    return Cache(line[:, None], without_goals(10), action, {"seed": 3, "nested": [1.5]})


def test_the_nearest_states_action_is_taken(cache) -> None:
    controller = cache
    seen = np.array([[2.4], [2.6], [-50.0], [9.0]])
    expected = [[0.2, -0.2], [0.3, -0.3], [0.0, 0.0], [0.9, -0.9]]
    np.testing.assert_array_equal(controller(seen), expected)
    seen.flags.writeable = False
    parts = {
        "observation": seen,
        "achieved_goal": without_goals(4),
        "desired_goal": without_goals(4),
    }
    np.testing.assert_array_equal(controller(parts), expected)


def test_all_components_count_towards_the_distance() -> None:
    states, action = np.array([[0.0, 0.0], [3.0, 3.0]]), np.array([[-1.0], [1.0]])
    seen = np.array([[0.0, 2.0], [0.0, 4.1]])
    near = Cache(states, without_goals(2), action)(seen)
    np.testing.assert_array_equal(near, [[-1.0], [1.0]])
    # The second number may as well be the goal.
    parts = {"observation": seen[:, :1], "achieved_goal": seen[:, 1:], "desired_goal": seen[:, 1:]}
    near = Cache(states[:, :1], states[:, 1:], action)(parts)
    np.testing.assert_array_equal(near, [[-1.0], [1.0]])


def test_environments_that_diverged_disturb_nobody(cache) -> None:
    np.testing.assert_array_equal(cache(np.array([[np.nan], [9.0]]))[1], [0.9, -0.9])


def test_a_smaller_cache_uses_the_first_states(cache) -> None:
    np.testing.assert_array_equal(cache.first(4)(np.array([[9.0]])), [[0.3, -0.3]])


def test_a_file_gives_back_the_cache_and_holds_no_objects(cache, tmp_path) -> None:
    path = tmp_path / "cache.npz"
    cache.save(path)
    loaded = Cache.load(path)
    np.testing.assert_array_equal(loaded.observation, cache.observation)
    np.testing.assert_array_equal(loaded.action, cache.action)
    assert loaded.provenance == {"seed": 3, "nested": [1.5]}
    with np.load(path, allow_pickle=False) as file:
        assert all(file[name].dtype != object for name in file.files)


def test_other_files_are_refused_with_words(tmp_path) -> None:
    path = tmp_path / "other.npz"
    np.savez(path, weights=np.zeros(3))
    with pytest.raises(CacheError, match="not a cache"):
        Cache.load(path)
    path.write_text("nonsense")
    with pytest.raises(CacheError, match="not a cache"):
        Cache.load(path)
    arrays = {"desired_goal": without_goals(1), "action": np.zeros((1, 1))}
    np.savez(path, observation=np.array([[None]]), **arrays, provenance="{}")
    with pytest.raises(CacheError, match="not a cache"):
        Cache.load(path)
    with pytest.raises(CacheError, match="there is no cache"):
        Cache.load(tmp_path / "missing.npz")


def test_impossible_caches_are_refused(cache) -> None:
    with pytest.raises(CacheError, match="same n"):
        Cache(np.zeros((3, 2)), without_goals(3), np.zeros((2, 1)))
    with pytest.raises(CacheError, match="at least one"):
        Cache(np.zeros((0, 2)), without_goals(0), np.zeros((0, 1)))
    with pytest.raises(CacheError, match="finite"):
        Cache(np.array([[np.nan]]), without_goals(1), np.zeros((1, 1)))
    with pytest.raises(CacheError, match=r"1 \.\. 10"):
        cache.first(11)


def test_a_cache_is_made_of_steps_of_the_policys_own_episodes() -> None:
    task = PusherTask(2, max_episode_steps=6, num_threads=1)
    actions = np.random.default_rng(0).uniform(-1, 1, (2, 6, 7)).astype(np.float32)

    def replayed(observation, episodes, step):
        return actions[episodes, step]

    episodes = collect(task, Scripted(replayed), [1, 2], 6)
    episodes.length[1] = 3  # as if the second had ended early
    made = from_episodes(episodes, 9, np.random.default_rng(0), {"task": "mbrl-pusher"})
    task.close()
    assert (len(made), made.provenance) == (9, {"task": "mbrl-pusher"})
    replayed = made
    for episode, length in ((0, 6), (1, 3)):
        seen = episodes.observation.items()
        parts = {name: part[episode, :length] for name, part in seen}
        parts["achieved_goal"] = episodes.achieved_goal[episode, :length]
        np.testing.assert_array_equal(replayed(parts), actions[episode, :length])
    with pytest.raises(CacheError, match="10 states from the 9 steps of 2 episodes"):
        from_episodes(episodes, 10, np.random.default_rng(0))


def test_a_controller_reads_a_cache_and_says_what_it_cost(cache, tmp_path) -> None:
    path = tmp_path / "cache.npz"
    charged = Cache(cache.observation, cache.desired_goal, cache.action, {"charged_steps": 15_500})
    charged.save(path)
    controller = CachedPolicy(str(path), states=4)
    np.testing.assert_array_equal(controller(np.array([[9.0]])), [[0.3, -0.3]])
    assert controller.charged_steps == 15_500
    with pytest.raises(CacheError, match="states of 1 numbers and the task of 2"):
        controller(np.zeros((1, 2)))


def test_the_packaged_cache_says_where_it_comes_from_and_pushes_the_cylinder() -> None:
    cache = CachedPETS().cache
    assert len(cache) == 500
    assert np.abs(cache.action).max() <= 1.0
    origin = cache.provenance
    assert origin["run"]["config"]["planner"]["horizon"] == 45
    assert {"command", "commit", "versions", "seed", "returns"} <= origin.keys()
    assert CachedPETS().charged_steps == origin["charged_steps"] > 500
    task, controller = PusherTask(20, num_threads=1), CachedPETS()
    acted = collect(task, ControllerPolicy(controller, 7), range(20), 150)
    task.close()
    assert acted.returns.mean() > -105.0  # doing nothing earns -144
