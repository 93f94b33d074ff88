"""Replay on data one can recognise: every number says its episode and its time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from rpl.replay.buffer import Replay
from rpl.replay.episodes import Episodes
from rpl.replay.hindsight import GoalRules

HORIZON, LEAK = 6, -777.0
OWN_GOAL = 1000.0  # added to the episode's number in the goals that episodes were run with
FIELDS = ("observation", "goal", "action", "reward", "next_observation", "terminated", "discount")


def make_episodes(first: int, lengths: list[int], terminated=None) -> Episodes:
    """Episodes numbered from ``first``: observations and achieved goals are (episode, time)."""
    n = len(lengths)
    number = np.arange(first, first + n, dtype=np.float32)
    steps = np.arange(HORIZON + 1)
    beyond = steps > np.asarray(lengths)[:, None]
    state = np.stack(np.broadcast_arrays(number[:, None], steps), axis=-1).astype(np.float32)
    state[beyond] = LEAK
    goal = np.stack([number + OWN_GOAL] * 2, axis=-1)[:, None].repeat(HORIZON + 1, axis=1)
    reward = -number[:, None] - steps[:-1] / 100
    reward[beyond[:, 1:]] = LEAK
    return Episodes(
        observation=state,
        achieved_goal=state.copy(),
        desired_goal=goal,
        action=state[:, :-1, :1] * 10,
        reward=reward,
        length=np.asarray(lengths, np.int32),
        terminated=np.zeros(n, bool) if terminated is None else np.asarray(terminated),
        success=np.zeros(n, bool),
        index=np.arange(n),
        residual_size=np.zeros(n),
        clipped_share=np.zeros(n),
        largest_deviation=np.zeros((n, 1)),
    )


def make_replay(capacity: int, slack: int = 0, folder=None) -> Replay:
    return Replay(capacity, HORIZON, 2, 2, 1, slack, folder)


def room_for(lengths: list[int], capacity: int) -> int:
    """How many of the newest of these episodes lie in as many rows as full ones have."""
    rows = np.cumsum(np.array(lengths[::-1]) + 1)
    return int((rows <= capacity * (HORIZON + 1)).sum())


def time_to_goal(achieved_goal, desired_goal, info):
    """A reward that can be recognised: how many steps later the goal is reached."""
    assert_array_equal(info["observation"], achieved_goal)
    return 100.0 + desired_goal[:, 1] - achieved_goal[:, 1]


RULES = GoalRules(time_to_goal)


def draw(replay: Replay, count: int = 500, hindsight: float = 0.8, seed: int = 0, **keywords):
    generator = np.random.default_rng(seed)
    return replay.sample((count,), generator, hindsight, RULES, **keywords)


def assert_same_batch(ours, theirs) -> None:
    for name in FIELDS:
        assert_array_equal(getattr(ours, name), getattr(theirs, name))


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
    episode, t = batch.observation.T
    length = np.asarray(lengths)[episode.astype(int)]
    assert (episode >= len(lengths) - room_for(lengths, capacity)).all()
    assert ((t >= 0) & (t < length)).all()
    assert_array_equal(batch.next_observation, np.stack([episode, t + 1], axis=1))
    assert_array_equal(batch.action[:, 0], 10 * episode)

    relabelled = batch.goal[:, 0] < OWN_GOAL
    goal_episode, future = batch.goal[relabelled].T
    assert_array_equal(goal_episode, episode[relabelled])
    assert (future > t[relabelled]).all()
    assert (future <= length[relabelled]).all()
    assert_array_equal(batch.reward[relabelled], 100 + future - (t[relabelled] + 1))

    kept = ~relabelled
    assert_array_equal(batch.goal[kept, 0], episode[kept] + OWN_GOAL)
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
    for i, (episode, t) in enumerate(batch.observation.astype(int)):
        left = lengths[episode] - t
        taken = min(n, left)
        assert_array_equal(batch.next_observation[i], [episode, t + taken])
        assert batch.discount[i] == 0.5**taken
        assert batch.terminated[i] == (taken == left and ends[episode])
        future = batch.goal[i, 1]
        relabelled = batch.goal[i, 0] < OWN_GOAL
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
    for i, (episode, t) in enumerate(batch.observation.astype(int)):
        relabelled = batch.goal[i, 0] < OWN_GOAL
        end = int(batch.goal[i, 1]) if relabelled else lengths[episode]
        taken = min(n, end - t)
        assert_array_equal(batch.next_observation[i], [episode, t + taken])
        assert batch.discount[i] == 0.5**taken
        assert batch.terminated[i] == (taken == end - t and (relabelled or crashed[episode]))
        if relabelled:  # the reward says how many steps later the goal is reached
            by_hand = sum(0.5**k * (100 + end - (t + k + 1)) for k in range(taken))
            assert batch.reward[i] == pytest.approx(by_hand, rel=1e-5)


def test_n_changes_rewards_and_tails_but_not_which_steps_and_goals_are_drawn() -> None:
    replay = make_replay(3)
    replay.store(make_episodes(0, [5, 6, 2]))
    one, three = draw(replay, discount=0.9), draw(replay, n_step=3, discount=0.9)
    for name in ("observation", "goal", "action"):
        assert_array_equal(getattr(one, name), getattr(three, name))
    assert (one.discount == np.float32(0.9)).all()


def test_every_later_time_is_equally_likely_up_to_the_very_last() -> None:
    replay = make_replay(1)
    replay.store(make_episodes(0, [4]))
    batch = draw(replay, 20_000, hindsight=1.0)
    for t in range(4):
        future = batch.goal[batch.observation[:, 1] == t, 1]
        times, counts = np.unique(future, return_counts=True)
        assert_array_equal(times, np.arange(t + 1, 5))
        np.testing.assert_allclose(counts / counts.sum(), 1 / (4 - t), atol=0.03)


def test_the_share_of_hindsight_is_the_one_asked_for() -> None:
    replay = make_replay(3)
    replay.store(make_episodes(0, [5, 6, 2]))
    for share in (0.0, 0.3, 0.8, 1.0):
        relabelled = (draw(replay, 20_000, share).goal[:, 0] < OWN_GOAL).mean()
        assert relabelled == pytest.approx(share, abs=0.015 if 0 < share < 1 else 0)


def test_hindsight_changes_goals_and_rewards_and_nothing_else() -> None:
    replay = make_replay(3)
    replay.store(make_episodes(0, [5, 6, 2], terminated=[True, False, True]))
    without, with_it = draw(replay, hindsight=0.0), draw(replay, hindsight=0.8)
    assert (without.goal >= OWN_GOAL).all()
    for name in ("observation", "action", "next_observation", "terminated"):
        assert_array_equal(getattr(without, name), getattr(with_it, name))
    assert np.any(without.goal != with_it.goal)


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
        seen = {int(e) for e in draw(replay, 800).observation[:, 0]}
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
    assert {int(e) for e in draw(replay, newest=2).observation[:, 0]} == {6, 7}
    assert {int(e) for e in draw(replay, newest=99).observation[:, 0]} == {3, 4, 5, 6, 7}


def test_every_step_is_equally_likely_whatever_its_episodes_length() -> None:
    replay = make_replay(3)
    replay.store(make_episodes(0, [1, 6, 3]))
    batch = draw(replay, 50_000)
    _, counts = np.unique(batch.observation, axis=0, return_counts=True)
    assert len(counts) == 10
    np.testing.assert_allclose(counts / counts.sum(), 0.1, atol=0.006)


def test_terminated_is_said_of_the_last_step_of_terminated_episodes_only() -> None:
    replay = make_replay(4)
    replay.store(make_episodes(0, [3, 3, 6, 1], terminated=[True, False, True, True]))
    batch = draw(replay, 2000)
    last = {(0, 2), (2, 5), (3, 0)}
    for (episode, t), terminated in zip(batch.observation, batch.terminated, strict=True):
        assert terminated == ((int(episode), int(t)) in last)
    assert 0 < batch.terminated.mean() < 1


def test_the_leading_shape_is_the_one_asked_for() -> None:
    replay = make_replay(2)
    replay.store(make_episodes(0, [6, 6]))
    batch = replay.sample((3, 5), np.random.default_rng(0), 0.8, RULES)
    flat = draw(replay, 15)
    assert batch.observation.shape == (3, 5, 2)
    assert batch.reward.shape == batch.terminated.shape == (3, 5)
    assert_array_equal(batch.observation.reshape(15, 2), flat.observation)
    assert all(getattr(batch, name).dtype == np.float32 for name in FIELDS)


def test_tasks_without_goals_keep_their_rewards() -> None:
    replay = Replay(2, HORIZON, 2, 0, 1)
    episodes = make_episodes(0, [4, 4])
    episodes.achieved_goal = episodes.desired_goal = np.zeros((2, HORIZON + 1, 0), np.float32)
    replay.store(episodes)
    batch = draw(replay, hindsight=0.8)
    assert batch.goal.shape == (500, 0)
    episode, t = batch.observation.T
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
    assert draw(replay).observation[:, 0].max() == 9 + more
    replay.restore(checkpoint)
    assert_same_batch(draw(replay), at_checkpoint)


def test_more_than_slack_episodes_would_overwrite_the_checkpoint() -> None:
    replay = make_replay(capacity=4, slack=3)
    replay.store(make_episodes(0, [6] * 10))
    replay.store(make_episodes(10, [6] * 4))
    replay.restore(10)
    assert draw(replay).observation[:, 0].max() == 13


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


def test_a_folder_of_another_shape_is_refused_and_kept(tmp_path) -> None:
    make_replay(4, folder=tmp_path).store(make_episodes(0, [6]))
    before = (tmp_path / "observation.npy").read_bytes()
    with pytest.raises(ValueError, match="other settings"):
        make_replay(5, folder=tmp_path)
    assert (tmp_path / "observation.npy").read_bytes() == before


class Recognisable:
    """A controller that says what it was asked: 1 + episode of the goal + time / 100."""

    def proposed(self, observation, achieved_goal, desired_goal):
        assert_array_equal(observation, achieved_goal)
        return (1 + desired_goal[:, :1] + observation[:, 1:] / 100).astype(np.float32)

    def executed(self, proposed, residual):
        return proposed + residual


def test_sums_count_what_was_proposed_for_the_goal_that_was_acted_on() -> None:
    replay = make_replay(3)
    replay.store(make_episodes(0, [5, 6, 2]))
    batch = draw(replay, n_step=2, beneath=Recognisable())
    episode, t = batch.observation.T
    left = np.array([5, 6, 2])[episode.astype(int)] - t
    np.testing.assert_allclose(batch.proposed[:, 0], 1 + batch.goal[:, 0] + t / 100)
    end = t + np.minimum(2, left)
    np.testing.assert_allclose(batch.next_proposed[:, 0], 1 + batch.goal[:, 0] + end / 100)
    # Whatever the batch's goal, the executed action was for the episode's own.
    executed = 1 + episode + OWN_GOAL + t / 100 + 10 * episode
    np.testing.assert_allclose(batch.action[:, 0], executed, rtol=1e-6)
    plain = draw(replay, n_step=2)
    assert plain.proposed is None
    assert_array_equal(plain.goal, batch.goal)
