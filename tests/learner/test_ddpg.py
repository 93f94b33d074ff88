"""DDPG's targets and losses, and TD3's smoothed target, with the arithmetic done by hand."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from rpl.config import LearnerConfig
from rpl.learner import ddpg
from rpl.learner.gate import objective_of
from rpl.learner.judge import Judge
from rpl.learner.networks import Actor, Critic, Critics


def linear_critic() -> Critic:
    """Q(x, a) = 2 x + 3 a + 1."""
    critic = Critic(jax.random.key(0), 1, 1, ())
    where = lambda c: (c.network.weights[0], c.network.biases[0])  # noqa: E731
    return eqx.tree_at(where, critic, (jnp.array([[2.0], [3.0]]), jnp.array([1.0])))


def linear_actor() -> Actor:
    """f(x) = tanh(x / 2)."""
    actor = Actor(jax.random.key(0), 1, 1, (), zero_last=True)
    return eqx.tree_at(lambda a: a.network.weights[0], actor, jnp.array([[0.5]]))


def test_the_target_is_reward_plus_discounted_value_within_its_bounds() -> None:
    reward = jnp.array([-1.0, 0.0, -1.0, -1.0, 0.0, 0.0])
    terminated = jnp.array([0.0, 0.0, 1.0, 0.0, 0.0, 1.0])
    next_value = jnp.array([-2.0, -3.0, -7.0, -9.0, 4.0, -7.0])
    target = ddpg.td_target(reward, terminated, next_value, 0.9, (-5.0, 0.0))
    #    -1 - 1.8, 0 - 2.7, no tail, -9.1 clipped, 3.6 clipped, no tail
    assert_allclose(target, [-2.8, -2.7, -1.0, -5.0, 0.0, 0.0], rtol=1e-6)


def test_the_critic_loss_is_the_mean_squared_error() -> None:
    x, action = jnp.array([[1.0], [2.0]]), jnp.array([[0.5], [-1.0]])  # Q = 4.5 and 2
    target = jnp.array([4.0, 5.0])
    loss, mean_q = ddpg.critic_loss(Critics((linear_critic(),)), x, action, target)
    assert loss == pytest.approx((0.5**2 + 3.0**2) / 2)
    assert mean_q == pytest.approx(3.25)
    shifted = eqx.tree_at(lambda c: c.network.biases[0], linear_critic(), jnp.array([2.0]))
    both = Critics((linear_critic(), shifted))  # Q_2 = 5.5 and 3
    loss, mean_q = ddpg.critic_loss(both, x, action, target)
    assert loss == pytest.approx((0.5**2 + 3.0**2) / 2 + (1.5**2 + 2.0**2) / 2)
    assert mean_q == pytest.approx((3.25 + 4.25) / 2)
    assert_allclose(both(x, action), [4.5, 2.0])


def test_the_actor_loss_is_the_negative_value_and_the_squared_action() -> None:
    x = jnp.array([[1.0], [-2.0]])
    first, second = np.tanh(0.5), np.tanh(-1.0)
    value = ((2 + 3 * first + 1) + (-4 + 3 * second + 1)) / 2
    critics = Critics((linear_critic(),))
    objective = objective_of(LearnerConfig(), None, Judge(critics, None, 1.0, of_sums=False), x)
    loss, _ = ddpg.actor_loss(linear_actor(), objective, x, 0.7)
    assert loss == pytest.approx(-value + 0.7 * (first**2 + second**2) / 2, rel=1e-6)


def test_smoothing_adds_clipped_noise_to_the_slow_actors_action() -> None:
    x = jnp.linspace(-3.0, 3.0, 2000)[:, None]
    action = np.asarray(linear_actor()(x))
    key = jax.random.key(0)
    smoothed = np.asarray(ddpg.smoothed_action(linear_actor(), x, key, 0.2, 0.3))
    disturbance = (smoothed - action)[np.abs(action) < 0.7]
    assert np.abs(disturbance).max() == pytest.approx(0.3, abs=1e-6)
    # A Gaussian of 0.2 cut at 1.5 deviations has 0.7785 of its variance left, with its tails there.
    assert disturbance.std() == pytest.approx(0.2 * np.sqrt(0.7785), rel=0.05)
    assert np.abs(smoothed).max() == 1.0
    assert_array_equal(ddpg.smoothed_action(linear_actor(), x, key, 0.0, 0.3), action)
