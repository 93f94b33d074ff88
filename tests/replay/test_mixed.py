"""A share of every batch is prior data; the rest is what a replay alone would draw."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from numbered import HORIZON, RULES, SEEN, draw, make_episodes, make_replay, state_of
from rpl.replay.hindsight import GoalRules
from rpl.replay.mixed import MixedReplay

PRIOR = 50  # the number of the first prior episode


def make_mixed(share: float, lengths=(4, 6, 2)) -> MixedReplay:
    prior = make_replay(3)
    prior.store(make_episodes(PRIOR, [5, 3]))
    mixed = MixedReplay(3, HORIZON, SEEN, 1, 1, prior=prior, share=share)
    mixed.store(make_episodes(0, list(lengths)))
    return mixed


@pytest.mark.parametrize(("share", "count"), [(0.5, 100), (0.25, 50), (0.001, 1), (0.999, 199)])
def test_the_share_of_a_batch_is_prior_data_in_every_batch(share, count) -> None:
    mixed = make_mixed(share)
    generator = np.random.default_rng(0)
    batch = mixed.sample((3, 200), generator, 0.8, RULES, n_step=2)
    episode = state_of(batch)[..., 0]
    assert batch.reward.shape == (3, 200)
    assert_array_equal((episode >= PRIOR).sum(axis=1), [count] * 3)
    assert (episode[:, : 200 - count] < PRIOR).all()
    assert_array_equal(
        batch.base_action[..., 0], np.float32(7 * episode + state_of(batch)[..., 1] / 10)
    )


def test_prior_goals_are_relabelled_within_their_own_episodes() -> None:
    batch = draw(make_mixed(0.5), 400, 1.0)
    goal, state = batch.observation["desired_goal"], state_of(batch)
    assert_array_equal(goal[:, 0], state[:, 0])
    assert (goal[:, 1] > state[:, 1]).all()


def test_the_newest_are_the_run_s_own_beside_all_prior_data() -> None:
    episode = state_of(draw(make_mixed(0.5), 200, newest=1))[:, 0]
    assert_array_equal(np.unique(episode), [2, PRIOR, PRIOR + 1])


def test_only_the_run_s_own_episodes_are_counted() -> None:
    mixed = make_mixed(0.5)
    assert (mixed.stored, len(mixed)) == (3, 3)


def test_a_batch_of_one_is_the_run_s_own() -> None:
    assert (state_of(draw(make_mixed(0.9), 1))[:, 0] < PRIOR).all()


def test_what_prior_data_say_of_ends_holds_for_the_run_s_own_episodes_too() -> None:
    """Three prior episodes end as they are paid; the run's own have not reached a goal yet."""

    def at_goal(achieved_goal, desired_goal, info):
        return np.where((achieved_goal == desired_goal).all(axis=-1), 1.0, 0.0)

    ended = make_episodes(PRIOR, [2, 2, 2], terminated=[True] * 3)
    ended.reward[:] = 0.0
    ended.reward[:, 1] = 1.0
    ended.observation["desired_goal"][:] = ended.achieved_goal[:, 2:3]
    prior = make_replay(3)
    prior.store(ended)
    mixed = MixedReplay(3, HORIZON, SEEN, 1, 1, prior=prior, share=0.5)
    own = make_episodes(0, [6])
    own.reward[:] = 0.0
    mixed.store(own)
    batch = draw_with(mixed, GoalRules(at_goal))
    mine = state_of(batch)[:, 0] < PRIOR
    assert mine.sum() == 100
    assert_array_equal(batch.terminated[mine], batch.reward[mine])
    assert batch.reward[mine].any()


def draw_with(replay: MixedReplay, rules: GoalRules):
    return replay.sample((200,), np.random.default_rng(0), 1.0, rules)
