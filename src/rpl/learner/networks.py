"""The actor and the critic: three hidden layers of 256 ReLU units (paper, V-C)."""

from __future__ import annotations

from typing import NamedTuple

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


class Frames(NamedTuple):
    """How an input falls into frames of a history that share one network (paper, V-C)."""

    number: int = 1
    goal_size: int = 0

    def input_size(self, size: int) -> int:
        """Width of one frame with its goal, for inputs of width ``size``."""
        return (size - self.goal_size) // self.number + self.goal_size

    def split(self, x: Array) -> Array:
        """From (..., number * observation + goal) to (..., number, observation + goal)."""
        lead = x.shape[:-1]
        observation, goal = jnp.split(x, [x.shape[-1] - self.goal_size], axis=-1)
        goal = jnp.broadcast_to(goal[..., None, :], (*lead, self.number, self.goal_size))
        return jnp.concatenate([observation.reshape(*lead, self.number, -1), goal], axis=-1)


ONE_FRAME = Frames()


class Actor(eqx.Module):
    """f(s, g): the residual, or the action when learning from scratch, in [-1, 1].

    Over a history, the mean of what one network says of each frame: for two frames
    0.5 (f(s1) + f(s2)).

    Args:
        key: JAX random key.
        input_size: width of the normalised observation and goal together.
        action_size: number of action components.
        hidden: widths of the hidden layers.
        zero_last: start at f = 0.
        frames: the history's frames; one frame also stands for several side by side.
    """

    network: MLP
    frames: Frames = eqx.field(static=True)

    def __init__(
        self,
        key: Array,
        input_size: int,
        action_size: int,
        hidden: tuple[int, ...],
        zero_last: bool,
        frames: Frames = ONE_FRAME,
    ) -> None:
        self.frames = frames
        self.network = MLP(key, (frames.input_size(input_size), *hidden, action_size), zero_last)

    def __call__(self, x: Array) -> Array:
        """Actions (..., action_size) for normalised inputs (..., input_size)."""
        if self.frames.number == 1:
            return jnp.tanh(self.network(x))
        return jnp.tanh(self.network(self.frames.split(x))).mean(axis=-2)


class Critic(eqx.Module):
    """Q(s, g, a): the expected discounted return of an action; averaged over frames as the actor.

    Args:
        key: JAX random key.
        input_size: width of the normalised observation and goal together.
        action_size: number of action components.
        hidden: widths of the hidden layers.
        frames: the history's frames.
    """

    network: MLP
    frames: Frames = eqx.field(static=True)

    def __init__(
        self,
        key: Array,
        input_size: int,
        action_size: int,
        hidden: tuple[int, ...],
        frames: Frames = ONE_FRAME,
    ) -> None:
        self.frames = frames
        self.network = MLP(key, (frames.input_size(input_size) + action_size, *hidden, 1))

    def __call__(self, x: Array, action: Array) -> Array:
        """Values (...) for normalised inputs (..., input_size) and actions (..., action_size)."""
        if self.frames.number == 1:
            return self.network(jnp.concatenate([x, action], axis=-1))[..., 0]
        x = self.frames.split(x)
        action = jnp.broadcast_to(action[..., None, :], (*x.shape[:-1], action.shape[-1]))
        return self.network(jnp.concatenate([x, action], axis=-1))[..., 0].mean(axis=-1)
