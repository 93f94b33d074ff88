"""All gradient steps of a cycle in one compiled call: DDPG, TD3 and SAC."""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from rpl.config import LearnerConfig
from rpl.learner import ddpg, sac
from rpl.learner.networks import Actor, Critic, Critics, GaussianActor
from rpl.learner.optimizers import actor_optimizer, critic_optimizer, descend, temperature_optimizer
from rpl.learner.state import LearnerState, network_input
from rpl.replay.batch import Batch

Metrics = dict[str, Array]
SMALL = 1e-6  # against dividing by the spread of targets that are all the same


class OnProposed(NamedTuple):
    """A critic of executed actions, asked about residuals: Q(s, g, clip(pi(s, g) + scale f))."""

    critic: Critic | Critics
    proposed: Array
    """pi(s, g), (batch, action_size)."""
    scale: ArrayLike

    @property
    def first(self) -> OnProposed:
        """Of several critics the one that the actor climbs."""
        assert isinstance(self.critic, Critics)
        return self._replace(critic=self.critic.first)

    def __call__(self, x: Array, residual: Array) -> Array:
        """Values (batch,) for normalised inputs and residuals."""
        return self.critic(x, jnp.clip(self.proposed + self.scale * residual, -1.0, 1.0))


def judge(critic: Critics, proposed: Array | None, scale: ArrayLike) -> Critics | OnProposed:
    """The critic as a judge of what the actor chooses."""
    return critic if proposed is None else OnProposed(critic, proposed, scale)


class Climb(NamedTuple):
    """What a step of the actor goes by."""

    critic: Critics | OnProposed
    x: Array
    """Normalised observations and goals, (batch, width)."""
    action_l2: ArrayLike
    """The penalty's weight as of now."""
    key: Array
    """For the noise of SAC's actions."""


@eqx.filter_jit
def update(
    config: LearnerConfig,
    state: LearnerState,
    batches: Batch[Array],
    discount: float,
    value_bounds: tuple[float, float],
    train_actor: bool,
    key: Array,
    residual_scale: ArrayLike = 1.0,
) -> tuple[LearnerState, Metrics]:
    """All gradient steps of a cycle, then one step of the slow copies.

    Args:
        config: hyper-parameters.
        state: the learner.
        batches: (steps, batch, ...) transitions.
        discount: gamma, for which the batches' sums were made.
        value_bounds: what returns can be, for clipping targets.
        train_actor: False during burn-in, when only the critic learns; compiled apart, so
            that burn-in does not pay for the actor's gradients.
        key: for the noise of TD3's targets and SAC's actions; DDPG draws nothing.
        residual_scale: what a residual of 1 adds to the batches' ``proposed`` actions.

    Returns:
        The new state and the means over the cycle of ``critic_loss``, ``mean_q`` and, when
        the actor learns, ``actor_loss`` and ``action_l2``, the penalty's weight; with SAC also
        of ``entropy`` and ``temperature``.
    """
    steps = len(batches.reward)

    def step(state: LearnerState, inputs: tuple[Batch[Array], Array, Array]):
        batch, index, step_key = inputs
        target_key, actor_key = jax.random.split(step_key)
        x = network_input(batch.observation, batch.goal, *state.normalizers)
        climbed = judge(state.critic, batch.proposed, residual_scale)
        slow = judge(state.target_critic, batch.next_proposed, residual_scale)
        target = _target(config, state, slow, batch, value_bounds, target_key)
        state, metrics = _critic_step(config, state, batch.action, x, target)
        if not train_actor:
            return state, metrics
        action_l2 = _action_l2(config, discount, metrics["critic_loss"], target)
        # The actor climbs the critic of before this step, as in the published implementation.
        climb = Climb(climbed, x, action_l2, actor_key)
        state, more = _actor_step_in_turn(config, state, climb, index)
        return state, metrics | more | {"action_l2": jnp.asarray(action_l2)}

    state, metrics = jax.lax.scan(
        step, state, (batches, jnp.arange(steps), jax.random.split(key, steps))
    )
    means = jax.tree.map(jnp.mean, metrics)
    if train_actor and config.actor_every > 1:
        turns = len(range(0, steps, config.actor_every))
        means |= {name: metrics[name].sum() / turns for name in ACTOR_METRICS & metrics.keys()}
    return _with_slow_copies(state, config.polyak), means


ACTOR_METRICS = {"actor_loss", "entropy", "temperature"}


def _target(
    config: LearnerConfig,
    state: LearnerState,
    target_critic: Critics | OnProposed,
    batch: Batch[Array],
    value_bounds: tuple[float, float],
    key: Array,
) -> Array:
    """What the critic is to say of the batch, (batch,)."""
    next_x = network_input(batch.next_observation, batch.goal, *state.normalizers)
    next_value = _next_value(config, state, target_critic, next_x, key)
    if config.stochastic and config.entropy_in_value:
        value_bounds = (-jnp.inf, jnp.inf)  # a bonus for entropy knows no bounds
    return ddpg.td_target(batch.reward, batch.terminated, next_value, batch.discount, value_bounds)


def _critic_step(
    config: LearnerConfig, state: LearnerState, action: Array, x: Array, target: Array
) -> tuple[LearnerState, Metrics]:
    (error, mean_q), gradient = eqx.filter_value_and_grad(ddpg.critic_loss, has_aux=True)(
        state.critic, x, action, target
    )
    critic, optimizer = descend(
        critic_optimizer(config), state.critic, state.critic_optimizer, gradient
    )
    state = eqx.tree_at(lambda s: (s.critic, s.critic_optimizer), state, (critic, optimizer))
    return state, {"critic_loss": error / config.critics, "mean_q": mean_q}


def _next_value(
    config: LearnerConfig,
    state: LearnerState,
    target_critic: Critics | OnProposed,
    next_x: Array,
    key: Array,
) -> Array:
    """Q'(s', g, a') of each learner's own a', (batch,)."""
    if isinstance(state.actor, GaussianActor):
        assert state.log_temperature is not None
        temperature = jnp.exp(state.log_temperature) if config.entropy_in_value else 0.0
        return sac.soft_value(state.actor, target_critic, next_x, key, temperature)
    assert state.target_actor is not None
    action = ddpg.smoothed_action(
        state.target_actor, next_x, key, config.target_noise, config.target_noise_clip
    )
    return target_critic(next_x, action)


def _action_l2(
    config: LearnerConfig, discount: float, critic_loss: Array, target: Array
) -> ArrayLike:
    """The penalty's weight as of now."""
    if not config.action_l2_by_error:
        return config.action_l2
    per_step = (1.0 - discount) * jnp.std(target)
    return config.action_l2 * critic_loss / (per_step + SMALL)


def _actor_step_in_turn(
    config: LearnerConfig, state: LearnerState, climb: Climb, index: Array
) -> tuple[LearnerState, Metrics]:
    """The actor's step in every ``actor_every``-th gradient step, nothing in the others."""
    take = _gaussian_actor_step if config.stochastic else _actor_step
    if config.actor_every == 1:
        return take(config, state, climb)
    zeros = jax.eval_shape(lambda: take(config, state, climb)[1])
    return jax.lax.cond(
        index % config.actor_every == 0,
        lambda: take(config, state, climb),
        lambda: (state, jax.tree.map(lambda shape: jnp.zeros(shape.shape, shape.dtype), zeros)),
    )


def _actor_step(
    config: LearnerConfig, state: LearnerState, climb: Climb
) -> tuple[LearnerState, Metrics]:
    assert isinstance(state.actor, Actor)
    error, gradient = eqx.filter_value_and_grad(ddpg.actor_loss)(
        state.actor, climb.critic.first, climb.x, climb.action_l2
    )
    actor, optimizer = descend(
        actor_optimizer(config), state.actor, state.actor_optimizer, gradient
    )
    state = eqx.tree_at(lambda s: (s.actor, s.actor_optimizer), state, (actor, optimizer))
    return state, {"actor_loss": error}


def _gaussian_actor_step(
    config: LearnerConfig, state: LearnerState, climb: Climb
) -> tuple[LearnerState, Metrics]:
    assert isinstance(state.actor, GaussianActor)
    assert state.log_temperature is not None
    assert state.temperature_optimizer is not None
    temperature = jnp.exp(state.log_temperature)
    (error, entropy), gradient = eqx.filter_value_and_grad(sac.actor_loss, has_aux=True)(
        state.actor, climb.critic, climb.x, climb.key, temperature, climb.action_l2
    )
    actor, actor_state = descend(
        actor_optimizer(config), state.actor, state.actor_optimizer, gradient
    )
    slope = jax.grad(sac.temperature_loss)(
        state.log_temperature, entropy, config.target_entropy * actor.action_size
    )
    log_temperature, temperature_state = descend(
        temperature_optimizer(config), state.log_temperature, state.temperature_optimizer, slope
    )
    state = eqx.tree_at(
        lambda s: (s.actor, s.actor_optimizer, s.log_temperature, s.temperature_optimizer),
        state,
        (actor, actor_state, log_temperature, temperature_state),
    )
    return state, {"actor_loss": error, "entropy": entropy, "temperature": temperature}


def _with_slow_copies(state: LearnerState, old: float) -> LearnerState:
    """The slow copies, one step nearer to the fast ones."""
    critic = _polyak(state.target_critic, state.critic, old)
    state = eqx.tree_at(lambda s: s.target_critic, state, critic)
    if state.target_actor is None:
        return state
    actor = _polyak(state.target_actor, state.actor, old)
    return eqx.tree_at(lambda s: s.target_actor, state, actor)


def _polyak(slow, fast, old: float):
    return jax.tree.map(lambda s, f: old * s + (1.0 - old) * f, slow, fast)
