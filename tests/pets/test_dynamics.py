"""The learned model: its loss by hand, its bounds, its bootstrap, and that it learns."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rpl.pets import dynamics
from rpl.pets.dynamics import ModelConfig, bootstrap, create, fit, loss, soft_clip

TINY = ModelConfig(networks=2, hidden=(), weight_decay=(0.2,), bound_penalty=0.01)


def by_hand():
    """Two linear networks of one observation and one action: mean 2 s + a and 0, log-variance 0."""
    ensemble = create(jax.random.key(0), 1, 1, TINY).ensemble
    weights = jnp.array([[[2.0, 0.0], [1.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])
    wide = (jnp.array([-50.0]), jnp.array([50.0]))
    where = lambda e: (e.weights[0], e.min_log_variance, e.max_log_variance)  # noqa: E731
    return eqx.tree_at(where, ensemble, (weights, *wide))


def test_the_loss_by_hand() -> None:
    x = jnp.array([[[1.0, 3.0], [0.0, 1.0]]] * 2)  # means 5 and 1; 0 and 0
    target = jnp.array([[[4.0], [1.0]]] * 2)
    likelihood = (1 + 0) / 2 + (16 + 1) / 2  # log-variance 0, variance 1
    decay = 0.5 * 0.2 * (4 + 1)
    bounds = 0.01 * 100
    assert loss(by_hand(), x, target, TINY) == pytest.approx(likelihood + decay + bounds)


def test_the_loss_weighs_errors_by_the_variance() -> None:
    unsure = eqx.tree_at(
        lambda e: e.biases[0], by_hand(), jnp.array([[[0.0, np.log(4.0)]], [[0.0, 0.0]]])
    )
    x, target = jnp.zeros((2, 1, 2)), jnp.full((2, 1, 1), 6.0)
    # 36 / 4 + log 4 for the unsure network, 36 / 1 + log 1 for the other.
    likelihood = 9 + np.log(4) + 36
    assert loss(unsure, x, target, TINY) == pytest.approx(likelihood + 0.5 + 1.0, rel=1e-5)


def test_log_variances_stay_within_soft_bounds() -> None:
    low, high = jnp.array(-10.0), jnp.array(0.5)
    inside = soft_clip(jnp.array([-100.0, -5.0, 100.0]), low, high)
    np.testing.assert_allclose(inside, [-10.0, -5.0, 0.5], atol=0.02)
    gradient = jax.grad(lambda b: soft_clip(jnp.array(100.0), low, b))(high)
    assert gradient == pytest.approx(1.0, abs=1e-3)  # the bound itself learns


def test_inputs_are_standardised_by_the_data() -> None:
    generator = np.random.default_rng(0)
    config = replace(TINY, epochs=1)
    observation = np.column_stack([generator.normal(5, 3, 500)])
    action = np.full((500, 1), -0.275)  # a number that binary fractions only approach
    model, _ = fit(
        create(jax.random.key(0), 1, 1, config),
        observation,
        action,
        observation,
        generator,
        config,
    )
    assert model.ensemble.input_mean == pytest.approx([observation.mean(), -0.275], rel=1e-5)
    # A constant input keeps its scale, rather than dividing by zero.
    assert model.ensemble.input_std == pytest.approx([observation.std(), 1.0], rel=1e-5)


def test_each_network_has_a_bootstrap_of_its_own_that_every_epoch_shuffles() -> None:
    config = replace(TINY, networks=3, batch_size=8, epochs=2)
    batches = bootstrap(60, np.random.default_rng(0), config)
    assert batches.shape == (2 * 8, 3, 8)
    first, second = batches[:8], batches[8:]
    drawn = [np.sort(first[:, net].ravel()) for net in range(3)]
    for net in range(3):
        assert len(np.unique(drawn[net])) < 60  # with replacement
        np.testing.assert_array_equal(np.sort(second[:, net].ravel()), drawn[net])
        assert (first[:, net] != second[:, net]).any()
    assert (drawn[0] != drawn[1]).any()
    assert batches.max() < 60


def test_it_learns_a_linear_system_and_its_noise_and_goes_on_from_there() -> None:
    generator = np.random.default_rng(0)
    config = ModelConfig(networks=3, hidden=(32, 32), weight_decay=(1e-5,) * 3, epochs=5)
    observation = generator.uniform(-1, 1, (600, 2))
    action = generator.uniform(-1, 1, (600, 1))
    # Another unit, so that standardising matters.
    change = np.column_stack([0.5 * action[:, 0], 0.3 * observation[:, 0]])
    noise = np.array((0.1, 0.01)) * generator.standard_normal((600, 2))
    data = (observation, action, observation + change + noise)
    model, before = fit(create(jax.random.key(0), 2, 1, config), *data, generator, config)
    for _ in range(7):
        model, after = fit(model, *data, generator, config)
    # What is left is the noise: (0.1^2 + 0.01^2) / 2.
    assert before > after == pytest.approx(0.005, rel=0.15)
    rows = np.tile(np.column_stack([observation, action])[:200], (3, 1, 1)).astype(np.float32)
    mean, log_variance = model.ensemble(jnp.asarray(rows))
    np.testing.assert_allclose(mean.mean(axis=0), change[:200], atol=0.1)
    std = np.exp(0.5 * np.asarray(log_variance)).mean(axis=(0, 1))
    np.testing.assert_allclose(std, (0.1, 0.01), rtol=0.6)
    assert std[0] > 3 * std[1]


def test_the_same_seed_learns_the_same_model() -> None:
    def learned() -> np.ndarray:
        generator = np.random.default_rng(0)
        rows = generator.normal(size=(50, 1))
        model = create(jax.random.key(1), 1, 1, TINY)
        return np.asarray(fit(model, rows, rows, 2 * rows, generator, TINY)[0].ensemble.weights[0])

    np.testing.assert_array_equal(learned(), learned())


def test_the_step_size_may_fall_to_zero_within_a_training() -> None:
    generator = np.random.default_rng(0)
    x, change = (jnp.asarray(generator.normal(size=(8, n)), jnp.float32) for n in (2, 1))
    batches = jnp.asarray(generator.integers(8, size=(2, 2, 4)), jnp.int32)

    def weights(steps: int, decay: bool) -> np.ndarray:
        config, model = replace(TINY, decay=decay), create(jax.random.key(0), 1, 1, TINY)
        model = dynamics._descend(config, model, x, change, batches, jnp.asarray(steps))
        return np.asarray(model.ensemble.weights[0])

    first, second = weights(1, decay=False), weights(2, decay=False)
    np.testing.assert_allclose(weights(2, decay=True) - first, (second - first) / 2, atol=1e-7)


def test_layers_without_a_weight_decay_are_refused() -> None:
    with pytest.raises(ValueError, match="1 entries for 2 layers"):
        create(jax.random.key(0), 1, 1, replace(TINY, hidden=(4,)))


def test_training_again_compiles_nothing_new() -> None:
    generator, config = np.random.default_rng(0), replace(TINY, bound_penalty=0.02)
    rows = generator.normal(size=(40, 1))
    model, sizes = create(jax.random.key(0), 1, 1, config), []
    for count in (20, 30, 40):
        data = (rows[:count], rows[:count], 2 * rows[:count])
        model, _ = fit(model, *data, generator, config)
        sizes.append(dynamics._descend._cache_size())
    assert sizes[0] == sizes[1] == sizes[2]
