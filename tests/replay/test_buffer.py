"""Replay on data one can recognise: every number says its episode and its time."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from numbered import (
    HORIZON,
    OWN_GOAL,
    RULES,
    draw,
    make_episodes,
    make_replay,
    state_of,
    time_to_goal,
)
from rpl.observations import Seen
from rpl.replay.arrays import ReplayLost
from rpl.replay.buffer import Replay
from rpl.replay.episodes import Episodes
from rpl.replay.hindsight import GoalRules


def room_for(lengths: list[int], capacity: int) -> int:
    """How many of the newest of these episodes lie in as many rows as full ones have."""
    rows = np.cumsum(np.array(lengths[::-1]) + 1)
    return int((rows <= capacity * (HORIZON + 1)).sum())


def goal_of(batch) -> np.ndarray:
    return batch.observation["desired_goal"]


def assert_same_batch(ours, theirs) -> None:
    for mine, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert_array_equal(mine, other)


lengths_of_episodes = st.lists(st.integers(1, HORIZON), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(
    lengths_of_episodes, st.integers(1, 6), st.integers(0, 3), st.floats(0, 1), st.integers(0, 99)
)
def test_samples_never_cross_episodes_and_goals_come_from_the_future(
    lengths, capacity, slack, hindsight, seed
) -> None:
    replay = make_replay(capacity, slack)
    for i, length in enumerate(lengths):
        replay.store(make_episodes(i, [length]))
    batch = draw(replay, 200, hindsight, seed)
    episode, t = state_of(batch).T
    length = np.asarray(lengths)[episode.astype(int)]
    assert (episode >= len(lengths) - room_for(lengths, capacity)).all()
    assert ((t >= 0) & (t < length)).all()
    assert_array_equal(batch.next_observation["observation"], np.stack([episode, t + 1], axis=1))
    assert_array_equal(batch.next_observation["desired_goal"], goal_of(batch))
    # Whatever goal they are for: what was done, and what the base policy would do, then and next.
    assert_array_equal(batch.action[:, 0], np.float32(10 * episode + t / 10))
    assert_array_equal(batch.base_action[:, 0], np.float32(7 * episode + t / 10))
    assert_array_equal(batch.next_base_action[:, 0], np.float32(7 * episode + (t + 1) / 10))

    relabelled = goal_of(batch)[:, 0] < OWN_GOAL
    goal_episode, future = goal_of(batch)[relabelled].T
    assert_array_equal(goal_episode, episode[relabelled])
    assert (future > t[relabelled]).all()
    assert (future <= length[relabelled]).all()
    assert_array_equal(batch.reward[relabelled], 100 + future - (t[relabelled] + 1))

    kept = ~relabelled
    assert_array_equal(goal_of(batch)[kept, 0], episode[kept] + OWN_GOAL)
    np.testing.assert_allclose(batch.reward[kept], -episode[kept] - t[kept] / 100, rtol=1e-6)


@settings(max_examples=60, deadline=None)
@given(lengths_of_episodes, st.integers(1, HORIZON + 2), st.floats(0, 1), st.integers(0, 99))
def test_n_steps_are_rewarded_for_one_goal_and_stop_where_the_episode_does(
    lengths, n, hindsight, seed
) -> None:
    replay = make_replay(len(lengths))
    ends = np.arange(len(lengths)) % 2 == 0
    replay.store(make_episodes(0, lengths, terminated=ends))
    batch = draw(replay, 100, hindsight, seed, n_step=n, discount=0.5)
    for i, (episode, t) in enumerate(state_of(batch).astype(int)):
        left = lengths[episode] - t
        taken = min(n, left)
        assert_array_equal(batch.next_observation["observation"][i], [episode, t + taken])
        assert batch.base_action[i] == np.float32(7 * episode + t / 10)
        assert batch.next_base_action[i] == np.float32(7 * episode + (t + taken) / 10)
        assert batch.discount[i] == 0.5**taken
        assert batch.terminated[i] == (taken == left and ends[episode])
        future = goal_of(batch)[i, 1]
        relabelled = goal_of(batch)[i, 0] < OWN_GOAL
        rewards = [
            100 + future - (t + k + 1) if relabelled else -episode - (t + k) / 100
            for k in range(taken)
        ]
        by_hand = sum(0.5**k * reward for k, reward in enumerate(rewards))
        assert batch.reward[i] == pytest.approx(by_hand, rel=1e-5, abs=1e-5)


def reached(achieved_goal, desired_goal, info):
    """Whether the goal is the place of that very time."""
    return (achieved_goal == desired_goal).all(axis=1)


@settings(max_examples=60, deadline=None)
@given(lengths_of_episodes, st.integers(1, HORIZON + 2), st.integers(0, 99))
def test_a_task_that_ends_at_its_goal_ends_at_a_relabelled_one(lengths, n, seed) -> None:
    replay = make_replay(len(lengths))
    crashed = np.arange(len(lengths)) % 2 == 0  # for no reason that has to do with goals
    replay.store(make_episodes(0, lengths, terminated=crashed))
    rules = GoalRules(time_to_goal, reached)
    batch = replay.sample((100,), np.random.default_rng(seed), 0.8, rules, n_step=n, discount=0.5)
    for i, (episode, t) in enumerate(state_of(batch).astype(int)):
        relabelled = goal_of(batch)[i, 0] < OWN_GOAL
        end = int(goal_of(batch)[i, 1]) if relabelled else lengths[episode]
        taken = min(n, end - t)
        assert_array_equal(batch.next_observation["observation"][i], [episode, t + taken])
        assert batch.discount[i] == 0.5**taken
        assert batch.terminated[i] == (taken == end - t and (relabelled or crashed[episode]))
        if relabelled:  # the reward says how many steps later the goal is reached
            by_hand = sum(0.5**k * (100 + end - (t + k + 1)) for k in range(taken))
            assert batch.reward[i] == pytest.approx(by_hand, rel=1e-5)


def to_goal(pays: float, ends: bool, crash: float = 0.0) -> Replay:
    """Walks along a line to its goal, at 3, as far as it gets: paid ``pays`` there, else 0."""
    replay = Replay(50, HORIZON, Seen({"observation": 1, "desired_goal": 1}), 1)
    steps = np.arange(HORIZON + 1.0)
    for i in range(8):
        arrives = i % 2 == 0
        place = np.minimum(steps, 3.0 if arrives else 2.0)[None, :, None]
        length = 3 if arrives and ends else HORIZON
        reward = np.where(place[0, 1:, 0] == 3.0, pays, 0.0)
        over = arrives and ends
        if crash and not arrives:
            length, over = 2, True
            reward[1] += crash
        replay.store(
            Episodes(
                observation={"observation": place, "desired_goal": np.full_like(place, 3.0)},
                achieved_goal=place,
                base_action=np.zeros((1, HORIZON + 1, 0)),
                action=np.zeros((1, HORIZON, 1)),
                reward=reward[None],
                length=np.array([length], np.int32),
                terminated=np.array([over]),
                success=np.array([arrives]),
                index=np.array([i]),
            )
        )
    return replay


@pytest.mark.parametrize(
    ("pays", "ends", "crash", "understood"),
    [
        (1.0, True, 0.0, True),
        (1.0, False, 0.0, False),
        (1.0, True, -5.0, True),
        (1.0, False, -5.0, 0),
    ],
)
def test_a_goal_that_ends_episodes_ends_relabelled_ones_too(pays, ends, crash, understood) -> None:
    rules = GoalRules(lambda achieved, desired, info: pays * (achieved == desired)[:, 0])
    batch = to_goal(pays, ends, crash).sample((2000,), np.random.default_rng(0), 1.0, rules)
    reached = batch.reward == pays
    # Whoever crashed crashes on the way to any goal.
    assert batch.terminated[reached].all() == understood
    assert crash or batch.terminated[~reached].sum() == 0
    own = to_goal(pays, ends, crash).sample((2000,), np.random.default_rng(0), 0.0, rules)
    assert own.terminated.any() == (ends or crash != 0.0)


@pytest.mark.parametrize("ends", [True, False])
def test_what_a_goal_would_have_ended_is_not_relabelled_with_it(ends) -> None:
    rules = GoalRules(lambda achieved, desired, info: 1.0 * (achieved == desired)[:, 0])
    batch = to_goal(1.0, ends).sample((2000,), np.random.default_rng(0), 1.0, rules)
    there = goal_of(batch) == batch.observation["observation"]  # and have been since a step
    assert there.any() != ends
    own = goal_of(batch) == 3.0
    assert (batch.reward[own[:, 0]] == 0.0).any()  # of those that did not get to their own goal
    assert (~own).any()


def test_n_changes_rewards_and_tails_but_not_which_steps_and_goals_are_drawn() -> None:
    replay = make_replay(3)
    replay.store(make_episodes(0, [5, 6, 2]))
    one, three = draw(replay, discount=0.9), draw(replay, n_step=3, discount=0.9)
    for name in ("observation", "base_action", "action"):
        assert_same_batch(getattr(one, name), getattr(three, name))
    assert (one.discount == np.float32(0.9)).all()


def test_every_later_time_is_equally_likely_up_to_the_very_last() -> None:
    replay = make_replay(1)
    replay.store(make_episodes(0, [4]))
    batch = draw(replay, 20_000, hindsight=1.0)
    for t in range(4):
        future = goal_of(batch)[state_of(batch)[:, 1] == t, 1]
        times, counts = np.unique(future, return_counts=True)
        assert_array_equal(times, np.arange(t + 1, 5))
        np.testing.assert_allclose(counts / counts.sum(), 1 / (4 - t), atol=0.03)


def test_the_share_of_hindsight_is_the_one_asked_for() -> None:
    replay = make_replay(3)
    replay.store(make_episodes(0, [5, 6, 2]))
    for share in (0.0, 0.3, 0.8, 1.0):
        relabelled = (goal_of(draw(replay, 20_000, share))[:, 0] < OWN_GOAL).mean()
        assert relabelled == pytest.approx(share, abs=0.015 if 0 < share < 1 else 0)


def test_hindsight_changes_goals_and_rewards_and_nothing_else() -> None:
    replay = make_replay(3)
    replay.store(make_episodes(0, [5, 6, 2], terminated=[True, False, True]))
    without, with_it = draw(replay, hindsight=0.0), draw(replay, hindsight=0.8)
    assert (goal_of(without) >= OWN_GOAL).all()
    for name in ("base_action", "action", "next_base_action", "terminated"):
        assert_array_equal(getattr(without, name), getattr(with_it, name))
    for name in ("observation", "next_observation"):
        ours, theirs = (getattr(batch, name)["observation"] for batch in (without, with_it))
        assert_array_equal(ours, theirs)
    assert np.any(goal_of(without) != goal_of(with_it))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.integers(1, HORIZON), min_size=1, max_size=3), min_size=1, max_size=8),
    st.integers(3, 5),
    st.integers(0, 3),
)
def test_the_ring_shows_exactly_the_newest_episodes_there_is_room_for(
    rounds, capacity, slack
) -> None:
    replay, lengths = make_replay(capacity, slack), []
    for more in rounds:
        replay.store(make_episodes(len(lengths), more))
        lengths += more
        seen = {int(e) for e in state_of(draw(replay, 800))[:, 0]}
        assert seen == set(range(len(lengths) - room_for(lengths, capacity), len(lengths)))
        assert len(replay) == len(seen)


def test_of_short_episodes_as_many_more_are_shown() -> None:
    replay = make_replay(capacity=4)
    replay.store(make_episodes(0, [HORIZON] * 9))
    assert len(replay) == 4
    replay = make_replay(capacity=4)
    replay.store(make_episodes(0, [1] * 99))
    assert len(replay) == 4 * (HORIZON + 1) // 2


def test_newest_draws_from_the_last_episodes_only() -> None:
    replay = make_replay(5, slack=1)
    replay.store(make_episodes(0, [HORIZON] * 8))
    assert {int(e) for e in state_of(draw(replay, newest=2))[:, 0]} == {6, 7}
    assert {int(e) for e in state_of(draw(replay, newest=99))[:, 0]} == {3, 4, 5, 6, 7}


def test_every_step_is_equally_likely_whatever_its_episodes_length() -> None:
    replay = make_replay(3)
    replay.store(make_episodes(0, [1, 6, 3]))
    batch = draw(replay, 50_000)
    _, counts = np.unique(state_of(batch), axis=0, return_counts=True)
    assert len(counts) == 10
    np.testing.assert_allclose(counts / counts.sum(), 0.1, atol=0.006)


def test_terminated_is_said_of_the_last_step_of_terminated_episodes_only() -> None:
    replay = make_replay(4)
    replay.store(make_episodes(0, [3, 3, 6, 1], terminated=[True, False, True, True]))
    batch = draw(replay, 2000)
    last = {(0, 2), (2, 5), (3, 0)}
    for (episode, t), terminated in zip(state_of(batch), batch.terminated, strict=True):
        assert terminated == ((int(episode), int(t)) in last)
    assert 0 < batch.terminated.mean() < 1


def test_the_leading_shape_is_the_one_asked_for() -> None:
    replay = make_replay(2)
    replay.store(make_episodes(0, [6, 6]))
    batch = replay.sample((3, 5), np.random.default_rng(0), 0.8, RULES)
    flat = draw(replay, 15)
    assert state_of(batch).shape == (3, 5, 2)
    assert batch.base_action.shape == batch.action.shape == (3, 5, 1)
    assert batch.reward.shape == batch.terminated.shape == (3, 5)
    assert_array_equal(state_of(batch).reshape(15, 2), state_of(flat))
    assert all(leaf.dtype == np.float32 for leaf in jax.tree.leaves(batch))


def test_tasks_without_goals_keep_their_rewards() -> None:
    replay = Replay(2, HORIZON, Seen({"observation": 2}), 1)
    episodes = make_episodes(0, [4, 4])
    episodes.achieved_goal = episodes.base_action = np.zeros((2, HORIZON + 1, 0), np.float32)
    del episodes.observation["desired_goal"]
    replay.store(episodes)
    batch = draw(replay, hindsight=0.8)
    assert batch.observation.keys() == batch.next_observation.keys() == {"observation"}
    assert batch.base_action is batch.next_base_action is None
    episode, t = state_of(batch).T
    np.testing.assert_allclose(batch.reward, -episode - t / 100, rtol=1e-6)


def test_an_empty_replay_says_so() -> None:
    with pytest.raises(ValueError, match="empty"):
        draw(make_replay(2))


@pytest.mark.parametrize("more", [1, 3])
def test_up_to_slack_episodes_after_a_checkpoint_leave_it_as_it_was(more) -> None:
    replay = make_replay(capacity=4, slack=3)
    replay.store(make_episodes(0, [6] * 10))
    checkpoint, at_checkpoint = replay.stored, draw(replay)
    replay.store(make_episodes(10, [6] * more))
    assert state_of(draw(replay))[:, 0].max() == 9 + more
    replay.restore(checkpoint)
    assert_same_batch(draw(replay), at_checkpoint)


def test_more_than_slack_episodes_overwrite_the_checkpoint_and_that_is_noticed() -> None:
    replay = make_replay(capacity=4, slack=3)
    replay.store(make_episodes(0, [6] * 10))
    replay.store(make_episodes(10, [6] * 4))
    with pytest.raises(ReplayLost, match="checksum"):
        replay.restore(10)


def test_a_reopened_folder_gives_the_same_samples(tmp_path) -> None:
    folder = tmp_path / "replay"
    written = make_replay(4, slack=2, folder=folder)
    written.store(make_episodes(0, [6, 2, 5, 1, 3, 4, 6], terminated=[True] * 7))
    written.flush()
    reopened = make_replay(4, slack=2, folder=folder)
    assert len(reopened) == 0
    reopened.restore(written.stored)
    assert_same_batch(draw(reopened), draw(written))
    in_memory = make_replay(4, slack=2)
    in_memory.store(make_episodes(0, [6, 2, 5, 1, 3, 4, 6], terminated=[True] * 7))
    assert_same_batch(draw(in_memory), draw(written))


def with_parts(sizes: dict[str, int], lengths: list[int]) -> Episodes:
    """Episodes with further parts, part i of which is 100 * i + episode + time / 10."""
    episodes = make_episodes(0, lengths)
    n, steps = np.arange(len(lengths))[:, None, None], np.arange(HORIZON + 1)[:, None]
    others = [name for name in sizes if name not in episodes.observation]
    for i, name in enumerate(others):
        part = np.float32(100 * i + n + steps / 10)
        episodes.observation[name] = np.repeat(part, sizes[name], axis=2)
    return episodes


NAMES = ("action", "reward", "start", "length", "terminated", "achieved_goal", "part1", "../wind/x")


@pytest.mark.parametrize("on_disk", [False, True])
def test_parts_may_have_any_name_and_come_back_as_they_were_seen(on_disk, tmp_path) -> None:
    """Those of our own arrays, and those that are no file's name, among them."""
    sizes = {"observation": 2, **{name: 1 + i % 3 for i, name in enumerate(NAMES)}}
    sizes["desired_goal"] = 2
    folder = tmp_path / "replay" / "here" if on_disk else None
    replay = Replay(3, HORIZON, Seen(sizes), 1, 1, folder=folder)
    replay.store(with_parts(sizes, [5, 6, 2]))
    batch = draw(replay)
    assert list(batch.observation) == list(batch.next_observation) == list(sizes)
    episode, t = state_of(batch).T
    for i, name in enumerate(NAMES):
        for seen, at in ((batch.observation, t), (batch.next_observation, t + 1)):
            expected = np.float32(100 * i + episode + at / 10)
            assert_array_equal(seen[name], np.repeat(expected[:, None], sizes[name], axis=1))
    assert_array_equal(batch.action[:, 0], np.float32(10 * episode + t / 10))
    if on_disk:
        replay.flush()
        again = Replay(3, HORIZON, Seen(sizes), 1, 1, folder=folder)
        again.restore(replay.stored)
        assert_same_batch(draw(again), batch)
        assert {path.parent for path in tmp_path.rglob("*.npy")} == {folder}


def test_parts_beside_the_goal_change_nothing_of_what_is_drawn() -> None:
    sizes = {"observation": 2, "wind": 1, "desired_goal": 2}
    plain, windy = make_replay(3), Replay(3, HORIZON, Seen(sizes), 1, 1)
    plain.store(make_episodes(0, [5, 6, 2]))
    windy.store(with_parts(sizes, [5, 6, 2]))
    ours, theirs = draw(plain, n_step=2), draw(windy, n_step=2)
    for seen in (theirs.observation, theirs.next_observation):
        del seen["wind"]
    assert_same_batch(ours, theirs)


def test_a_base_action_that_is_shown_is_the_one_of_the_episodes_own_goal() -> None:
    """What the learner sees of it, and what it is added to, are the same numbers."""
    shown = Seen({"observation": 2, "base_action": 1, "desired_goal": 2})
    replay = Replay(3, HORIZON, shown, 1, 1)
    replay.store(make_episodes(0, [5, 6, 2]))
    batch = draw(replay, n_step=2)
    assert (goal_of(batch)[:, 0] < OWN_GOAL).mean() > 0.5
    assert list(batch.observation) == ["observation", "base_action", "desired_goal"]
    assert_array_equal(batch.observation["base_action"], batch.base_action)
    assert_array_equal(batch.next_observation["base_action"], batch.next_base_action)
    episode, t = state_of(batch).T
    assert_array_equal(batch.base_action[:, 0], np.float32(7 * episode + t / 10))


@pytest.mark.parametrize("shown", [True, False])
def test_a_base_policy_that_can_be_asked_says_what_it_would_do_for_a_relabelled_goal(shown) -> None:
    sizes = {"observation": 2, **({"base_action": 1} if shown else {}), "desired_goal": 2}
    replay, asked = Replay(3, HORIZON, Seen(sizes), 1, 1), []

    def base(observation):
        assert observation.keys() == {"observation", "achieved_goal", "desired_goal"}
        assert_array_equal(observation["achieved_goal"], observation["observation"])
        asked.append(len(observation["observation"]))
        return 500.0 + observation["desired_goal"][:, 1:] - observation["observation"][:, 1:]

    replay.store(make_episodes(0, [5, 6, 2]))
    batch, alike = draw(replay, n_step=2, ask=base), draw(replay, n_step=2)
    episode, t = state_of(batch).T
    relabelled = goal_of(batch)[:, 0] < OWN_GOAL
    assert 0.5 < relabelled.mean() < 1.0
    assert asked == [relabelled.sum()] * 2  # now and after the two steps, and for no other
    ahead = goal_of(batch)[:, 1] - t
    stored = np.float32(7 * episode + t / 10)
    assert_array_equal(batch.base_action[:, 0], np.where(relabelled, 500.0 + ahead, stored))
    after = batch.next_observation["observation"][:, 1]
    said = batch.next_base_action[relabelled, 0]
    assert_array_equal(said, (500.0 + goal_of(batch)[:, 1] - after)[relabelled])
    if shown:
        assert_array_equal(batch.observation["base_action"], batch.base_action)
        assert_array_equal(batch.next_observation["base_action"], batch.next_base_action)
    for name in ("action", "reward", "terminated", "discount"):
        assert_array_equal(getattr(batch, name), getattr(alike, name))


def test_rules_are_asked_with_the_executed_action() -> None:
    replay, asked = make_replay(3), []

    def watching(achieved_goal, desired_goal, info):
        episode, t = achieved_goal.T
        asked.append(len(episode))
        assert_array_equal(info["action"][:, 0], np.float32(10 * episode + (t - 1) / 10))
        return np.zeros(len(episode))

    replay.store(make_episodes(0, [5, 6, 2]))
    rules = GoalRules(watching, lambda *asked: watching(*asked) > 0)
    replay.sample((300,), np.random.default_rng(0), 0.8, rules)
    assert sum(asked) > 300
