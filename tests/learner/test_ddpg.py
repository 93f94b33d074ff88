"""Targets, losses and updates with the arithmetic done by hand."""

from dataclasses import replace
from functools import cache

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from rpl.config import LearnerConfig
from rpl.learner import ddpg
from rpl.learner.ddpg import Batch
from rpl.learner.networks import MLP, Actor, Critic

TINY = LearnerConfig(
    hidden=(8,),
    actor_learning_rate=3e-3,
    critic_learning_rate=5e-4,
    action_l2=0.3,
    polyak=0.9,
    zero_last=False,
)
STILL = replace(TINY, polyak=1.0)  # slow copies never move
DISCOUNT, BOUNDS = 0.9, (-10.0, 0.0)
YES, NO = True, False


def arrays(tree) -> list[np.ndarray]:
    """Copies of all arrays: ``update`` reuses the buffers it is given."""
    return [np.array(leaf) for leaf in jax.tree.leaves(eqx.filter(tree, eqx.is_array))]


def assert_same(tree, copies) -> None:
    for ours, theirs in zip(arrays(tree), copies, strict=True):
        assert_array_equal(ours, theirs)


@cache
def template() -> ddpg.LearnerState:
    state = ddpg.create(jax.random.key(1), 3, 2, 2, TINY)
    data = np.random.default_rng(0).normal(2.0, 3.0, (50, 5)).astype(np.float32)
    return ddpg.observe(state, data[:, :3], data[:, 3:])


def learner() -> ddpg.LearnerState:
    """The same fresh learner each time: 3 observed numbers, a goal of 2, 2 actions."""
    return jax.tree.map(jnp.copy, template())


def batches(steps: int, size: int = 16, seed: int = 0) -> Batch:
    rng = np.random.default_rng(seed)

    def draw(*shape: int) -> jax.Array:
        return jnp.asarray(rng.normal(size=(steps, size, *shape)), jnp.float32)

    reward = jnp.asarray(rng.integers(-1, 1, (steps, size)), jnp.float32)
    ended = jnp.asarray(rng.random((steps, size)) < 0.2, jnp.float32)
    return Batch(draw(3), draw(2), jnp.tanh(draw(2)), reward, draw(3), ended)


def normalizers(state):
    return state.observation_normalizer, state.goal_normalizer


def update(state, batch, config=TINY, train_actor=YES):
    return ddpg.update(config, state, batch, DISCOUNT, BOUNDS, train_actor)


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
    loss, mean_q = ddpg.critic_loss(linear_critic(), x, action, jnp.array([4.0, 5.0]))
    assert loss == pytest.approx((0.5**2 + 3.0**2) / 2)
    assert mean_q == pytest.approx(3.25)


def test_the_actor_loss_is_the_negative_value_and_the_squared_action() -> None:
    x = jnp.array([[1.0], [-2.0]])
    first, second = np.tanh(0.5), np.tanh(-1.0)
    value = ((2 + 3 * first + 1) + (-4 + 3 * second + 1)) / 2
    loss = ddpg.actor_loss(linear_actor(), linear_critic(), x, 0.7)
    assert loss == pytest.approx(-value + 0.7 * (first**2 + second**2) / 2, rel=1e-6)


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


def test_an_actor_with_a_zero_last_layer_outputs_exactly_zero() -> None:
    inputs = np.random.default_rng(0).normal(0, 100, (64, 3)).astype(np.float32)
    zero = ddpg.create(jax.random.key(0), 3, 2, 2, LearnerConfig(zero_last=True))
    assert not np.any(ddpg.act(zero, inputs, inputs[:, :2]))
    other = ddpg.create(jax.random.key(0), 3, 2, 2, LearnerConfig(zero_last=False))
    assert np.any(ddpg.act(other, inputs, inputs[:, :2]))


def test_networks_see_normalised_observation_then_goal() -> None:
    state = learner()
    observation, goal = np.ones((1, 3), np.float32), np.zeros((1, 2), np.float32)
    seen = ddpg.network_input(observation, goal, *normalizers(state))[0]
    assert_allclose(seen[:3], state.observation_normalizer(observation)[0])
    assert_allclose(seen[3:], state.goal_normalizer(goal)[0])


@jax.jit
def losses_and_gradients(state: ddpg.LearnerState, one: Batch):
    """Gradients of both losses, and the critic's loss and value, put together from the pieces."""
    x = ddpg.network_input(one.observation, one.goal, *normalizers(state))
    next_x = ddpg.network_input(one.next_observation, one.goal, *normalizers(state))
    value = state.target_critic(next_x, state.target_actor(next_x))
    target = ddpg.td_target(one.reward, one.terminated, value, DISCOUNT, BOUNDS)
    critic = jax.grad(lambda c: ddpg.critic_loss(c, x, one.action, target)[0])(state.critic)
    actor = jax.grad(lambda a: ddpg.actor_loss(a, state.critic, x, TINY.action_l2))(state.actor)
    return actor, critic, ddpg.critic_loss(state.critic, x, one.action, target)


def test_the_first_step_is_adams_against_both_gradients() -> None:
    state, batch = learner(), batches(1)
    one = jax.tree.map(lambda part: part[0], batch)
    actor_gradient, critic_gradient, (loss, mean_q) = losses_and_gradients(state, one)
    before_actor, before_critic = arrays(state.actor), arrays(state.critic)
    state, metrics = update(state, batch)
    assert float(metrics["critic_loss"]) == pytest.approx(float(loss), rel=1e-5)
    assert float(metrics["mean_q"]) == pytest.approx(float(mean_q), rel=1e-5)
    for before, after, gradient, rate in (
        (before_actor, state.actor, actor_gradient, 3e-3),
        (before_critic, state.critic, critic_gradient, 5e-4),
    ):
        for old, new, slope in zip(before, arrays(after), arrays(gradient), strict=True):
            # Adam's first step: both moments are unbiased to g and g^2.
            assert_allclose(new - old, -rate * slope / (np.abs(slope) + 1e-8), atol=1e-6)


@pytest.mark.parametrize("steps", [1, 3])
def test_slow_copies_move_once_per_update_however_many_steps_it_has(steps) -> None:
    state = learner()
    state = eqx.tree_at(  # slow copies unlike the fast ones
        lambda s: (s.target_actor, s.target_critic),
        state,
        jax.tree.map(lambda a: a + 1.0, (state.actor, state.critic)),
    )
    slow = arrays((state.target_actor, state.target_critic))
    state, _ = update(state, batches(steps))
    fast = arrays((state.actor, state.critic))
    for old, new, now in zip(
        slow, fast, arrays((state.target_actor, state.target_critic)), strict=True
    ):
        assert_allclose(now, 0.9 * old + 0.1 * new, rtol=1e-6, atol=1e-7)


def test_one_update_of_three_steps_is_three_updates_of_one() -> None:
    batch = batches(3)
    together, _ = update(learner(), batch, STILL)
    apart = learner()
    for i in range(3):
        apart, _ = update(apart, jax.tree.map(lambda part, i=i: part[i : i + 1], batch), STILL)
    for ours, theirs in zip(arrays(together), arrays(apart), strict=True):
        assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_reported_losses_are_means_over_the_steps() -> None:
    batch, apart, losses = batches(3), learner(), []
    _, together = update(learner(), batch, STILL)
    for i in range(3):
        one = jax.tree.map(lambda part, i=i: part[i : i + 1], batch)
        apart, metrics = update(apart, one, STILL)
        losses.append({name: float(value) for name, value in metrics.items()})
    for name in ("critic_loss", "actor_loss", "mean_q"):
        assert float(together[name]) == pytest.approx(np.mean([m[name] for m in losses]), rel=1e-4)


def test_burn_in_leaves_the_actor_and_its_optimiser_bit_for_bit() -> None:
    state, _ = update(learner(), batches(1))  # with momentum in the optimiser
    actor, optimizer = arrays(state.actor), arrays(state.actor_optimizer)
    critic = arrays(state.critic)
    state, metrics = update(state, batches(3, seed=1), train_actor=NO)
    assert_same(state.actor, actor)
    assert_same(state.actor_optimizer, optimizer)
    assert all(np.any(a != b) for a, b in zip(arrays(state.critic), critic, strict=True))
    assert "actor_loss" not in metrics  # burn-in does not even compute it
    state, _ = update(state, batches(1), train_actor=YES)
    assert any(np.any(a != b) for a, b in zip(arrays(state.actor), actor, strict=True))


def test_terminations_cut_the_tail_inside_an_update() -> None:
    batch = batches(1)
    ended = batch._replace(terminated=jnp.ones_like(batch.terminated))
    far = ended._replace(next_observation=ended.next_observation + 3.0)
    same, _ = update(learner(), ended)
    also, _ = update(learner(), far)
    assert_same(same, arrays(also))
    open_ended, _ = update(learner(), far._replace(terminated=jnp.zeros_like(batch.terminated)))
    assert any(
        np.any(a != b) for a, b in zip(arrays(open_ended.critic), arrays(same.critic), strict=True)
    )


def test_the_learner_solves_a_one_step_problem() -> None:
    # The reward is -1 unless the action has the goal's sign, and every episode ends at once.
    config = LearnerConfig(hidden=(32,), action_l2=0.0, actor_learning_rate=3e-3)
    state, rng = ddpg.create(jax.random.key(0), 1, 1, 1, config), np.random.default_rng(0)
    for _ in range(10):
        goal, action = rng.uniform(-1, 1, (2, 40, 64, 1)).astype(np.float32)
        reward = np.where(goal[..., 0] * action[..., 0] > 0, 0, -1).astype(np.float32)
        zero, ones = np.zeros_like(goal), np.ones_like(reward)
        batch = jax.tree.map(jnp.asarray, Batch(zero, goal, action, reward, zero, ones))
        state, _ = update(state, batch, config)
    goal = np.array([[-0.8], [-0.4], [0.4], [0.8]], np.float32)
    chosen = np.asarray(ddpg.act(state, np.zeros_like(goal), goal))
    assert_array_equal(np.sign(chosen), np.sign(goal))


def test_the_step_size_rises_then_decays() -> None:
    by_hand = {0: 1 / 4 / 1.0, 1: 2 / 4 / 1.1, 3: 1 / 1.3, 10: 1 / 2, 30: 1 / 4}
    for step, factor in by_hand.items():
        assert ddpg.step_size_factor(step, halving=10, warm_up=4) == pytest.approx(factor)
    assert ddpg.step_size_factor(7, halving=None, warm_up=0) == 1.0


def test_only_the_actor_warms_up() -> None:
    slow = replace(TINY, actor_warm_up=100)
    before = learner()
    at_once, warming = (update(learner(), batches(1), config)[0] for config in (TINY, slow))

    def moved(after) -> np.ndarray:
        return np.array(after.actor.network.weights[0] - before.actor.network.weights[0])

    assert_allclose(moved(warming), moved(at_once) / 100, rtol=1e-2, atol=1e-7)
    assert_same(warming.critic, arrays(at_once.critic))
