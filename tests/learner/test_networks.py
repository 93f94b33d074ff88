"""Two frames share one network, 0.5 (f(s1) + f(s2)), and the goal goes to each."""

import jax
import jax.numpy as jnp
import numpy as np

from rpl.config import LearnerConfig
from rpl.learner import ddpg
from rpl.learner.networks import ONE_FRAME, Actor, Critic, Frames

NEWEST, OLDER, GOAL = jnp.array([1.0, 2.0]), jnp.array([3.0, 4.0]), jnp.array([9.0])
INPUT = jnp.concatenate([NEWEST, OLDER, GOAL])
TWO = Frames(number=2, goal_size=1)


def test_frames_are_split_each_with_the_goal():
    np.testing.assert_array_equal(TWO.split(INPUT), [[1, 2, 9], [3, 4, 9]])
    assert TWO.input_size(5) == 3
    batch = jnp.stack([INPUT, INPUT + 10])
    np.testing.assert_array_equal(TWO.split(batch)[1], [[11, 12, 19], [13, 14, 19]])


def test_actor_averages_one_network_over_the_frames():
    key = jax.random.key(0)
    two = Actor(key, 5, 2, (7,), zero_last=False, frames=TWO)
    one = Actor(key, 3, 2, (7,), zero_last=False)
    each = [one(jnp.concatenate([frame, GOAL])) for frame in (NEWEST, OLDER)]
    np.testing.assert_allclose(two(INPUT[None])[0], 0.5 * (each[0] + each[1]), rtol=1e-6)
    assert not np.allclose(each[0], each[1])


def test_critic_averages_too_with_the_action_in_each_frame():
    key, action = jax.random.key(1), jnp.array([0.3, -0.2])
    two, one = Critic(key, 5, 2, (7,), frames=TWO), Critic(key, 3, 2, (7,))
    each = [one(jnp.concatenate([frame, GOAL]), action) for frame in (NEWEST, OLDER)]
    np.testing.assert_allclose(
        two(INPUT[None], action[None])[0], 0.5 * (each[0] + each[1]), rtol=1e-6
    )


def test_concatenation_is_the_other_variant():
    config = LearnerConfig(hidden=(7,), average_frames=False)
    beside = ddpg.create(jax.random.key(0), 4, 1, 2, config, frames=2)
    assert beside.actor.frames == ONE_FRAME
    assert beside.actor.network.weights[0].shape == (5, 7)
    shared = ddpg.create(jax.random.key(0), 4, 1, 2, LearnerConfig(hidden=(7,)), frames=2)
    assert shared.actor.network.weights[0].shape == (3, 7)
    assert shared.critic.network.weights[0].shape == (5, 7)
