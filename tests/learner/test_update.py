"""A cycle's gradient steps: what moves, by how much, and what must not."""

from dataclasses import replace
from functools import cache

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from rpl import learner as learners
from rpl.config import LearnerConfig
from rpl.learner import Batch, LearnerState, ddpg, sac
from rpl.learner.optimizers import step_size_factor
from rpl.learner.state import network_input
from rpl.learner.update import judge
from rpl.presets import LEARNERS

TINY = LearnerConfig(
    hidden=(8,),
    actor_learning_rate=3e-3,
    critic_learning_rate=5e-4,
    action_l2=0.3,
    polyak=0.9,
    zero_last=False,
)
STILL = replace(TINY, polyak=1.0)  # slow copies never move
CONFIGS = {name: replace(TINY, **changes) for name, changes in LEARNERS.items()}
KEY = jax.random.key(7)
every_learner = pytest.mark.parametrize("name", CONFIGS)
DISCOUNT, BOUNDS = 0.9, (-10.0, 0.0)
YES, NO = True, False


def arrays(tree) -> list[np.ndarray]:
    """Copies of all arrays: ``update`` reuses the buffers it is given."""
    return [np.array(leaf) for leaf in jax.tree.leaves(eqx.filter(tree, eqx.is_array))]


def assert_same(tree, copies) -> None:
    for ours, theirs in zip(arrays(tree), copies, strict=True):
        assert_array_equal(ours, theirs)


@cache
def template(name: str) -> LearnerState:
    state = learners.create(jax.random.key(1), 3, 2, 2, CONFIGS[name])
    data = np.random.default_rng(0).normal(2.0, 3.0, (50, 5)).astype(np.float32)
    return learners.observe(state, data[:, :3], data[:, 3:])


def learner(name: str = "ddpg") -> LearnerState:
    """The same fresh learner each time: 3 observed numbers, a goal of 2, 2 actions."""
    return jax.tree.map(jnp.copy, template(name))


def batches(steps: int, size: int = 16, seed: int = 0) -> Batch:
    rng = np.random.default_rng(seed)

    def draw(*shape: int) -> jax.Array:
        return jnp.asarray(rng.normal(size=(steps, size, *shape)), jnp.float32)

    reward = jnp.asarray(rng.integers(-1, 1, (steps, size)), jnp.float32)
    ended = jnp.asarray(rng.random((steps, size)) < 0.2, jnp.float32)
    tail = jnp.full((steps, size), DISCOUNT)
    return Batch(draw(3), draw(2), jnp.tanh(draw(2)), reward, draw(3), ended, tail)


def update(state, batch, config=TINY, train_actor=YES):
    return learners.update(config, state, batch, DISCOUNT, BOUNDS, train_actor, KEY)


def constant_critics(critics, *values: float):
    """Critics that say the values whatever they see."""

    def where(c):
        return [member.network.weights[-1] for member in c.members] + [
            member.network.biases[-1] for member in c.members
        ]

    weights = [jnp.zeros_like(member.network.weights[-1]) for member in critics.members]
    return eqx.tree_at(where, critics, weights + [jnp.array([value]) for value in values])


@every_learner
@pytest.mark.parametrize("unit", [1.0, 100.0])
def test_a_penalty_by_the_critics_error_is_its_mean_square_over_the_spread_of_targets(name, unit):
    still = replace(
        CONFIGS[name],
        actor_learning_rate=0.0,
        critic_learning_rate=0.0,
        actor_every=1,
        entropy_in_value=False,
    )
    batch = batches(1)
    batch = batch._replace(reward=unit * batch.reward)
    said = -4.0 * unit
    state = learner(name)
    critics = constant_critics(state.critic, *[said] * still.critics)
    state = eqx.tree_at(lambda s: (s.critic, s.target_critic), state, (critics, critics))

    def losses(**changes) -> tuple[float, float]:
        bounds = (unit * BOUNDS[0], unit * BOUNDS[1])
        config = replace(still, **changes)
        _, metrics = learners.update(config, state, batch, DISCOUNT, bounds, YES, KEY)
        return float(metrics["actor_loss"]), float(metrics["action_l2"])

    (bare, _), (plain, given) = losses(action_l2=0.0), losses()
    by_error, told = losses(action_l2_by_error=True)
    target = np.asarray(batch.reward + DISCOUNT * (1.0 - batch.terminated) * said)
    weight = np.mean((said - target) ** 2) / ((1.0 - DISCOUNT) * np.std(target))
    assert plain > bare
    assert by_error - bare == pytest.approx(weight * (plain - bare), rel=2e-3)
    assert told == pytest.approx(weight * given, rel=1e-4)


@every_learner
def test_an_actor_with_a_zero_last_layer_outputs_exactly_zero(name) -> None:
    inputs = np.random.default_rng(0).normal(0, 100, (64, 3)).astype(np.float32)
    starts_at_zero = replace(CONFIGS[name], zero_last=True)
    zero = learners.create(jax.random.key(0), 3, 2, 2, starts_at_zero)
    assert not np.any(learners.act(zero, inputs, inputs[:, :2]))
    other = learners.create(jax.random.key(0), 3, 2, 2, CONFIGS[name])
    assert np.any(learners.act(other, inputs, inputs[:, :2]))


def test_networks_see_normalised_observation_then_goal() -> None:
    state = learner()
    observation, goal = np.ones((1, 3), np.float32), np.zeros((1, 2), np.float32)
    seen = network_input(observation, goal, *state.normalizers)[0]
    assert_allclose(seen[:3], state.observation_normalizer(observation)[0])
    assert_allclose(seen[3:], state.goal_normalizer(goal)[0])


@jax.jit
def losses_and_gradients(state: LearnerState, one: Batch):
    """Gradients of both losses, and the critic's loss and value, put together from the pieces."""
    x = network_input(one.observation, one.goal, *state.normalizers)
    next_x = network_input(one.next_observation, one.goal, *state.normalizers)
    value = state.target_critic(next_x, state.target_actor(next_x))
    target = ddpg.td_target(one.reward, one.terminated, value, DISCOUNT, BOUNDS)
    critic = jax.grad(lambda c: ddpg.critic_loss(c, x, one.action, target)[0])(state.critic)
    actor = jax.grad(lambda a: ddpg.actor_loss(a, state.critic.first, x, TINY.action_l2))(
        state.actor
    )
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
@every_learner
def test_slow_copies_move_once_per_update_however_many_steps_it_has(name, steps) -> None:
    state = learner(name)
    state = eqx.tree_at(  # slow copies unlike the fast ones
        lambda s: (s.target_actor, s.target_critic),
        state,
        jax.tree.map(lambda a: a + 1.0, (state.target_actor, state.target_critic)),
    )
    slow = arrays((state.target_actor, state.target_critic))
    state, _ = update(state, batches(steps), CONFIGS[name])
    fast = arrays((None if name == "sac" else state.actor, state.critic))
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


def acting_part(state: LearnerState):
    """The actor, the temperature and their optimisers."""
    return (
        state.actor,
        state.actor_optimizer,
        state.log_temperature,
        state.temperature_optimizer,
    )


@every_learner
def test_burn_in_leaves_actor_and_temperature_and_their_optimisers_bit_for_bit(name) -> None:
    config = CONFIGS[name]
    state, _ = update(learner(name), batches(1), config)  # with momentum in the optimiser
    acting, actor, critic = arrays(acting_part(state)), arrays(state.actor), arrays(state.critic)
    state, metrics = update(state, batches(3, seed=1), config, train_actor=NO)
    assert_same(acting_part(state), acting)
    assert all(np.any(a != b) for a, b in zip(arrays(state.critic), critic, strict=True))
    assert "actor_loss" not in metrics  # burn-in does not even compute it
    state, _ = update(state, batches(1), config, train_actor=YES)
    assert any(np.any(a != b) for a, b in zip(arrays(state.actor), actor, strict=True))


@pytest.mark.parametrize("name", ["td3", "sac"])
def test_the_target_is_the_least_of_two_critics_and_both_learn_it(name) -> None:
    config = replace(CONFIGS[name], entropy_in_value=False)
    state, batch = learner(name), batches(1)
    state = eqx.tree_at(
        lambda s: (s.critic, s.target_critic),
        state,
        (constant_critics(state.critic, -1.0, -2.0), constant_critics(state.critic, -5.0, -3.0)),
    )
    _, metrics = update(state, batch, config)
    target = batch.reward[0] + DISCOUNT * (1 - batch.terminated[0]) * -5.0
    loss = (np.mean((-1.0 - target) ** 2) + np.mean((-2.0 - target) ** 2)) / 2
    assert float(metrics["critic_loss"]) == pytest.approx(float(loss), rel=1e-5)
    assert float(metrics["mean_q"]) == pytest.approx(-1.5)


def test_sac_adds_the_entropy_of_the_next_action_to_the_target_without_bounds() -> None:
    config = replace(CONFIGS["sac"], initial_temperature=0.5)
    state, batch = learner("sac"), batches(1)
    state = eqx.tree_at(
        lambda s: (s.critic, s.target_critic, s.log_temperature),
        state,
        (
            constant_critics(state.critic, -1.0, -1.0),
            constant_critics(state.critic, -30.0, -30.0),  # far below the bounds
            jnp.log(0.5),
        ),
    )
    step_key = jax.random.split(jax.random.split(KEY, 1)[0])[0]
    next_x = network_input(batch.next_observation[0], batch.goal[0], *state.normalizers)
    _, log_density = sac.draw(state.actor, next_x, step_key)
    alive = 1 - batch.terminated[0]
    target = batch.reward[0] + DISCOUNT * alive * (-30.0 - 0.5 * log_density)
    _, metrics = update(state, batch, config)
    loss = np.mean((-1.0 - target) ** 2)
    assert float(metrics["critic_loss"]) == pytest.approx(float(loss), rel=1e-5)


def test_the_delayed_actor_takes_every_second_step_and_reports_the_mean_of_those() -> None:
    still = replace(CONFIGS["td3"], actor_learning_rate=0.0, critic_learning_rate=0.0)
    one = batches(1)
    five = jax.tree.map(lambda part: jnp.repeat(part, 5, axis=0), one)
    _, alone = update(learner("td3"), one, still)
    state, among = update(learner("td3"), five, still)
    assert int(state.actor_optimizer[0].count) == 3
    assert int(state.critic_optimizer[0].count) == 5
    assert float(among["actor_loss"]) == pytest.approx(float(alone["actor_loss"]), rel=1e-5)


def test_the_temperature_falls_while_there_is_more_entropy_than_asked_for() -> None:
    before = learner("sac")
    after, metrics = update(before, batches(1), replace(CONFIGS["sac"], target_entropy=-30.0))
    assert float(after.log_temperature) < float(before.log_temperature)
    assert float(metrics["temperature"]) == pytest.approx(0.01)
    assert np.isfinite(float(metrics["entropy"]))


def test_n_step_batches_discount_their_tails_by_their_own_length() -> None:
    batch = batches(1)
    state = learner()
    state = eqx.tree_at(
        lambda s: (s.critic, s.target_critic),
        state,
        (constant_critics(state.critic, -1.0), constant_critics(state.critic, -4.0)),
    )
    runs = np.resize([1, 2, 3], batch.reward.shape)
    batch = batch._replace(discount=jnp.asarray(DISCOUNT**runs, jnp.float32))
    _, metrics = update(state, batch)
    target = batch.reward - DISCOUNT**runs * (1 - batch.terminated) * 4.0
    assert float(metrics["critic_loss"]) == pytest.approx(float(np.mean((-1 - target) ** 2)))


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


@every_learner
def test_the_learner_solves_a_one_step_problem(name) -> None:
    # The reward is -1 unless the action has the goal's sign, and every episode ends at once.
    config = LearnerConfig(hidden=(32,), action_l2=0.0, actor_learning_rate=3e-3)
    config = replace(config, **LEARNERS[name])
    state, rng = learners.create(jax.random.key(0), 1, 1, 1, config), np.random.default_rng(0)
    for _ in range(10):
        goal, action = rng.uniform(-1, 1, (2, 40, 64, 1)).astype(np.float32)
        reward = np.where(goal[..., 0] * action[..., 0] > 0, 0, -1).astype(np.float32)
        zero, ones = np.zeros_like(goal), np.ones_like(reward)
        batch = jax.tree.map(jnp.asarray, Batch(zero, goal, action, reward, zero, ones, ones))
        state, _ = update(state, batch, config)
    goal = np.array([[-0.8], [-0.4], [0.4], [0.8]], np.float32)
    chosen = np.asarray(learners.act(state, np.zeros_like(goal), goal))
    assert_array_equal(np.sign(chosen), np.sign(goal))


@every_learner
def test_a_critic_of_sums_beneath_an_idle_controller_judges_the_residual(name) -> None:
    batch = batches(2)
    idle = batch._replace(
        proposed=jnp.zeros_like(batch.action), next_proposed=jnp.zeros_like(batch.action)
    )
    (plain, _), (summed, _) = (update(learner(name), b, CONFIGS[name]) for b in (batch, idle))
    for ours, theirs in zip(arrays(plain), arrays(summed), strict=True):
        assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_a_critic_of_sums_is_asked_about_what_would_be_executed() -> None:
    state = learner()
    x, residual = jnp.ones((3, 5)), jnp.array([[0.4, -0.2], [1.0, 0.1], [-1.0, 0.0]])
    proposed = jnp.array([[0.5, 0.5], [0.8, -0.3], [-0.9, 1.0]])
    by_hand = jnp.array([[0.7, 0.4], [1.0, -0.25], [-1.0, 1.0]])
    asked = judge(state.critic, proposed, 0.5)
    assert_allclose(asked(x, residual), state.critic(x, by_hand), rtol=1e-6)
    assert_allclose(asked.first(x, residual), state.critic.first(x, by_hand), rtol=1e-6)


def test_the_step_size_decays() -> None:
    for step, factor in {0: 1.0, 3: 1 / 1.3, 10: 1 / 2, 30: 1 / 4}.items():
        assert step_size_factor(step, halving=10) == pytest.approx(factor)
    assert step_size_factor(7, halving=None) == 1.0
