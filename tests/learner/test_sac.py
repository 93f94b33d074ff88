"""SAC's distribution, values and losses against the same arithmetic in float64."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from rpl import learner
from rpl.config import LearnerConfig
from rpl.learner import sac
from rpl.learner.gate import objective_of
from rpl.learner.judge import Judge
from rpl.learner.networks import Critic, Critics, GaussianActor

X = jnp.array([[1.0], [-2.0], [0.3]])
STD = 0.2


def shifted_actor() -> GaussianActor:
    """mu = (0.4, -0.7) and sigma = 0.2 for every input."""
    actor = GaussianActor(jax.random.key(0), 1, 2, (), True, initial_std=STD)
    return eqx.tree_at(lambda a: a.network.biases[0], actor, jnp.array([0.4, -0.7, 0.0, 0.0]))


def critics() -> Critics:
    """Q_1 = a_1 - 1 and Q_2 = a_2."""
    where = lambda c: (c.network.weights[0], c.network.biases[0])  # noqa: E731
    critic = Critic(jax.random.key(0), 1, 2, ())
    first = eqx.tree_at(where, critic, (jnp.array([[0.0], [1.0], [0.0]]), jnp.array([-1.0])))
    second = eqx.tree_at(where, critic, (jnp.array([[0.0], [0.0], [1.0]]), jnp.array([0.0])))
    return Critics((first, second))


JUDGE = Judge(critics(), None, 1.0, of_sums=False)


def by_hand(z) -> tuple[np.ndarray, np.ndarray]:
    """Actions and log densities of the shifted actor, by change of variables in float64."""
    mean = np.array([0.4, -0.7])
    u = mean + STD * np.asarray(z, np.float64)
    density = stats.norm.pdf(u, mean, STD) / (1.0 - np.tanh(u) ** 2)
    return np.tanh(u), np.log(density).sum(axis=-1)


def test_a_sample_is_a_squashed_gaussian_with_its_density() -> None:
    z = jnp.array([[0.0, 0.0], [1.5, -2.0], [-3.0, 0.1]])
    action, log_density = shifted_actor().sample(X, z)
    expected, expected_log = by_hand(z)
    assert_allclose(action, expected, rtol=1e-5)
    assert_allclose(log_density, expected_log, rtol=1e-4)


def test_the_density_stays_right_where_tanh_has_no_digits_left() -> None:
    actor = eqx.tree_at(
        lambda a: a.network.biases[0], shifted_actor(), jnp.array([12.0, 0.0, 0.0, 0.0])
    )
    _, log_density = actor.sample(X[:1], jnp.zeros((1, 2)))
    # log N(mu; mu, 0.2) of two components, and -log(4 e^-24) for the far one
    expected = -2 * np.log(STD * np.sqrt(2 * np.pi)) + 24 - np.log(4)
    assert float(log_density[0]) == pytest.approx(expected, rel=1e-5)


def test_the_greedy_action_is_the_squashed_mean() -> None:
    assert_allclose(shifted_actor()(X), np.tile(np.tanh([0.4, -0.7]), (3, 1)), rtol=1e-6)


@pytest.mark.parametrize("std", [0.01, 0.1, 1.0])
def test_the_spread_starts_where_it_was_told_to(std) -> None:
    actor = GaussianActor(jax.random.key(0), 1, 2, (8,), True, initial_std=std)
    mean, log_std = actor.distribution(X)
    assert not np.any(mean)
    assert_allclose(np.exp(log_std), std, rtol=1e-5)


def test_a_spread_out_of_bounds_is_refused() -> None:
    with pytest.raises(ValueError, match=r"initial-std must lie between 0\.007 and 2\.7"):
        GaussianActor(jax.random.key(0), 1, 2, (8,), True, initial_std=5.0)


def test_the_soft_value_is_the_least_value_and_the_entropy() -> None:
    key = jax.random.key(3)
    action, log_density = by_hand(jax.random.normal(key, (3, 2)))
    least = np.minimum(action[:, 0] - 1.0, action[:, 1])
    config = LearnerConfig(algorithm="sac", critics=2, initial_temperature=0.3, hidden=())
    state = learner.create(key, {"observation": 1}, 2, config)
    state = eqx.tree_at(lambda s: s.actor, state, shifted_actor())
    value = sac.next_value(config, state, JUDGE, X, key)
    assert_allclose(value, least - 0.3 * log_density, rtol=1e-4)
    bounded = replace(config, entropy_in_value=False)
    assert_allclose(sac.next_value(bounded, state, JUDGE, X, key), least, rtol=1e-4)


def test_the_actor_loss_trades_value_for_entropy() -> None:
    key = jax.random.key(4)
    action, log_density = by_hand(jax.random.normal(key, (3, 2)))
    least = np.minimum(action[:, 0] - 1.0, action[:, 1])
    objective = objective_of(LearnerConfig(aggregate="least"), None, JUDGE, X)
    temperature = jnp.array(0.3)
    loss, (entropy, _) = sac.actor_loss(shifted_actor(), objective, X, key, temperature, 0.7)
    expected = np.mean(0.3 * log_density - least) + 0.7 * np.mean(action**2)
    assert float(loss) == pytest.approx(expected, rel=1e-4)
    assert float(entropy) == pytest.approx(-log_density.mean(), rel=1e-4)


def test_the_temperature_loss_has_the_surplus_of_entropy_as_its_slope() -> None:
    log_temperature, entropy = jnp.log(jnp.array(0.5)), jnp.array(2.0)
    loss, slope = jax.value_and_grad(sac.temperature_loss)(log_temperature, entropy, -1.0)
    assert float(loss) == pytest.approx(np.log(0.5) * 3.0)
    assert float(slope) == pytest.approx(3.0)
