"""All gradient steps of a cycle in one compiled call, whatever the algorithm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from rpl.config import LearnerConfig
from rpl.learner import ddpg
from rpl.learner.algorithm import ActorStep, Metrics, algorithm_of, arrays, polyak
from rpl.learner.gate import GATE_METRICS, Gate
from rpl.learner.judge import Judge
from rpl.learner.mlp import ONE_FRAME, Frames
from rpl.learner.networks import Actor, Critic, Critics
from rpl.learner.normalizer import Normalizer
from rpl.learner.optimizers import actor_optimizer, critic_optimizer, descend
from rpl.learner.state import LearnerState
from rpl.replay.batch import Batch

SMALL = 1e-6  # against dividing by the spread of targets that are all the same


def create(
    key: Array,
    sizes: Mapping[str, int],
    action_size: int,
    config: LearnerConfig,
    frames: int = 1,
    beside_frames: int = 0,
    gate: Gate | None = None,
) -> LearnerState:
    """A fresh learner.

    Args:
        key: JAX random key.
        sizes: widths of the parts that it is shown, in the order in which the networks see them.
        action_size: number of action components.
        config: hyper-parameters.
        frames: observations that a history has put side by side, at the beginning.
        beside_frames: numbers at the end that belong to no frame: goal and base action.
        gate: what decides where the residual acts.
    """
    actor_key, critic_key = jax.random.split(key)
    width = sum(sizes.values())
    shared = Frames(frames, beside_frames) if config.average_frames else ONE_FRAME
    critic = _critics(critic_key, width, action_size, config, shared)
    algorithm = algorithm_of(config)
    actor = algorithm.make_actor(actor_key, width, action_size, config, shared)
    return LearnerState(
        actor=actor,
        critic=critic,
        target_actor=actor if isinstance(actor, Actor) else None,
        target_critic=critic,
        actor_optimizer=actor_optimizer(config).init(arrays(actor)),
        critic_optimizer=critic_optimizer(config).init(arrays(critic)),
        normalizer=Normalizer.create(width),
        extra=algorithm.make_extra(config),
        sizes=tuple(sizes.items()),
        gate=gate,
    )


def _critics(
    key: Array, width: int, action_size: int, config: LearnerConfig, shared: Frames
) -> Critics:
    def make(key: Array) -> Critic:
        hidden = config.critic_hidden or config.hidden
        return Critic(key, width, action_size, hidden, shared, config.layer_norm)

    return Critics.create(key, config.critics, make)


class Setting(NamedTuple):
    """What a task says about its learning."""

    discount: float
    """gamma, for which the batches' sums were made."""
    value_bounds: tuple[float, float]
    """What returns can be, for clipping targets."""
    scale: ArrayLike = 1.0
    """What a residual of 1 adds to the base action, () or (action_size,)."""
    judges_sums: bool = False
    """Whether critics judge what is executed, or the residual of it."""
    two_valued: tuple[int, ...] = ()
    """Components of the action that stay the base action's or go to the other bound."""

    def judge(self, critic: Critics, base_action: Array | None) -> Judge:
        """Critics asked about what an actor says beside a base action."""
        return Judge(critic, base_action, self.scale, self.judges_sums, self.two_valued)


@eqx.filter_jit
def update(
    config: LearnerConfig,
    state: LearnerState,
    batches: Batch[Array],
    setting: Setting,
    train_actor: bool,
    key: Array,
) -> tuple[LearnerState, Metrics]:
    """All gradient steps of a cycle, then one step of the target networks.

    Args:
        config: hyper-parameters.
        state: the learner.
        batches: (steps, batch, ...) transitions.
        setting: what the task says.
        train_actor: False during burn-in, when only the critic learns; compiled apart, so
            that burn-in does not pay for the actor's gradients.
        key: for the noise of TD3's targets and SAC's actions; DDPG draws nothing.

    Returns:
        The new state and the means over the cycle of ``critic_loss``, ``mean_q`` and, when
        the actor learns, ``actor_loss`` and ``action_l2``, the penalty's weight, and the
        algorithm's own metrics.
    """
    steps, algorithm = len(batches.reward), algorithm_of(config)

    def step(state: LearnerState, inputs: tuple[Batch[Array], Array, Array]):
        batch, index, step_key = inputs
        target_key, actor_key = jax.random.split(step_key)
        x = state.network_input(batch.observation)
        judge = setting.judge(state.critic, batch.base_action)
        target = _target(config, state, batch, setting, train_actor, target_key)
        state, metrics = _critic_step(config, state, judge.judged(batch.action), x, target)
        if not train_actor:
            return state, metrics
        caution = 1.0 if state.gate is None else state.gate.caution(config.pessimism)
        weight = config.action_l2 * caution
        action_l2 = _action_l2(config, weight, setting.discount, metrics["critic_loss"], target)
        # The actor goes by the critic of before this step, as in the published implementation.
        by = ActorStep(judge, x, action_l2, actor_key)
        state, more = _actor_step_in_turn(config, state, by, index)
        return state, metrics | more | {"action_l2": jnp.asarray(action_l2)}

    state, metrics = jax.lax.scan(
        step, state, (batches, jnp.arange(steps), jax.random.split(key, steps))
    )
    means = jax.tree.map(jnp.mean, metrics)
    if train_actor and config.actor_every > 1:
        turns = len(range(0, steps, config.actor_every))
        of_actor = {"actor_loss", *algorithm.METRICS, *GATE_METRICS} & metrics.keys()
        means |= {name: metrics[name].sum() / turns for name in of_actor}
    return _with_target_networks(state, config.polyak), means


def _target(
    config: LearnerConfig,
    state: LearnerState,
    batch: Batch[Array],
    setting: Setting,
    train_actor: bool,
    key: Array,
) -> Array:
    """What the critic is to say of the batch, (batch,)."""
    algorithm = algorithm_of(config)
    next_x = state.network_input(batch.next_observation)
    judge = setting.judge(state.target_critic, batch.next_base_action)
    if state.gate is not None and config.zero_last and not train_actor:
        # Until the actor learns its residuals are zero, and there is nothing to choose.
        next_value = judge(next_x, jnp.zeros(()))
    else:
        next_value = algorithm.next_value(config, state, judge, next_x, key)
    bounds = setting.value_bounds if algorithm.is_bounded(config) else (-jnp.inf, jnp.inf)
    return ddpg.td_target(batch.reward, batch.terminated, next_value, batch.discount, bounds)


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


def _action_l2(
    config: LearnerConfig, weight: ArrayLike, discount: float, critic_loss: Array, target: Array
) -> ArrayLike:
    """The penalty's weight as of now."""
    if not config.action_l2_by_error:
        return weight
    per_step = (1.0 - discount) * jnp.std(target)
    return weight * critic_loss / (per_step + SMALL)


def _actor_step_in_turn(
    config: LearnerConfig, state: LearnerState, by: ActorStep, index: Array
) -> tuple[LearnerState, Metrics]:
    """The actor's step in every ``actor_every``-th gradient step, nothing in the others."""
    take = algorithm_of(config).improve_actor
    if config.actor_every == 1:
        return take(config, state, by)
    zeros = jax.eval_shape(lambda: take(config, state, by)[1])
    return jax.lax.cond(
        index % config.actor_every == 0,
        lambda: take(config, state, by),
        lambda: (state, jax.tree.map(lambda shape: jnp.zeros(shape.shape, shape.dtype), zeros)),
    )


def _with_target_networks(state: LearnerState, old: float) -> LearnerState:
    """The target networks, one step nearer to what they follow."""
    critic = polyak(state.target_critic, state.critic, old)
    state = eqx.tree_at(lambda s: s.target_critic, state, critic)
    if state.target_actor is None:
        return state
    actor = polyak(state.target_actor, state.actor, old)
    return eqx.tree_at(lambda s: s.target_actor, state, actor)
