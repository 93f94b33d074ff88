"""A cycle's gradient steps: what moves, by how much, and what must not."""

import inspect
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
from rpl.learner import Batch, LearnerState, Setting, algorithm, ddpg, sac
from rpl.learner.gate import objective_of
from rpl.learner.judge import Judge
from rpl.learner.optimizers import step_size_factor
from rpl.presets import LEARNERS
from rpl.residual import combine

TINY = LearnerConfig(
    hidden=(8,),
    actor_learning_rate=3e-3,
    critic_learning_rate=5e-4,
    action_l2=0.3,
    polyak=0.9,
    zero_last=False,
)
STILL = replace(TINY, polyak=1.0)  # target networks never move
CONFIGS = {name: replace(TINY, algorithm=name, **changes) for name, changes in LEARNERS.items()}
KEY = jax.random.key(7)
every_learner = pytest.mark.parametrize("name", CONFIGS)
DISCOUNT, BOUNDS = 0.9, (-10.0, 0.0)
SETTING = Setting(DISCOUNT, BOUNDS)
SIZES = {"observation": 3, "desired_goal": 2}
YES, NO = True, False


def arrays(tree) -> list[np.ndarray]:
    """Copies of all arrays: ``update`` reuses the buffers it is given."""
    return [np.array(leaf) for leaf in jax.tree.leaves(eqx.filter(tree, eqx.is_array))]


def assert_same(tree, copies) -> None:
    for ours, theirs in zip(arrays(tree), copies, strict=True):
        assert_array_equal(ours, theirs)


@cache
def template(name: str) -> LearnerState:
    state = learners.create(jax.random.key(1), SIZES, 2, CONFIGS[name])
    data = np.random.default_rng(0).normal(2.0, 3.0, (50, 5)).astype(np.float32)
    return learners.observe(state, shown(data[:, :3], data[:, 3:]))


def shown(observation, goal) -> dict:
    return {"observation": observation, "desired_goal": goal}


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
    now, goal, action, later = draw(3), draw(2), jnp.tanh(draw(2)), draw(3)
    return Batch(shown(now, goal), None, action, reward, shown(later, goal), None, ended, tail)


def update(state, batch, config=TINY, train_actor=YES, setting=SETTING):
    return learners.update(config, state, batch, setting, train_actor, KEY)


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
        setting = Setting(DISCOUNT, (unit * BOUNDS[0], unit * BOUNDS[1]))
        _, metrics = update(state, batch, replace(still, **changes), setting=setting)
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
    seen = shown(inputs, inputs[:, :2])
    zero = learners.create(jax.random.key(0), SIZES, 2, starts_at_zero)
    assert not np.any(learners.act(zero, seen))
    other = learners.create(jax.random.key(0), SIZES, 2, CONFIGS[name])
    assert np.any(learners.act(other, seen))


def test_networks_see_the_normalised_parts_in_the_order_they_were_made_for() -> None:
    state = learner()
    observation, goal = np.ones((1, 3), np.float32), np.zeros((1, 2), np.float32)
    # By hand from the data of ``template``, in whatever order the parts are given, with others.
    data = np.random.default_rng(0).normal(2.0, 3.0, (50, 5)).astype(np.float32)
    by_hand = (np.array([[1, 1, 1, 0, 0]]) - data.mean(axis=0)) / data.std(axis=0)
    given = {"unseen": goal, "desired_goal": goal, "observation": observation}
    assert_allclose(state.network_input(given), by_hand, rtol=1e-4)
    swapped = {"desired_goal": 2, "observation": 3}
    other = learners.create(jax.random.key(1), swapped, 2, TINY)
    assert_array_equal(other.network_input(given), [[0, 0, 1, 1, 1]])
    assert_array_equal(learners.act(state, given), learners.act(state, shown(observation, goal)))
    with pytest.raises(KeyError):
        learners.act(state, {"observation": observation})


def test_a_part_of_its_own_is_normalised_and_reaches_actor_and_critic() -> None:
    sizes = {"observation": 3, "wind": 1, "desired_goal": 2}
    state = learners.create(jax.random.key(1), sizes, 2, TINY)
    data = np.random.default_rng(0).normal(2.0, 3.0, (50, 6)).astype(np.float32)
    still, windy = (
        {"observation": data[:, :3], "wind": wind, "desired_goal": data[:, 4:]}
        for wind in (data[:, 3:4], data[:, 3:4] + 3.0)
    )
    state = learners.observe(state, still)
    assert_allclose(state.normalizer.mean, data.mean(axis=0), rtol=1e-5)
    assert np.abs(learners.act(state, still) - learners.act(state, windy)).max() > 0.01
    x, other = state.network_input(still), state.network_input(windy)
    action = jnp.zeros((50, 2))
    assert np.abs(state.critic(x, action) - state.critic(other, action)).max() > 0.01
    assert_allclose(other[:, 3] - x[:, 3], 3.0 / data[:, 3].std(), rtol=1e-4)


@jax.jit
def losses_and_gradients(state: LearnerState, one: Batch):
    """Gradients of both losses, and the critic's loss and value, put together from the pieces."""
    x = state.network_input(one.observation)
    next_x = state.network_input(one.next_observation)
    value = state.target_critic(next_x, state.target_actor(next_x))
    target = ddpg.td_target(one.reward, one.terminated, value, DISCOUNT, BOUNDS)
    critic = jax.grad(lambda c: ddpg.critic_loss(c, x, one.action, target)[0])(state.critic)
    judge = Judge(state.critic, None, 1.0, of_sums=False)
    objective = objective_of(TINY, None, judge, x)
    actor = jax.grad(lambda a: ddpg.actor_loss(a, objective, x, TINY.action_l2)[0])(state.actor)
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
        is_leaf=lambda part: part is None,
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
    return state.actor, state.actor_optimizer, state.extra


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
        lambda s: (s.critic, s.target_critic, s.extra.log_value),
        state,
        (
            constant_critics(state.critic, -1.0, -1.0),
            constant_critics(state.critic, -30.0, -30.0),  # far below the bounds
            jnp.log(0.5),
        ),
    )
    step_key = jax.random.split(jax.random.split(KEY, 1)[0])[0]
    one = jax.tree.map(lambda part: part[0], batch)
    next_x = state.network_input(one.next_observation)
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
    assert float(after.extra.log_value) < float(before.extra.log_value)
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
    far = ended._replace(next_observation=jax.tree.map(lambda p: p + 3.0, ended.next_observation))
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
    sizes = {"observation": 1, "desired_goal": 1}
    state, rng = learners.create(jax.random.key(0), sizes, 1, config), np.random.default_rng(0)
    for _ in range(10):
        goal, action = rng.uniform(-1, 1, (2, 40, 64, 1)).astype(np.float32)
        reward = np.where(goal[..., 0] * action[..., 0] > 0, 0, -1).astype(np.float32)
        zero, ones = np.zeros_like(goal), np.ones_like(reward)
        seen = shown(zero, goal)
        batch = Batch(seen, None, action, reward, seen, None, ones, ones)
        batch = jax.tree.map(jnp.asarray, batch)
        state, _ = update(state, batch, config)
    goal = np.array([[-0.8], [-0.4], [0.4], [0.8]], np.float32)
    chosen = np.asarray(learners.act(state, shown(np.zeros_like(goal), goal)))
    assert_array_equal(np.sign(chosen), np.sign(goal))


def with_base(batch: Batch, base, next_base) -> Batch:
    return batch._replace(base_action=base, next_base_action=next_base)


@every_learner
@pytest.mark.parametrize("sums", [True, False])
def test_over_an_idle_controller_sum_and_residual_are_the_action_itself(name, sums) -> None:
    batch = batches(2)
    idle = with_base(batch, jnp.zeros_like(batch.action), jnp.zeros_like(batch.action))
    setting = SETTING._replace(judges_sums=sums)
    plain, _ = update(learner(name), batch, CONFIGS[name])
    over_idle, _ = update(learner(name), idle, CONFIGS[name], setting=setting)
    for ours, theirs in zip(arrays(plain), arrays(over_idle), strict=True):
        assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


BASE = jnp.array([[0.5, 0.5], [0.8, -0.3], [-0.9, 1.4]])
SAID = jnp.array([[0.4, -0.2], [1.0, 0.1], [-1.0, 0.0]])


def test_a_critic_of_sums_is_asked_about_what_would_be_executed() -> None:
    state, x = learner(), jnp.ones((3, 5))
    executed = jnp.array([[0.7, 0.4], [1.0, -0.25], [-1.0, 1.0]])
    asked = Judge(state.critic, BASE, 0.5, of_sums=True)
    assert_allclose(asked(x, SAID), state.critic(x, executed), rtol=1e-6)
    assert_allclose(asked.first(x, SAID), state.critic.first(x, executed), rtol=1e-6)
    assert_array_equal(asked.judged(executed), executed)


def test_a_critic_of_residuals_is_asked_about_those_that_would_take_effect() -> None:
    """(clip(b + scale f) - clip(b)) / scale by hand: a clip takes from it, and adds nothing."""
    state, x = learner(), jnp.ones((3, 5))
    scale = jnp.array([0.5, 2.0])
    #  0.5 + 0.2, 0.5 - 0.4;    0.8 + 0.5 cut to 1, -0.3 + 0.2;   -0.9 - 0.5 cut to -1, 1.4 cut to 1
    executed = jnp.array([[0.7, 0.1], [1.0, -0.1], [-1.0, 1.0]])
    effect = jnp.array([[0.4, -0.2], [0.4, 0.1], [-0.2, 0.0]])
    asked = Judge(state.critic, BASE, scale, of_sums=False)
    assert_allclose(asked(x, SAID), state.critic(x, effect), rtol=1e-5)
    assert_allclose(asked.first(x, SAID), state.critic.first(x, effect), rtol=1e-5)
    assert_allclose(asked.judged(executed), effect, atol=1e-6)
    # A base action beyond the bounds, which a residual against it must first come back from.
    beyond = Judge(state.critic, jnp.array([[1.4, -1.4]]), scale, of_sums=False)
    effect = jnp.array([[0.0, 0.8]])  # 1.4 - 0.3 is 1 still; -1.4 + 2 is 0.6, from -1
    assert_allclose(beyond(x[:1], jnp.array([[-0.6, 1.0]])), state.critic(x[:1], effect), rtol=1e-5)
    # What has no say is judged, and climbed, as nothing; without NaN in any gradient.
    silent = Judge(state.critic, BASE, jnp.array([0.5, 0.0]), of_sums=False)
    assert_array_equal(silent.judged(executed)[:, 1], [0.0, 0.0, 0.0])
    slope = jax.grad(lambda said: silent(x, said).sum())(SAID)
    assert_array_equal(slope[:, 1], [0.0, 0.0, 0.0])
    assert float(slope[0, 0]) != 0.0
    assert float(slope[1, 0]) == 0.0  # already beyond the bound: more of it changes nothing


def test_a_component_with_two_values_is_judged_as_executed_and_climbed_as_a_sum() -> None:
    state, x = learner(), jnp.ones((3, 5))
    said = jnp.array([[-0.4, 0.2], [0.2, 0.2], [0.6, -0.8]])
    executed, _ = combine(np.asarray(BASE), np.asarray(said), 2.0, (1,))
    assert_array_equal(executed[:, 1], np.float32([0.5, 1.0, -1.0]))
    asked = Judge(state.critic, BASE, 2.0, of_sums=True, two_valued=(1,))
    assert_allclose(asked(x, said), state.critic(x, jnp.asarray(executed)), rtol=1e-6)
    # Without a residual it is the controller's action exactly: no advantage, no rounding.
    assert_array_equal(asked.advantages(x, jnp.zeros_like(said)), np.zeros((1, 3)))
    slope = jax.grad(lambda said: asked(x, said).sum())(said)
    of_action = jax.grad(lambda a: state.critic(x, a).sum())(jnp.asarray(executed))
    assert_allclose(
        slope[:, 1], [2.0 * of_action[0, 1], 2.0 * of_action[1, 1], 2.0 * of_action[2, 1]]
    )


def test_without_a_base_action_the_action_itself_is_judged() -> None:
    state, x = learner(), jnp.ones((3, 5))
    for sums in (True, False):
        alone = Judge(state.critic, None, 0.5, of_sums=sums)
        assert_array_equal(alone(x, SAID), state.critic(x, SAID))
        assert_array_equal(alone.judged(SAID), SAID)


@pytest.mark.parametrize("sums", [True, False])
@every_learner
def test_an_update_judges_base_and_executed_actions_as_it_was_told(name, sums) -> None:
    """The same update of the critics as without base actions, on what they are to be shown.

    What the actor says counts otherwise, so that the target critics are constant here.
    """
    config = replace(CONFIGS[name], actor_every=1, entropy_in_value=False)
    rng = np.random.default_rng(3)
    base = jnp.asarray(rng.uniform(-1.5, 1.5, (1, 16, 2)), jnp.float32)
    scale = np.array([0.5, 2.0], np.float32)
    executed = jnp.clip(base + scale * rng.uniform(-1, 1, (1, 16, 2)), -1.0, 1.0)
    effect = (executed - jnp.clip(base, -1.0, 1.0)) / scale
    state = learner(name)
    targets = constant_critics(state.critic, *[-4.0] * config.critics)
    state = eqx.tree_at(lambda s: s.target_critic, state, targets)
    batch = batches(1)._replace(action=executed)
    setting = SETTING._replace(scale=scale, judges_sums=sums)
    based, metrics = update(state, with_base(batch, base, base), config, NO, setting)
    shown_by_hand = batch._replace(action=executed if sums else effect)
    plain, by_hand = update(state, shown_by_hand, config, NO)
    for ours, theirs in zip(arrays(based.critic), arrays(plain.critic), strict=True):
        assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
    # The first step of Adam hardly depends on how large a gradient is; the loss does.
    for said in ("critic_loss", "mean_q"):
        assert float(metrics[said]) == pytest.approx(float(by_hand[said]), rel=1e-5)
    other = batch._replace(action=effect if sums else executed)
    _, otherwise = update(state, other, config, NO)
    assert float(otherwise["mean_q"]) != pytest.approx(float(by_hand["mean_q"]), rel=1e-3)


@pytest.mark.parametrize("sums", [True, False])
def test_the_target_judges_the_next_action_on_the_next_base_action(sums) -> None:
    """Critics that say the first component of what they are shown; an actor that says 0.5 of it."""
    config = replace(TINY, zero_last=True)
    state = learners.create(jax.random.key(1), SIZES, 2, config)
    bias = jnp.arctanh(jnp.array([0.5, 0.0]))
    state = eqx.tree_at(
        lambda s: (s.target_actor.network.biases[-1], s.target_critic),
        state,
        (bias, first_component(state.target_critic)),
    )
    batch = batches(1)
    shape = batch.action.shape
    low, high = jnp.full(shape, -0.75), jnp.full(shape, -0.1)
    setting = SETTING._replace(scale=jnp.array([0.4, 1.0]), judges_sums=sums)
    _, metrics = update(state, with_base(batch, high, low), config, NO, setting)
    next_value = -0.75 + 0.4 * 0.5 if sums else 0.5
    target = batch.reward + DISCOUNT * (1 - batch.terminated) * next_value
    target = np.clip(target, *BOUNDS)
    x = jnp.concatenate([batch.observation["observation"], batch.observation["desired_goal"]], -1)
    judged = batch.action
    if not sums:
        judged = (batch.action - high) / jnp.array([0.4, 1.0])
    values = state.critic.first(x, judged)
    loss = float(np.mean((values - target) ** 2))
    assert float(metrics["critic_loss"]) == pytest.approx(loss, rel=1e-4)


def first_component(critics):
    """Critics that say relu(2 + a_1) - 2, the action's first component where it is above -2."""
    member = critics.first.network
    layers = [jnp.zeros_like(member.weights[0]).at[5, 0].set(1.0)]
    layers += [jnp.zeros_like(member.weights[1]).at[0, 0].set(1.0)]
    biases = [jnp.full_like(member.biases[0], 2.0), jnp.full_like(member.biases[1], -2.0)]
    return eqx.tree_at(
        lambda c: (c.first.network.weights, c.first.network.biases), critics, (layers, biases)
    )


@pytest.mark.parametrize("name", LEARNERS)
def test_every_algorithm_has_all_that_the_protocol_names(name) -> None:
    made, protocol = algorithm.algorithm_of(LearnerConfig(algorithm=name)), algorithm.Algorithm
    names = [n for n in vars(protocol) if not n.startswith("_")]
    assert {"METRICS", "make_actor", "next_value", "improve_actor"} <= set(names)
    for each in names:
        if each == "METRICS":
            assert all(isinstance(metric, str) for metric in made.METRICS)
            continue
        asked = list(inspect.signature(getattr(protocol, each)).parameters)[1:]  # without self
        assert list(inspect.signature(getattr(made, each)).parameters) == asked, each


@every_learner
def test_an_algorithm_reports_the_metrics_that_it_names_and_no_others(name) -> None:
    config = CONFIGS[name]
    own = learners.algorithm_of(config)
    assert own.__name__ == f"rpl.learner.{config.algorithm}"
    _, metrics = update(learner(name), batches(2), config)
    everybodys = {"critic_loss", "mean_q", "action_l2", "actor_loss"}
    assert metrics.keys() - everybodys == set(own.METRICS)
    assert everybodys <= metrics.keys()
    assert (own.make_extra(config) is None) == (learner(name).extra is None)


def test_the_step_size_decays() -> None:
    for step, factor in {0: 1.0, 3: 1 / 1.3, 10: 1 / 2, 30: 1 / 4}.items():
        assert step_size_factor(step, halving=10) == pytest.approx(factor)
    assert step_size_factor(7, halving=None) == 1.0
