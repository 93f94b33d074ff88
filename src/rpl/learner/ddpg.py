"""DDPG for goal-conditioned tasks: pure functions on an immutable state (paper, III and V-C).

Symbols: s observation, g goal, a action (under :class:`rpl.residual.Residual`, the
residual), r reward, f the actor, Q the critic, primes their slow copies, gamma the discount.
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
from rpl.learner.networks import ONE_FRAME, Actor, Critic, Frames
from rpl.learner.normalizer import Normalizer


class Batch(NamedTuple):
    """Transitions, each with leading dimensions (..., batch)."""

    observation: Array
    goal: Array
    action: Array
    reward: Array
    next_observation: Array
    terminated: Array
    """1 where the episode ended by itself: nothing follows. 0 at a truncation."""


class LearnerState(eqx.Module):
    """All that learning changes."""

    actor: Actor
    critic: Critic
    target_actor: Actor
    target_critic: Critic
    actor_optimizer: optax.OptState
    critic_optimizer: optax.OptState
    observation_normalizer: Normalizer
    goal_normalizer: Normalizer


def create(
    key: Array,
    observation_size: int,
    goal_size: int,
    action_size: int,
    config: LearnerConfig,
    frames: int = 1,
) -> LearnerState:
    """A fresh learner.

    Args:
        key: JAX random key.
        observation_size: width of an observation.
        goal_size: width of a goal; 0 for tasks without goals.
        action_size: number of action components.
        config: hyper-parameters.
        frames: observations that a history has put side by side, within ``observation_size``.
    """
    actor_key, critic_key = jax.random.split(key)
    width = observation_size + goal_size
    shared = Frames(frames, goal_size) if config.average_frames else ONE_FRAME
    actor = Actor(actor_key, width, action_size, config.hidden, config.zero_last, shared)
    critic = Critic(critic_key, width, action_size, config.hidden, shared)
    return LearnerState(
        actor=actor,
        critic=critic,
        target_actor=actor,
        target_critic=critic,
        actor_optimizer=_actor_optimizer(config).init(_arrays(actor)),
        critic_optimizer=_critic_optimizer(config).init(_arrays(critic)),
        observation_normalizer=Normalizer.create(observation_size),
        goal_normalizer=Normalizer.create(goal_size),
    )


def network_input(
    observation: ArrayLike, goal: ArrayLike, of_observation: Normalizer, of_goal: Normalizer
) -> Array:
    """The normalised observation and goal side by side, (..., observation + goal)."""
    return jnp.concatenate([of_observation(observation), of_goal(goal)], axis=-1)


def act(state: LearnerState, observation: ArrayLike, goal: ArrayLike) -> Array:
    """f(s, g), the deterministic action, (n, action_size)."""
    # Called in every environment step: only what acting needs, and nothing to sort out first.
    normalizers = (state.observation_normalizer, state.goal_normalizer)
    return _act(state.actor, *normalizers, observation, goal)


@jax.jit
def _act(
    actor: Actor,
    of_observation: Normalizer,
    of_goal: Normalizer,
    observation: ArrayLike,
    goal: ArrayLike,
) -> Array:
    return actor(network_input(observation, goal, of_observation, of_goal))


def td_target(
    reward: Array,
    terminated: Array,
    next_value: Array,
    discount: float,
    bounds: tuple[float, float],
) -> Array:
    """y = clip(r + gamma Q'(s', g, f'(s', g)), bounds), without the tail after a termination.

    For rewards of -1 and 0 no return can leave [-1 / (1 - gamma), 0].
    """
    return jnp.clip(reward + discount * (1.0 - terminated) * next_value, *bounds)


def critic_loss(critic: Critic, x: Array, action: Array, target: Array) -> tuple[Array, Array]:
    """mean (Q(s, g, a) - y)^2, and mean Q beside it."""
    value = critic(x, action)
    return jnp.mean(jnp.square(value - target)), jnp.mean(value)


def actor_loss(actor: Actor, critic: Critic, x: Array, action_l2: float) -> Array:
    """mean of -Q(s, g, f(s, g)) + lambda |f(s, g)|^2 / dim(a)."""
    action = actor(x)
    return -jnp.mean(critic(x, action)) + action_l2 * jnp.mean(jnp.square(action))


@eqx.filter_jit
def update(
    config: LearnerConfig,
    state: LearnerState,
    batches: Batch,
    discount: float,
    value_bounds: tuple[float, float],
    train_actor: bool,
) -> tuple[LearnerState, dict[str, Array]]:
    """All gradient steps of a cycle, then one step of the slow copies.

    Args:
        config: hyper-parameters.
        state: the learner.
        batches: (steps, batch, ...) transitions.
        discount: gamma.
        value_bounds: what returns can be, for clipping targets.
        train_actor: False during burn-in, when only the critic learns; compiled apart, so
            that burn-in does not pay for the actor's gradients.

    Returns:
        The new state and the means over the cycle of ``critic_loss``, ``mean_q`` and, when
        the actor learns, ``actor_loss``.
    """

    def step(state: LearnerState, batch: Batch) -> tuple[LearnerState, dict[str, Array]]:
        return _gradient_step(config, state, batch, discount, value_bounds, train_actor)

    state, metrics = jax.lax.scan(step, state, batches)
    old = config.polyak
    state = eqx.tree_at(
        lambda s: (s.target_actor, s.target_critic),
        state,
        (
            _polyak(state.target_actor, state.actor, old),
            _polyak(state.target_critic, state.critic, old),
        ),
    )
    return state, jax.tree.map(jnp.mean, metrics)


def _gradient_step(
    config: LearnerConfig,
    state: LearnerState,
    batch: Batch,
    discount: float,
    value_bounds: tuple[float, float],
    train_actor: bool,
) -> tuple[LearnerState, dict[str, Array]]:
    normalizers = (state.observation_normalizer, state.goal_normalizer)
    x = network_input(batch.observation, batch.goal, *normalizers)
    next_x = network_input(batch.next_observation, batch.goal, *normalizers)
    next_value = state.target_critic(next_x, state.target_actor(next_x))
    target = td_target(batch.reward, batch.terminated, next_value, discount, value_bounds)

    old_critic = state.critic
    (error, mean_q), gradient = eqx.filter_value_and_grad(critic_loss, has_aux=True)(
        old_critic, x, batch.action, target
    )
    optimizer = _critic_optimizer(config)
    critic, critic_state = _descend(optimizer, old_critic, state.critic_optimizer, gradient)
    state = eqx.tree_at(lambda s: (s.critic, s.critic_optimizer), state, (critic, critic_state))
    metrics = {"critic_loss": error, "mean_q": mean_q}
    if not train_actor:
        return state, metrics

    # The actor climbs the critic of before this step, as in the published implementation.
    error, gradient = eqx.filter_value_and_grad(actor_loss)(
        state.actor, old_critic, x, config.action_l2
    )
    optimizer = _actor_optimizer(config)
    actor, actor_state = _descend(optimizer, state.actor, state.actor_optimizer, gradient)
    state = eqx.tree_at(lambda s: (s.actor, s.actor_optimizer), state, (actor, actor_state))
    return state, metrics | {"actor_loss": error}


@eqx.filter_jit
def observe(state: LearnerState, observation: ArrayLike, goal: ArrayLike) -> LearnerState:
    """Adds relabelled observations (n, ...) and goals (n, ...) to the normalisers."""
    return eqx.tree_at(
        lambda s: (s.observation_normalizer, s.goal_normalizer),
        state,
        (
            state.observation_normalizer.updated(observation),
            state.goal_normalizer.updated(goal),
        ),
    )


def _descend(optimizer, module, optimizer_state, gradient):
    updates, optimizer_state = optimizer.update(gradient, optimizer_state, module)
    return eqx.apply_updates(module, updates), optimizer_state


def _polyak(slow, fast, old: float):
    return jax.tree.map(lambda s, f: old * s + (1.0 - old) * f, slow, fast)


def _actor_optimizer(config: LearnerConfig) -> optax.GradientTransformation:
    halving, warm_up = config.learning_rate_halving, config.actor_warm_up
    return _adam(config.actor_learning_rate, halving, warm_up)


def _critic_optimizer(config: LearnerConfig) -> optax.GradientTransformation:
    return _adam(config.critic_learning_rate, config.learning_rate_halving)


def _adam(rate: float, halving: float | None, warm_up: int = 0) -> optax.GradientTransformation:
    return optax.adam(lambda step: rate * step_size_factor(step, halving, warm_up))


def step_size_factor(step: ArrayLike, halving: float | None, warm_up: int) -> ArrayLike:
    """What a step size is multiplied by after ``step`` gradient steps: a rise, then a decay."""
    factor = 1.0 if halving is None else 1.0 / (1.0 + step / halving)
    return factor * jnp.minimum(1.0, (step + 1) / warm_up) if warm_up else factor


def _arrays(module):
    return eqx.filter(module, eqx.is_array)
