"""Recorded episodes are collected like any others, and their controller sees them in order."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import toys
from recording import record
from rpl.controllers.adapt import adapt
from rpl.controllers.contract import ControllerPolicy
from rpl.observations import Observation
from rpl.replay.episode_files import read_recording
from rpl.rollout.collect import collect
from rpl.rollout.playback import Units, played_back
from rpl.tasks.gym.task import GymnasiumTask

SEEDS, HORIZON = (0, 1, 2, 3, 4), 8


def episodes_of(path, task):
    return read_recording(str(path), Units.of(task).space).episodes


@pytest.mark.parametrize("num_envs", [1, 3, 8])
@pytest.mark.parametrize("controller", [toys.Summing, toys.SummingAll, toys.one])
def test_played_back_an_episode_is_what_it_was_when_it_was_collected(
    tmp_path, num_envs, controller
) -> None:
    """Also what the controller would have done, whose memory must have seen all that was before."""
    task = GymnasiumTask(toys.Slide, num_envs)
    base = ControllerPolicy(adapt(controller, task), 1)
    acted = ControllerPolicy(adapt(toys.one, task), 1)
    collected = collect(task, acted, SEEDS, HORIZON, base)
    path = record(tmp_path / "slide.npz", toys.Slide(), toys.one, SEEDS)
    played = played_back(task, episodes_of(path, task), HORIZON, base)
    for name in ("base_action", "action", "reward"):
        assert_allclose(getattr(played, name), getattr(collected, name), atol=1e-6)
    assert_allclose(played.observation["observation"], collected.observation["observation"])
    for name in ("length", "terminated", "success", "index", "achieved_goal"):
        assert_array_equal(getattr(played, name), getattr(collected, name))


def test_base_actions_of_the_file_stand_for_the_controller(tmp_path) -> None:
    task = GymnasiumTask(toys.Slide, 2)

    def never(observation: Observation) -> np.ndarray:
        raise AssertionError("the controller was asked")

    path = record(tmp_path / "slide.npz", toys.Slide(), toys.one, SEEDS, base=toys.one)
    played = played_back(task, episodes_of(path, task), HORIZON, ControllerPolicy(never, 1))
    taken = played.taken
    assert_allclose(played.base_action[:, :-1][taken], played.action[taken], atol=1e-6)


@pytest.mark.parametrize(("clip", "most"), [(True, 1.0), (False, 2.0)])
def test_base_actions_of_the_file_are_clipped_where_the_controller_s_are(
    tmp_path, clip, most
) -> None:
    task = GymnasiumTask(toys.Slide, 2)
    path = record(tmp_path / "slide.npz", toys.Slide(), toys.one, base=lambda seen: [5.0])
    base = ControllerPolicy(toys.batch, 1, clip)
    assert played_back(task, episodes_of(path, task), HORIZON, base).base_action.max() == most


def test_goals_success_and_ends_come_along(tmp_path) -> None:
    task = GymnasiumTask(lambda: toys.Reach(ends=True), 2)
    path = record(tmp_path / "reach.npz", toys.Reach(ends=True), toys.to_goal, SEEDS)
    acted = ControllerPolicy(adapt(toys.to_goal, task), 2)
    collected = collect(task, acted, SEEDS, HORIZON)
    played = played_back(task, episodes_of(path, task), HORIZON, None)
    assert played.terminated.any()
    for name in ("success", "terminated", "length"):
        assert_array_equal(getattr(played, name), getattr(collected, name))
    assert_allclose(played.achieved_goal, collected.achieved_goal, atol=1e-6)
    assert_allclose(played.observation["desired_goal"], collected.observation["desired_goal"])


def test_of_all_that_was_observed_the_learner_gets_what_it_is_shown(tmp_path) -> None:
    task = GymnasiumTask(toys.Windy, 2, observe="observation,wind")
    path = record(tmp_path / "windy.npz", toys.Windy(), toys.against_the_wind, SEEDS)
    base = ControllerPolicy(adapt(toys.against_the_wind, task), 2)
    played = played_back(task, episodes_of(path, task), 6, base)
    assert played.observation["observation"].shape == (5, 7, 4)
    assert_allclose(played.base_action[:, :-1], played.action, atol=1e-6)
