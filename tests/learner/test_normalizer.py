"""Running statistics against NumPy on all the data at once."""

import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from rpl.learner.normalizer import Normalizer


def chunks() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    scale, centre = np.array([1.0, 0.05, 300.0]), np.array([0.0, 1.3, 50.0])
    return [(rng.normal(size=(n, 3)) * scale + centre).astype(np.float32) for n in (7, 400, 1, 93)]


def test_statistics_equal_numpys_on_all_the_data() -> None:
    normalizer = Normalizer.create(3)
    for chunk in chunks():
        normalizer = normalizer.updated(chunk)
    data = np.concatenate(chunks()).astype(np.float64)
    assert np.abs(data).max() > 200
    assert float(normalizer.count) == len(data)
    assert_allclose(normalizer.mean, data.mean(axis=0), rtol=1e-5, atol=1e-6)
    assert_allclose(normalizer.std, data.std(axis=0), rtol=1e-4)
    x = np.array([[0.5, 1.31, -1000.0]], np.float32)
    assert_allclose(normalizer(x), (x - data.mean(axis=0)) / data.std(axis=0), rtol=1e-3)


def test_what_an_exploding_simulation_says_is_clipped_as_published() -> None:
    normalizer = Normalizer.create(3).updated(chunks()[1][:, [0, 1, 1]])
    exploded = np.array([[1e6, -1e6, 1.3]], np.float32)
    low, high = normalizer.input_range
    assert_allclose(low[1:], -200.0)
    assert_allclose(high[1:], 200.0)
    clipped = normalizer.updated(np.clip(exploded, low, high))
    assert_allclose(normalizer.updated(exploded).mean, clipped.mean, rtol=1e-6)
    assert_array_equal(normalizer(exploded)[0, :2], [5.0, -5.0])


def test_places_in_millimetres_are_told_apart() -> None:
    normalizer = Normalizer.create(1)
    for _ in range(3):
        places = np.random.default_rng(0).uniform(300.0, 1700.0, (50, 1)).astype(np.float32)
        normalizer = normalizer.updated(places)
    told = normalizer(np.array([[400.0], [1600.0]], np.float32))[:, 0]
    assert_allclose(told, [-1.5, 1.5], atol=0.3)


def test_small_spread_far_from_zero_survives_single_precision() -> None:
    rng = np.random.default_rng(0)
    data = (150.0 + 0.05 * rng.normal(size=(20_000, 1))).astype(np.float32)
    normalizer = Normalizer.create(1)
    for chunk in np.split(data, 100):
        normalizer = normalizer.updated(chunk)
    assert float(normalizer.std[0]) == pytest.approx(data.astype(np.float64).std(), rel=1e-2)


def test_the_deviation_has_a_floor_and_the_result_bounds() -> None:
    normalizer = Normalizer.create(2).updated(np.array([[1.0, -3.0], [1.0, 3.0]], np.float32))
    assert_allclose(normalizer.std, [0.01, 3.0], rtol=1e-6)
    x = np.array([[1.02, 1.5], [9.0, -100.0], [-9.0, 100.0]], np.float32)
    assert_allclose(normalizer(x), [[2.0, 0.5], [5.0, -5.0], [-5.0, 5.0]], rtol=1e-4)


def test_before_any_data_observations_pass_through() -> None:
    x = jnp.array([[0.25, -3.0]])
    assert_array_equal(Normalizer.create(2)(x), x)


def test_goals_of_width_zero_are_allowed() -> None:
    normalizer = Normalizer.create(0).updated(np.zeros((5, 0), np.float32))
    assert normalizer(np.zeros((4, 0), np.float32)).shape == (4, 0)
