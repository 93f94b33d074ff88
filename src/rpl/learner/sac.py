"""SAC's losses: a stochastic actor that is paid for its entropy.

Symbols as in ``rpl.learner.ddpg``, and pi the squashed Gaussian, alpha the temperature,
H its entropy. With a zero last layer pi starts around the zero residual, so that the greedy
policy is the controller to the last bit; sigma starts small enough not to spoil it.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from rpl.learner.networks import GaussianActor, Values


def draw(actor: GaussianActor, x: Array, key: Array) -> tuple[Array, Array]:
    """a ~ pi(. | s, g), (batch, action_size), and log pi(a | s, g), (batch,)."""
    return actor.sample(x, jax.random.normal(key, (*x.shape[:-1], actor.action_size)))


def soft_value(
    actor: GaussianActor, critic: Values, x: Array, key: Array, temperature: Array | float
) -> Array:
    """min_i Q_i(s, g, a) - alpha log pi(a | s, g) for one a ~ pi, (batch,)."""
    action, log_density = draw(actor, x, key)
    return critic(x, action) - temperature * log_density


def actor_loss(
    actor: GaussianActor,
    critic: Values,
    x: Array,
    key: Array,
    temperature: Array,
    action_l2: ArrayLike,
) -> tuple[Array, Array]:
    """mean of alpha log pi(a | s, g) - min_i Q_i(s, g, a) + lambda |a|^2 / dim(a), a ~ pi.

    Beside it the mean of -log pi, an estimate of H.
    """
    action, log_density = draw(actor, x, key)
    penalty = action_l2 * jnp.mean(jnp.square(action))
    loss = jnp.mean(temperature * log_density - critic(x, action)) + penalty
    return loss, -jnp.mean(log_density)


def temperature_loss(log_temperature: Array, entropy: Array, target_entropy: float) -> Array:
    """log alpha * (H - H_target): alpha falls while there is more entropy than asked for."""
    return log_temperature * (entropy - target_entropy)
