"""Critics asked about actions as they take effect."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from rpl.learner.networks import Critics


class Judge(NamedTuple):
    """Critics asked about what the actor says: Q(s, g, a) of the action a that takes effect.

    a is what is executed, clip(b + scale f), where the critics judge sums, and else the residual
    of it, (clip(b + scale f) - clip(b)) / scale. Without a base action b it is f itself.
    Components with two values are as ``rpl.residual.combine`` makes them, with the slope of the
    sum, which says where the other value is.
    """

    critic: Critics
    base_action: Array | None
    """b, (batch, action_size)."""
    scale: ArrayLike
    """What a residual of 1 adds, (action_size,)."""
    of_sums: bool
    two_valued: tuple[int, ...] = ()
    """Components of the action that stay b's or go to the other bound."""

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
        total = self.base_action + self.scale * said
        executed = jnp.clip(total, -1.0, 1.0)
        for c in self.two_valued:
            value = _one_of_two(self.base_action[..., c], total[..., c])
            executed = executed.at[..., c].set(value)
        return self.judged(executed)

    def judged(self, executed: Array) -> Array:
        """What the critics are shown of an executed action."""
        if self.base_action is None or self.of_sums:
            return executed
        scale = jnp.asarray(self.scale)
        effect = executed - jnp.clip(self.base_action, -1.0, 1.0)
        return jnp.where(scale > 0.0, effect / jnp.where(scale > 0.0, scale, 1.0), 0.0)


def _one_of_two(base: Array, total: Array) -> Array:
    """b, or the bound on the other side of 0 where the sum is there; with the sum's slope."""
    side = total >= 0.0
    value = jnp.where(side == (base >= 0.0), jnp.clip(base, -1.0, 1.0), jnp.where(side, 1.0, -1.0))
    slope = jnp.clip(total, -1.0, 1.0)
    return value + (slope - jax.lax.stop_gradient(slope))
