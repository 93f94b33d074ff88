"""A network and its frames, by hand."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from rpl.learner.mlp import MLP, Frames


def test_frames_are_split_each_with_the_goal():
    newest, older, goal = jnp.array([1.0, 2.0]), jnp.array([3.0, 4.0]), jnp.array([9.0])
    inputs, two = jnp.concatenate([newest, older, goal]), Frames(number=2, shared_size=1)
    np.testing.assert_array_equal(two.split(inputs), [[1, 2, 9], [3, 4, 9]])
    assert two.input_size(5) == 3
    batch = jnp.stack([inputs, inputs + 10])
    np.testing.assert_array_equal(two.split(batch)[1], [[11, 12, 19], [13, 14, 19]])


def test_a_hidden_layer_is_rectified() -> None:
    network = MLP(jax.random.key(0), (1, 2, 1))
    where = lambda n: (n.weights, n.biases)  # noqa: E731
    weights = [jnp.array([[1.0, -2.0]]), jnp.array([[10.0], [100.0]])]
    network = eqx.tree_at(where, network, (weights, [jnp.array([0.5, 0.5]), jnp.array([7.0])]))
    # hidden units: relu(3.5), relu(-5.5); then relu(-0.5), relu(2.5)
    assert_allclose(network(jnp.array([[3.0], [-1.0]])), [[42.0], [257.0]])


def test_weights_begin_xavier_uniform() -> None:
    network = MLP(jax.random.key(0), (300, 200, 1))
    bound = np.sqrt(6 / 500)
    weight = np.asarray(network.weights[0])
    assert np.abs(weight).max() <= bound
    assert weight.std() == pytest.approx(bound / np.sqrt(3), rel=0.02)
    assert not np.any(network.biases[0])


def test_a_normalised_layer_is_standardised_scaled_and_shifted_before_it_is_rectified() -> None:
    network = MLP(jax.random.key(0), (1, 2, 1), layer_norm=True)
    where = lambda n: (n.weights, n.biases, n.scales, n.offsets)  # noqa: E731
    weights = [jnp.array([[1.0, -2.0]]), jnp.array([[10.0], [100.0]])]
    biases = [jnp.array([0.5, 0.5]), jnp.array([7.0])]
    scales, offsets = [jnp.array([2.0, 3.0])], [jnp.array([0.25, 3.5])]
    network = eqx.tree_at(where, network, (weights, biases, scales, offsets))
    # units 3.5 and -5.5 are 1 and -1 when standardised; then 2.25 and 0.5
    assert_allclose(network(jnp.array([[3.0]])), [[10 * 2.25 + 100 * 0.5 + 7]], rtol=1e-5)
