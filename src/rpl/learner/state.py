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

from rpl.learner.networks import Actor, Critics, GaussianActor
from rpl.learner.normalizer import Normalizer

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


def act(state: LearnerState, shown: Shown) -> Array:
    """f(s, g), the greedy action, (n, action_size)."""
    # Called in every environment step: only what acting needs, and nothing to sort out first.
    return _act(state.actor, state.normalizer, [shown[name] for name, _ in state.sizes])


@jax.jit
def _act(actor: Actor | GaussianActor, normalizer: Normalizer, shown: list[ArrayLike]) -> Array:
    return actor(normalizer(_joined(shown)))


def act_with_noise(state: LearnerState, shown: Shown, noise: ArrayLike) -> Array:
    """An exploring action, (n, action_size): f(s, g) + noise, or SAC's tanh(mu + sigma noise)."""
    parts = [shown[name] for name, _ in state.sizes]
    return _act_with_noise(state.actor, state.normalizer, parts, noise)


@jax.jit
def _act_with_noise(
    actor: Actor | GaussianActor, normalizer: Normalizer, shown: list[ArrayLike], noise: Array
) -> Array:
    return actor.explore(normalizer(_joined(shown)), noise)


@eqx.filter_jit
def observe(state: LearnerState, shown: Shown) -> LearnerState:
    """Adds relabelled observations, each part (n, size), to the normaliser."""
    normalizer = state.normalizer.updated(state.side_by_side(shown))
    return eqx.tree_at(lambda s: s.normalizer, state, normalizer)


@eqx.filter_jit
def is_finite(state: LearnerState) -> Array:
    """Whether every number of the learner is finite, () bool."""
    leaves = jax.tree.leaves(eqx.filter(state, eqx.is_inexact_array))
    return jnp.stack([jnp.isfinite(leaf).all() for leaf in leaves]).all()
