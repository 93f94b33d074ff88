"""Where the residual acts, and what targets and actors make of it, with the arithmetic by hand."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from rpl import learner
from rpl.config import LearnerConfig
from rpl.learner import Batch, Gate, Setting
from rpl.learner.gate import aggregate, disagreement, objective_of, value_of
from rpl.learner.judge import Judge
from rpl.learner.networks import Critic, Critics
from rpl.presets import LEARNERS

KEY = jax.random.key(3)
SIZES = {"observation": 3, "base_action": 2, "desired_goal": 2}
GATED = LearnerConfig(
    hidden=(8,), critics=3, layer_norm=True, gate=True, aggregate="bound", zero_last=False
)
ADVANTAGES = jnp.array([[1.0, 1.0, 0.0], [0.6, -1.0, 0.0]])
"""Of two critics in three states: means 0.8, 0, 0 and standard deviations 0.2, 1, 0."""


def gate(config: LearnerConfig, scale: tuple[float, ...] = (1.0, 1.0)) -> Gate:
    made = Gate.of(config, scale)
    assert made is not None
    return made


def paying_for_actions(*weights: float) -> Critics:
    """Q_i(x, a) = weight_i a."""

    def one(weight: float) -> Critic:
        critic = Critic(KEY, 1, 1, ())
        return eqx.tree_at(lambda c: c.network.weights[0], critic, jnp.array([[0.0], [weight]]))

    return Critics(tuple(one(weight) for weight in weights))


def test_critics_are_aggregated_as_asked() -> None:
    assert_allclose(aggregate(ADVANTAGES, "first", 2.0), [1.0, 1.0, 0.0])
    assert_allclose(aggregate(ADVANTAGES, "least", 2.0), [0.6, -1.0, 0.0])
    assert_allclose(aggregate(ADVANTAGES, "mean", 2.0), [0.8, 0.0, 0.0], atol=1e-6)
    assert_allclose(aggregate(ADVANTAGES, "bound", 2.0), [0.4, -2.0, 0.0], atol=3e-6)
    assert_allclose(aggregate(ADVANTAGES, "bound", 0.5), [0.7, -0.5, 0.0], atol=3e-6)


def test_the_bound_has_a_slope_where_all_critics_agree() -> None:
    slope = jax.grad(lambda a: aggregate(a, "bound", 2.0).sum())(jnp.zeros((3, 2)))
    assert_allclose(slope, np.full((3, 2), 1 / 3), rtol=1e-5)


def test_the_gate_is_open_only_above_zero() -> None:
    assert_array_equal(gate(GATED).is_open(ADVANTAGES), [True, False, False])
    assert_array_equal(gate(replace(GATED, pessimism=5.0)).is_open(ADVANTAGES), [False] * 3)
    assert Gate.of(replace(GATED, gate=False), (1.0,)) is None


def test_disagreement_is_the_root_mean_variance() -> None:
    # Variances of (1, 0.6), (1, -1) and (0, 0): 0.08, 2, 0.
    assert float(disagreement(ADVANTAGES)) == pytest.approx(np.sqrt(2.08 / 3))
    assert float(disagreement(ADVANTAGES[:1])) == 0.0


def test_a_target_counts_the_action_that_the_policy_chooses() -> None:
    config = replace(GATED, aggregate="mean", critics=2)
    base, residual = jnp.array([[0.2], [0.9], [0.5]]), jnp.array([[-0.4], [-1.0], [0.3]])
    judge = Judge(paying_for_actions(1.0, -3.0), base, 0.5, of_sums=True)
    # Executed: 0, 0.4, 0.65; the mean critic pays -1 for each unit: only less is better.
    value, acts = value_of(config, gate(config, (0.5,)), judge, jnp.zeros((3, 1)), residual, KEY)
    assert_array_equal(acts, [True, True, False])
    assert_allclose(value, [0.0, -1.2, -1.5], atol=1e-6)


def test_drawn_critics_are_the_value_and_all_of_them_choose() -> None:
    config = replace(GATED, aggregate="mean", critics=3, critics_drawn=1)
    base, residual = jnp.full((1, 1), 0.2), jnp.full((1, 1), 0.4)
    judge = Judge(paying_for_actions(1.0, 2.0, -1.0), base, 0.5, of_sums=True)
    seen = set()
    for key in jax.random.split(KEY, 40):
        value, acts = value_of(
            config, gate(config, (0.5,)), judge, jnp.zeros((1, 1)), residual, key
        )
        assert bool(acts[0])  # by the mean, though one of three is against it
        seen.add(round(float(value[0]), 5))
    assert seen == {0.4, 0.8, -0.4}


def test_an_actor_behind_a_gate_maximises_the_advantage_over_the_base_action() -> None:
    config = replace(GATED, aggregate="least", critics=2)
    base, said = jnp.array([[0.5]]), jnp.array([[0.4]])
    judge = Judge(paying_for_actions(2.0, 1.0), base, 0.5, of_sums=True)
    objective = objective_of(config, gate(config, (0.5,)), judge, jnp.zeros((1, 1)))
    value, each = objective(said)
    assert_allclose(each, [[0.4], [0.2]], rtol=1e-6)
    assert_allclose(value, [0.2], rtol=1e-6)
    without = objective_of(config, None, judge, jnp.zeros((1, 1)))(said)[0]
    assert_allclose(without, [0.7], rtol=1e-6)


def shown(count: int = 9) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=(count, size)) for name, size in SIZES.items()}


@pytest.mark.parametrize("algorithm", LEARNERS)
@pytest.mark.parametrize(("how", "by_target"), [("first", False), ("bound", True)])
def test_with_critics_that_prefer_nothing_the_policy_is_its_controller(
    algorithm, how, by_target
) -> None:
    config = replace(GATED, algorithm=algorithm, aggregate=how, act_by_target=by_target)
    state = learner.create(KEY, SIZES, 2, config, gate=gate(config))
    indifferent = eqx.tree_at(
        lambda s: [m.network.weights[-1] for c in (s.critic, s.target_critic) for m in c.members],
        state,
        replace_fn=jnp.zeros_like,
    )
    assert not np.any(learner.act(indifferent, shown()))
    if algorithm != "sac":
        noise = np.full((9, 2), 0.25, np.float32)
        assert_allclose(learner.act(indifferent, shown(), noise), noise, atol=1e-7)


def batches(steps: int, size: int = 16) -> Batch:
    rng = np.random.default_rng(0)

    def draw(*shape: int) -> jax.Array:
        return jnp.asarray(rng.normal(size=(steps, size, *shape)), jnp.float32)

    goal, base, next_base = draw(2), jnp.tanh(draw(2)), jnp.tanh(draw(2))
    return Batch(
        observation={"observation": draw(3), "base_action": base, "desired_goal": goal},
        base_action=base,
        action=jnp.tanh(draw(2)),
        reward=-jnp.ones((steps, size)),
        next_observation={"observation": draw(3), "base_action": next_base, "desired_goal": goal},
        next_base_action=next_base,
        terminated=jnp.zeros((steps, size)),
        discount=jnp.full((steps, size), 0.9),
    )


@pytest.mark.parametrize(
    ("algorithm", "changes"),
    [
        ("ddpg", {"critic_hidden": (4, 4)}),
        ("td3", {"aggregate": "mean", "critics_drawn": 2}),
        ("sac", {"act_by_target": True}),
    ],
)
def test_a_gated_policy_learns_with_every_algorithm(algorithm, changes) -> None:
    config = replace(GATED, algorithm=algorithm, **changes)
    state = learner.create(KEY, SIZES, 2, config, gate=gate(config))
    before = [np.array(leaf) for leaf in jax.tree.leaves(state.actor)]
    setting = Setting(0.9, (-10.0, 0.0), 1.0, judges_sums=True)
    for train_actor in (False, True):
        state, metrics = learner.update(config, state, batches(3), setting, train_actor, KEY)
        assert np.isfinite(list(map(float, metrics.values()))).all()
    assert set(learner.GATE_METRICS) <= metrics.keys()
    after = jax.tree.leaves(state.actor)
    assert all(np.any(a != b) for a, b in zip(before, after, strict=True))


def test_burn_in_behind_a_gate_learns_the_controllers_values() -> None:
    config = replace(GATED, zero_last=True)
    state = learner.create(KEY, SIZES, 2, config, gate=gate(config))
    setting = Setting(0.9, (-10.0, 0.0), 1.0, judges_sums=True)
    alike = learner.create(KEY, SIZES, 2, replace(config, gate=False))
    ours, _ = learner.update(config, state, batches(3), setting, False, KEY)
    theirs, _ = learner.update(replace(config, gate=False), alike, batches(3), setting, False, KEY)
    for one, other in zip(
        jax.tree.leaves(ours.critic), jax.tree.leaves(theirs.critic), strict=True
    ):
        assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_where_the_bound_is_half_as_strict_a_quarter_of_the_penalty_is_left() -> None:
    made = gate(GATED)
    assert float(made.caution(2.0)) == 1.0
    trusted = eqx.tree_at(lambda g: g.pessimism, made, jnp.asarray(1.0))
    assert float(trusted.caution(2.0)) == 0.25
    assert float(gate(replace(GATED, pessimism=0.0)).caution(0.0)) == 1.0
