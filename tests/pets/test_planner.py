"""The planner: it finds known optima, prices by hand, and controls a system it has learned."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rpl.pets.dynamics import ModelConfig, create
from rpl.pets.planner import (
    OFFICIAL,
    PETS,
    SMALL,
    PlannerConfig,
    coloured,
    cross_entropy,
    expected_cost,
)
from rpl.tasks import PusherTask

CONFIG = PlannerConfig(horizon=3, iterations=5, population=64, elites=8, particles=4)


def integrators(gains=(0.5, 0.5), log_variance=-30.0):
    """Networks that say s' = s + gain * a for an observation and an action of one component."""
    config = ModelConfig(networks=len(gains), hidden=(), weight_decay=(0.0,))
    ensemble = create(jax.random.key(0), 1, 1, config).ensemble
    weights = jnp.array([[[0.0, 0.0], [gain, 0.0]] for gain in gains])
    biases = jnp.array([[[0.0, log_variance]]] * len(gains))
    wide = (jnp.array([-60.0]), jnp.array([60.0]))
    return eqx.tree_at(
        lambda e: (e.weights[0], e.biases[0], e.min_log_variance, e.max_log_variance),
        ensemble,
        (weights, biases, *wide),
    )


def distance(observation, action, goal):
    return jnp.abs(observation - goal)[..., 0]


def test_the_cross_entropy_method_finds_the_optimum() -> None:
    # Two problems at once, with optima inside and at the bounds.
    optimum = jnp.array([[[0.3], [-0.7]], [[0.5], [1.1]]])

    def cost(key, sequences):
        return jnp.square(sequences - optimum[:, None]).sum(axis=(2, 3))

    config = replace(CONFIG, iterations=12, population=200, elites=20)
    found = cross_entropy(jax.random.key(0), cost, jnp.zeros((2, 2, 1)), config)
    np.testing.assert_allclose(found, np.clip(optimum, -1, 1), atol=0.07)
    assert (np.abs(found) <= 1).all()


def test_the_first_round_draws_as_published() -> None:
    drawn = []

    def cost(key, sequences):
        drawn.append(sequences)
        return jnp.zeros(sequences.shape[:2])

    mean = jnp.array([[[0.0], [0.9]]])
    with jax.disable_jit():
        config = replace(OFFICIAL, horizon=2, iterations=1, population=4000)
        cross_entropy(jax.random.key(0), cost, mean, config)
    free, near_bound = np.asarray(drawn[0])[0, :, 0, 0], np.asarray(drawn[0])[0, :, 1, 0]
    cut_off = 0.880  # standard deviation of a normal distribution cut off at two of its own
    assert free.std() == pytest.approx(0.5 * cut_off, rel=0.03)
    assert near_bound.std() == pytest.approx(0.05 * cut_off, rel=0.03)
    assert (near_bound.min(), near_bound.max()) == pytest.approx((0.8, 1.0), abs=0.002)


@pytest.mark.parametrize("steps", [1, 2, 24, 25])
def test_coloured_noise_keeps_its_variance(steps: int) -> None:
    covariance = coloured(steps, 2.0) @ coloured(steps, 2.0).T
    np.testing.assert_allclose(np.diag(covariance), 1.0, rtol=1e-5)


def test_noise_is_the_smoother_the_more_colour_it_has() -> None:
    covariances = [m @ m.T for m in (coloured(25, colour) for colour in (0.0, 1.0, 2.0))]
    np.testing.assert_allclose(covariances[0], np.eye(25), atol=1e-5)
    assert 0.3 < covariances[1][3, 4] < covariances[2][3, 4] - 0.2 < 0.8


def test_colour_finds_a_smooth_optimum_with_few_sequences() -> None:
    steps = 25
    optimum = 0.1 * jnp.sin(jnp.arange(steps) / 4.0)[None, :, None]

    def remaining(colour: float) -> float:
        config = PlannerConfig(
            horizon=steps, iterations=3, population=60, elites=12, variance=0.01, colour=colour
        )

        def cost(key, sequences):
            return jnp.square(sequences - optimum[:, None]).sum(axis=(2, 3))

        found = cross_entropy(jax.random.key(0), cost, jnp.zeros((1, steps, 1)), config)
        return float(jnp.square(found - optimum).sum() / jnp.square(optimum).sum())

    assert remaining(2.0) < 0.5 * remaining(0.0)


def price(ensemble, config, cost=distance):
    sequences = jnp.array([[[[1.0], [1.0], [-1.0]], [[0.0], [0.0], [0.0]]]])
    start, goal = jnp.array([[0.0]]), jnp.array([[2.0]])
    return expected_cost(jax.random.key(0), ensemble, cost, start, goal, sequences, config)


def test_costs_by_hand() -> None:
    # s = 0.5, 1, 0.5 with a goal of 2 costs 1.5 + 1 + 1.5; standing still 2 + 2 + 2.
    np.testing.assert_allclose(price(integrators(), CONFIG), [[4.0, 6.0]], rtol=1e-5)


def test_particles_stay_with_their_network_or_change_it() -> None:
    ensemble = integrators(gains=(1.0, -1.0))
    seen = []

    def spy(observation, action, goal):
        jax.debug.callback(lambda s: seen.append(np.unique(s[:, 0, 0].round(3))), observation)
        return distance(observation, action, goal)

    price(ensemble, replace(CONFIG, sampling="TSinf", particles=40), spy)
    jax.effects_barrier()
    np.testing.assert_allclose(seen[1], [-2.0, 2.0])
    seen.clear()
    price(ensemble, replace(CONFIG, sampling="TS1", particles=40), spy)
    jax.effects_barrier()
    np.testing.assert_allclose(seen[1], [-2.0, 0.0, 2.0])


def test_particles_spread_as_the_model_says() -> None:
    ensemble = integrators(log_variance=2 * np.log(0.3))

    def squared_at_the_end(observation, action, goal):
        return jnp.square(observation)[..., 0]

    config = replace(CONFIG, particles=20_000)
    cost = price(ensemble, config, squared_at_the_end)[0, 1]
    # Standing still, three steps of variance 0.09 each: 0.09 + 0.18 + 0.27.
    assert cost == pytest.approx(0.54, rel=0.05)


def test_common_noise_treats_equal_sequences_alike_and_particles_not() -> None:
    ensemble, twice = integrators(log_variance=0.0), jnp.ones((1, 2, 3, 1))

    def costs(config):
        start, goal = jnp.zeros((1, 1)), jnp.zeros((1, 1))
        return expected_cost(jax.random.key(0), ensemble, distance, start, goal, twice, config)[0]

    own = costs(CONFIG)
    assert own[0] != own[1]
    few, many = (costs(replace(CONFIG, common_noise=True, particles=n)) for n in (2, 20_000))
    assert few[0] == few[1]
    assert float(few[0]) != pytest.approx(float(many[0]), rel=1e-3), (
        "each particle has draws of its own"
    )


def test_a_cost_that_is_no_number_is_the_worst() -> None:
    def undefined(observation, action, goal):
        return jnp.where(observation[..., 0] > 0.9, jnp.nan, 0.0)

    np.testing.assert_allclose(price(integrators(), CONFIG, undefined), [[1e6, 0.0]])


def test_it_drives_a_system_to_its_goals() -> None:
    pets = PETS(integrators(gains=(0.1, 0.1)), distance, 1, CONFIG)
    state, goal = np.zeros((3, 1)), np.array([[0.8], [-0.5], [0.0]])
    for _ in range(12):
        observation = {"observation": state, "achieved_goal": state, "desired_goal": goal}
        action = pets(observation)
        assert action.shape == (3, 1)
        state = state + 0.1 * action
    np.testing.assert_allclose(state, goal, atol=0.06)


def test_plans_go_on_where_the_last_one_ended_until_a_reset() -> None:
    # Without a round of improvement the plan is the memory itself, shifted.
    pets = PETS(integrators(), distance, 1, replace(CONFIG, iterations=0))
    observation = {"observation": np.zeros((2, 1)), "desired_goal": np.zeros((2, 1))}
    pets(observation)
    pets._mean = np.arange(6, dtype=np.float32).reshape(2, 3, 1)
    np.testing.assert_array_equal(pets(observation), [[0], [3]])
    np.testing.assert_array_equal(pets(observation), [[1], [4]])
    pets.reset(np.array([True, False]))
    np.testing.assert_array_equal(pets(observation), [[0], [5]])
    np.testing.assert_array_equal(pets(observation), [[0], [0]])


def test_a_task_without_goals_will_do() -> None:
    def at_one(observation, action, goal):
        assert goal.shape[-1] == 0
        return jnp.abs(observation - 1.0)[..., 0]

    pets = PETS(integrators(), at_one, 1, CONFIG)
    assert pets(np.zeros((2, 1)))[:, 0] == pytest.approx([0.9, 0.9], abs=0.15)


def test_the_pushers_own_reward_is_a_cost() -> None:
    task = PusherTask(2, num_threads=1)
    observation, _ = task.reset(seed=0)
    model = create(jax.random.key(0), 20, 7, ModelConfig(hidden=(8,), weight_decay=(0.0, 0.0)))
    tiny = replace(SMALL, horizon=2, iterations=1, population=6, elites=2)
    pets = PETS(model.ensemble, lambda o, a, g: -task.predicted_reward(o, a, g), 7, tiny)
    action = pets(observation)
    assert action.shape == (2, 7)
    assert (np.abs(action) <= 1).all()
    task.close()


def test_wrong_settings_are_refused_with_words() -> None:
    with pytest.raises(ValueError, match="5 particles cannot be shared evenly among 2"):
        PETS(integrators(), distance, 1, SMALL)
    with pytest.raises(ValueError, match="at most the population"):
        PETS(integrators(), distance, 1, replace(CONFIG, elites=65))
