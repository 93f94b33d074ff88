"""What learning changes, and acting with it: the same for every algorithm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jax import Array
from jax.typing import ArrayLike

from rpl.learner.gate import Gate
from rpl.learner.judge import Judge
from rpl.learner.networks import Actor, Critics, GaussianActor
from rpl.learner.normalizer import Normalizer
from rpl.observations import BASE_ACTION

Shown = Mapping[str, ArrayLike]
"""What the learner is shown, by the names of its parts, each (..., size)."""


class LearnerState(eqx.Module):
    """All that learning changes."""

    actor: Actor | GaussianActor
    critic: Critics
    target_actor: Actor | None
    """The target network of the actor; SAC has none."""
    target_critic: Critics
    actor_optimizer: optax.OptState
    critic_optimizer: optax.OptState
    normalizer: Normalizer
    """Of all parts side by side."""
    extra: Any
    """What the algorithm learns besides; None for DDPG, SAC's temperature."""
    sizes: tuple[tuple[str, int], ...] = eqx.field(static=True)
    """Names and widths of what it is shown, in the order in which the networks see it."""
    gate: Gate | None = None
    """What decides where the residual acts; None where it always does."""

    @property
    def acting(self) -> tuple[Actor | GaussianActor, Critics]:
        """The networks that a gated policy acts by."""
        if self.gate is None or not self.gate.by_target:
            return self.actor, self.critic
        return self.target_actor or self.actor, self.target_critic

    @property
    def stochastic(self) -> bool:
        """Whether the actor is a distribution."""
        return isinstance(self.actor, GaussianActor)

    def network_input(self, shown: Shown) -> Array:
        """The normalised parts side by side, (..., width)."""
        return self.normalizer(self.side_by_side(shown))

    def side_by_side(self, shown: Shown) -> Array:
        """The parts as they are, (..., width)."""
        return _joined([shown[name] for name, _ in self.sizes])


def _joined(parts: Sequence[ArrayLike]) -> Array:
    return jnp.concatenate([jnp.asarray(part) for part in parts], axis=-1)


def act(state: LearnerState, shown: Shown, noise: ArrayLike | None = None) -> Array:
    """Actions, (n, action_size): f(s, g), or 0 where a gate keeps the residual back.

    With ``noise``, of the same shape, they explore: f(s, g) + noise, or SAC's
    tanh(mu + sigma noise).
    """
    # Called in every environment step: only what acting needs, and nothing to sort out first.
    parts = [shown[name] for name, _ in state.sizes]
    if state.gate is not None:
        by = state.acting
        return _act_gated(*by, state.gate, state.normalizer, parts, shown[BASE_ACTION], noise)
    return _act(state.actor, state.normalizer, parts, noise)


@jax.jit
def _act(
    actor: Actor | GaussianActor,
    normalizer: Normalizer,
    shown: list[ArrayLike],
    noise: Array | None,
) -> Array:
    x = normalizer(_joined(shown))
    return actor(x) if noise is None else actor.explore(x, noise)


def advantage(state: LearnerState, shown: Shown) -> Array:
    """What the critics behind a gate are sure of, (n,): the residual acts where it is above 0."""
    assert state.gate is not None
    x = state.network_input(shown)
    actor, critic = state.acting
    return state.gate.advantage(_advantages(critic, state.gate, x, actor(x), shown[BASE_ACTION]))


def _advantages(
    critic: Critics, gate: Gate, x: Array, residual: Array, base_action: ArrayLike
) -> Array:
    """A_i(s, f), (critics, n)."""
    scale = jnp.asarray(gate.scale)
    judge = Judge(critic, jnp.asarray(base_action), scale, True, gate.two_valued)
    return judge.advantages(x, residual)


@jax.jit
def _act_gated(
    actor: Actor | GaussianActor,
    critic: Critics,
    gate: Gate,
    normalizer: Normalizer,
    shown: list[ArrayLike],
    base_action: ArrayLike,
    noise: Array | None,
) -> Array:
    x = normalizer(_joined(shown))
    greedy = actor(x)
    is_open = gate.is_open(_advantages(critic, gate, x, greedy, base_action))[..., None]
    if noise is None:
        return jnp.where(is_open, greedy, 0.0)
    # What keeps the residual back keeps the disturbance, also that of SAC's own distribution.
    return actor.explore(x, noise) - jnp.where(is_open, 0.0, greedy)


@eqx.filter_jit
def observe(state: LearnerState, shown: Shown) -> LearnerState:
    """Adds relabelled observations, each part (n, size), to the normaliser."""
    normalizer = state.normalizer.updated(state.side_by_side(shown))
    return eqx.tree_at(lambda s: s.normalizer, state, normalizer)


def with_pessimism(state: LearnerState, pessimism: float) -> LearnerState:
    """A learner whose gate goes by another bound; nothing else of it changes."""
    if state.gate is None:
        return state
    return eqx.tree_at(lambda s: s.gate.pessimism, state, jnp.asarray(pessimism))


def without_residual(state: LearnerState) -> LearnerState:
    """A learner whose greedy action is zero: added to a controller, nothing."""
    return eqx.tree_at(
        lambda s: [
            part
            for actor in (s.actor, s.target_actor)
            if actor is not None
            for part in (actor.network.weights[-1], actor.network.biases[-1])
        ],
        state,
        replace_fn=jnp.zeros_like,
    )


def start_critics_at(state: LearnerState, value: ArrayLike) -> LearnerState:
    """Moves all that critics and their target networks say by a value, ()."""
    return eqx.tree_at(
        lambda s: [m.network.biases[-1] for c in (s.critic, s.target_critic) for m in c.members],
        state,
        replace_fn=lambda bias: bias + value,
    )


@eqx.filter_jit
def is_finite(state: LearnerState) -> Array:
    """Whether every number of the learner is finite, () bool."""
    leaves = jax.tree.leaves(eqx.filter(state, eqx.is_inexact_array))
    return jnp.stack([jnp.isfinite(leaf).all() for leaf in leaves]).all()
