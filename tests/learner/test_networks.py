"""Two frames share a network, 0.5 (f(s1) + f(s2)), and the goal goes to each."""

import jax
import jax.numpy as jnp
import numpy as np

from rpl import learner
from rpl.config import LearnerConfig
from rpl.learner.mlp import ONE_FRAME, Frames
from rpl.learner.networks import Actor, Critic, Critics, GaussianActor

NEWEST, OLDER, GOAL = jnp.array([1.0, 2.0]), jnp.array([3.0, 4.0]), jnp.array([9.0])
INPUT = jnp.concatenate([NEWEST, OLDER, GOAL])
TWO = Frames(number=2, shared_size=1)


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
    sizes = {"observation": 4, "desired_goal": 1}

    def made(config: LearnerConfig) -> learner.LearnerState:
        return learner.create(jax.random.key(0), sizes, 2, config, frames=2, beside_frames=1)

    beside = made(config)
    assert beside.actor.frames == ONE_FRAME
    assert beside.actor.network.weights[0].shape == (5, 7)
    shared = made(LearnerConfig(hidden=(7,)))
    assert shared.actor.network.weights[0].shape == (3, 7)
    assert shared.critic.first.network.weights[0].shape == (5, 7)


def test_a_gaussian_averages_mean_and_spread_over_the_frames():
    key = jax.random.key(0)
    two = GaussianActor(key, 5, 2, (7,), False, 0.1, frames=TWO)
    one = GaussianActor(key, 3, 2, (7,), False, 0.1)
    each = [one.network(jnp.concatenate([frame, GOAL])) for frame in (NEWEST, OLDER)]
    mean, _ = two.distribution(INPUT[None])
    np.testing.assert_allclose(mean[0], 0.5 * (each[0] + each[1])[:2], rtol=1e-6)
    np.testing.assert_allclose(two(INPUT[None])[0], np.tanh(mean[0]), rtol=1e-6)


def test_critics_are_unlike_each_other_and_the_first_is_the_one_that_would_be_alone() -> None:
    key = jax.random.key(2)
    make = lambda k: Critic(k, 3, 2, (7,))  # noqa: E731
    alone, both = Critics.create(key, 1, make), Critics.create(key, 2, make)
    np.testing.assert_array_equal(both.first.network.weights[0], alone.first.network.weights[0])
    assert np.any(both.members[0].network.weights[0] != both.members[1].network.weights[0])
    x, action = jnp.ones((1, 3)), jnp.ones((1, 2))
    values = [member(x, action) for member in both.members]
    np.testing.assert_array_equal(both(x, action), np.minimum(*values))
