"""DDPG's losses, and TD3's changes to them (paper, III and V-C).

Symbols: s observation, g goal, a action (under ``rpl.residual.Residual``, the
residual), r reward, f the actor, Q the critic, primes their target networks, gamma the discount.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from rpl.config import LearnerConfig
from rpl.learner.algorithm import ActorStep, Metrics
from rpl.learner.gate import Objective, gate_metrics, objective_of, value_of
from rpl.learner.judge import Judge
from rpl.learner.mlp import Frames
from rpl.learner.networks import Actor, Critics
from rpl.learner.optimizers import actor_optimizer, descend
from rpl.learner.state import LearnerState

METRICS: tuple[str, ...] = ()


def td_target(
    reward: Array,
    terminated: Array,
    next_value: Array,
    discount: Array | float,
    bounds: tuple[float, float],
) -> Array:
    """y = clip(r + gamma Q'(s', g, f'(s', g)), bounds), without the tail after a termination.

    For rewards of -1 and 0 no return can leave [-1 / (1 - gamma), 0]. Over n steps r is their
    discounted sum, s' the n-th next state and gamma its n-th power.
    """
    return jnp.clip(reward + discount * (1.0 - terminated) * next_value, *bounds)


def smoothed_action(target_actor: Actor, x: Array, key: Array, noise: float, clip: float) -> Array:
    """TD3's target policy smoothing: clip(f'(s', g) + clip(N(0, noise^2), +-clip), +-1)."""
    action = target_actor(x)
    if noise == 0.0:
        return action
    disturbance = jnp.clip(noise * jax.random.normal(key, action.shape), -clip, clip)
    return jnp.clip(action + disturbance, -1.0, 1.0)


def critic_loss(critic: Critics, x: Array, action: Array, target: Array) -> tuple[Array, Array]:
    """sum_i mean (Q_i(s, g, a) - y)^2, and the mean of all Q_i beside it."""
    values = [member(x, action) for member in critic.members]
    loss = sum(jnp.mean(jnp.square(value - target)) for value in values)
    return jnp.asarray(loss), jnp.asarray(sum(jnp.mean(value) for value in values) / len(values))


def actor_loss(
    actor: Actor, objective: Objective, x: Array, action_l2: ArrayLike
) -> tuple[Array, Array]:
    """mean of -Q_1(s, g, f(s, g)) + lambda |f(s, g)|^2 / dim(a).

    For Q_1 stands whatever ``objective_of`` says; beside it what the critics say each.
    """
    action = actor(x)
    value, each = objective(action)
    return -jnp.mean(value) + action_l2 * jnp.mean(jnp.square(action)), each


def make_actor(
    key: Array, input_size: int, action_size: int, config: LearnerConfig, frames: Frames
) -> Actor:
    """A deterministic actor."""
    return Actor(key, input_size, action_size, config.hidden, config.zero_last, frames)


def make_extra(config: LearnerConfig) -> None:
    """Nothing else is learned."""


def is_bounded(config: LearnerConfig) -> bool:
    """Values are returns."""
    return True


def next_value(
    config: LearnerConfig, state: LearnerState, judge: Judge, next_x: Array, key: Array
) -> Array:
    """Q'(s', g, f'(s', g)), under TD3 the least of its critics for a smoothed action; (batch,).

    With a gate Q'(s', g, b') where it is closed.
    """
    assert state.target_actor is not None
    action = smoothed_action(
        state.target_actor, next_x, key, config.target_noise, config.target_noise_clip
    )
    return value_of(config, state.gate, judge, next_x, action, key)[0]


def improve_actor(
    config: LearnerConfig, state: LearnerState, step: ActorStep
) -> tuple[LearnerState, Metrics]:
    """The actor goes up what it maximises."""
    assert isinstance(state.actor, Actor)
    objective = objective_of(config, state.gate, step.judge, step.x)
    (error, each), gradient = eqx.filter_value_and_grad(actor_loss, has_aux=True)(
        state.actor, objective, step.x, step.action_l2
    )
    actor, optimizer = descend(
        actor_optimizer(config), state.actor, state.actor_optimizer, gradient
    )
    metrics = {"actor_loss": error} | gate_metrics(state.gate, each)
    state = eqx.tree_at(lambda s: (s.actor, s.actor_optimizer), state, (actor, optimizer))
    return state, metrics
