"""SAC's losses: a stochastic actor that is paid for its entropy.

Symbols as in ``rpl.learner.ddpg``, and pi the squashed Gaussian, alpha the temperature,
H its entropy. With a zero last layer pi starts around the zero residual, so that the greedy
policy is the controller to the last bit; sigma starts small enough not to spoil it.
"""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jax import Array
from jax.typing import ArrayLike

from rpl.config import LearnerConfig
from rpl.learner.algorithm import ActorStep, Metrics
from rpl.learner.gate import Objective, gate_metrics, objective_of, value_of
from rpl.learner.judge import Judge
from rpl.learner.mlp import Frames
from rpl.learner.networks import GaussianActor
from rpl.learner.optimizers import actor_optimizer, descend, temperature_optimizer
from rpl.learner.state import LearnerState

METRICS = ("entropy", "temperature")


class Temperature(NamedTuple):
    """What a unit of entropy is worth, and the state of its optimiser."""

    log_value: Array
    """log alpha"""
    optimizer: optax.OptState


def draw(actor: GaussianActor, x: Array, key: Array) -> tuple[Array, Array]:
    """a ~ pi(. | s, g), (batch, action_size), and log pi(a | s, g), (batch,)."""
    return actor.sample(x, jax.random.normal(key, (*x.shape[:-1], actor.action_size)))


def actor_loss(
    actor: GaussianActor,
    objective: Objective,
    x: Array,
    key: Array,
    temperature: Array,
    action_l2: ArrayLike,
) -> tuple[Array, tuple[Array, Array]]:
    """mean of alpha log pi(a | s, g) - min_i Q_i(s, g, a) + lambda |a|^2 / dim(a), a ~ pi.

    Beside it the mean of -log pi, an estimate of H, and what the critics say each.
    """
    action, log_density = draw(actor, x, key)
    value, each = objective(action)
    penalty = action_l2 * jnp.mean(jnp.square(action))
    loss = jnp.mean(temperature * log_density - value) + penalty
    return loss, (-jnp.mean(log_density), each)


def temperature_loss(log_temperature: Array, entropy: Array, target_entropy: float) -> Array:
    """log alpha * (H - H_target): alpha falls while there is more entropy than asked for."""
    return log_temperature * (entropy - target_entropy)


def make_actor(
    key: Array, input_size: int, action_size: int, config: LearnerConfig, frames: Frames
) -> GaussianActor:
    """A squashed Gaussian."""
    return GaussianActor(
        key, input_size, action_size, config.hidden, config.zero_last, config.initial_std, frames
    )


def make_extra(config: LearnerConfig) -> Temperature:
    """The temperature, which is learned besides."""
    log_value = jnp.log(jnp.asarray(config.initial_temperature, jnp.float32))
    return Temperature(log_value, temperature_optimizer(config).init(log_value))


def is_bounded(config: LearnerConfig) -> bool:
    """A bonus for entropy knows no bounds."""
    return not config.entropy_in_value


def next_value(
    config: LearnerConfig, state: LearnerState, judge: Judge, next_x: Array, key: Array
) -> Array:
    """min_i Q'_i(s', g, a') - alpha log pi(a' | s', g) for one a' ~ pi; (batch,).

    With or without what entropy is worth; with a gate Q'(s', g, b') where it is closed.
    """
    assert isinstance(state.actor, GaussianActor)
    temperature = jnp.exp(state.extra.log_value) if config.entropy_in_value else 0.0
    action, log_density = draw(state.actor, next_x, key)
    value, acts = value_of(config, state.gate, judge, next_x, action, key)
    return value - jnp.where(acts, temperature * log_density, 0.0)


def improve_actor(
    config: LearnerConfig, state: LearnerState, step: ActorStep
) -> tuple[LearnerState, Metrics]:
    """The actor goes up what it maximises and its entropy, the temperature towards its aim."""
    assert isinstance(state.actor, GaussianActor)
    temperature = jnp.exp(state.extra.log_value)
    objective = objective_of(config, state.gate, step.judge, step.x)
    (error, (entropy, each)), gradient = eqx.filter_value_and_grad(actor_loss, has_aux=True)(
        state.actor, objective, step.x, step.key, temperature, step.action_l2
    )
    actor, optimizer = descend(
        actor_optimizer(config), state.actor, state.actor_optimizer, gradient
    )
    slope = jax.grad(temperature_loss)(
        state.extra.log_value, entropy, config.target_entropy * state.actor.action_size
    )
    extra = Temperature(
        *descend(temperature_optimizer(config), state.extra.log_value, state.extra.optimizer, slope)
    )
    state = eqx.tree_at(
        lambda s: (s.actor, s.actor_optimizer, s.extra), state, (actor, optimizer, extra)
    )
    metrics = {"actor_loss": error, "entropy": entropy, "temperature": temperature}
    return state, metrics | gate_metrics(state.gate, each)
