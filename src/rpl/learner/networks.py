"""The actor and the critic: three hidden layers of 256 ReLU units (paper, V-C)."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array


class MLP(eqx.Module):
    """A fully connected network on batches, with ReLU between its layers.

    Weights are Xavier uniform and biases zero.

    Args:
        key: JAX random key.
        sizes: input, hidden and output widths.
        zero_last: start with a zero last layer, so that the output is exactly zero
            (paper, IV-A).
    """

    weights: list[Array]
    biases: list[Array]

    def __init__(self, key: Array, sizes: tuple[int, ...], zero_last: bool = False) -> None:
        keys = jax.random.split(key, len(sizes) - 1)
        xavier = jax.nn.initializers.glorot_uniform()
        self.weights = [
            xavier(k, (fan_in, fan_out), jnp.float32)
            for k, fan_in, fan_out in zip(keys, sizes[:-1], sizes[1:], strict=True)
        ]
        self.biases = [jnp.zeros(width) for width in sizes[1:]]
        if zero_last:
            self.weights[-1] = jnp.zeros_like(self.weights[-1])

    def __call__(self, x: Array) -> Array:
        """Outputs (..., sizes[-1]) for inputs (..., sizes[0])."""
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            x = jax.nn.relu(x @ weight + bias)
        return x @ self.weights[-1] + self.biases[-1]


class Actor(eqx.Module):
    """f(s, g): the residual, or the action when learning from scratch, in [-1, 1].

    Args:
        key: JAX random key.
        input_size: width of the normalised observation and goal together.
        action_size: number of action components.
        hidden: widths of the hidden layers.
        zero_last: start at f = 0.
    """

    network: MLP

    def __init__(
        self,
        key: Array,
        input_size: int,
        action_size: int,
        hidden: tuple[int, ...],
        zero_last: bool,
    ) -> None:
        self.network = MLP(key, (input_size, *hidden, action_size), zero_last)

    def __call__(self, x: Array) -> Array:
        """Actions (..., action_size) for normalised inputs (..., input_size)."""
        return jnp.tanh(self.network(x))


class Critic(eqx.Module):
    """Q(s, g, a): the expected discounted return of an action."""

    network: MLP

    def __init__(
        self, key: Array, input_size: int, action_size: int, hidden: tuple[int, ...]
    ) -> None:
        self.network = MLP(key, (input_size + action_size, *hidden, 1))

    def __call__(self, x: Array, action: Array) -> Array:
        """Values (...) for normalised inputs (..., input_size) and actions (..., action_size)."""
        return self.network(jnp.concatenate([x, action], axis=-1))[..., 0]
