"""Critics asked about actions as they take effect."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from rpl.learner.networks import Critics


class Judge(NamedTuple):
    """Critics asked about what the actor says: Q(s, g, a) of the action a that takes effect.

    a is what is executed, clip(b + scale f), where the critics judge sums, and else the residual
    of it, (clip(b + scale f) - clip(b)) / scale. Without a base action b it is f itself.
    """

    critic: Critics
    base_action: Array | None
    """b, (batch, action_size)."""
    scale: ArrayLike
    """What a residual of 1 adds, (action_size,)."""
    of_sums: bool

    def each(self, x: Array, said: Array) -> Array:
        """Every critic's values, (critics, batch), of normalised inputs and what the actor says."""
        return self.critic.each(x, self._effect(said))

    def first(self, x: Array, said: Array) -> Array:
        """The first critic's values, (batch,)."""
        return self.critic.first(x, self._effect(said))

    def __call__(self, x: Array, said: Array) -> Array:
        """The least of the critics' values, (batch,)."""
        return self.critic(x, self._effect(said))

    def advantages(self, x: Array, said: Array) -> Array:
        """A_i(s, f) of every critic, (critics, batch)."""
        return jnp.subtract(*self.beside_base(x, said))

    def beside_base(self, x: Array, said: Array) -> tuple[Array, Array]:
        """Q_i(s, a) and Q_i(s, b), each (critics, batch), in one pass through the critics."""
        actions = jnp.concatenate([self._effect(said), self._effect(jnp.zeros_like(said))])
        values = self.critic.each(jnp.concatenate([x, x]), actions)
        with_residual, of_base = jnp.split(values, 2, axis=1)
        return with_residual, of_base

    def _effect(self, said: Array) -> Array:
        if self.base_action is None:
            return said
        return self.judged(jnp.clip(self.base_action + self.scale * said, -1.0, 1.0))

    def judged(self, executed: Array) -> Array:
        """What the critics are shown of an executed action."""
        if self.base_action is None or self.of_sums:
            return executed
        scale = jnp.asarray(self.scale)
        effect = executed - jnp.clip(self.base_action, -1.0, 1.0)
        return jnp.where(scale > 0.0, effect / jnp.where(scale > 0.0, scale, 1.0), 0.0)
