"""A fully connected network, and how an input falls into frames that share one (paper, V-C)."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

NORM_EPSILON = 1e-5  # beside the variance of a layer, as in every framework


class MLP(eqx.Module):
    """A fully connected network on batches, with ReLU between its layers.

    Weights are Xavier uniform and biases zero.

    Args:
        sizes: input, hidden and output widths.
        zero_last: start with a zero last layer, so that the output is exactly zero
            (paper, IV-A).
        layer_norm: normalise every hidden layer before its ReLU.
    """

    weights: list[Array]
    biases: list[Array]
    scales: list[Array]
    """Of the normalised hidden layers; empty without normalisation, and so are the offsets."""
    offsets: list[Array]

    def __init__(
        self,
        key: Array,
        sizes: tuple[int, ...],
        zero_last: bool = False,
        layer_norm: bool = False,
    ) -> None:
        # NumPy draws at once what JAX would compile a program for, one for each shape.
        generator = np.random.default_rng(np.asarray(jax.random.key_data(key)))
        weights = [_xavier(generator, *sides) for sides in pairwise(sizes)]
        if zero_last:
            weights[-1] = np.zeros_like(weights[-1])
        normalised = sizes[1:-1] if layer_norm else ()
        self.weights = [jnp.asarray(weight) for weight in weights]
        self.biases = [jnp.asarray(np.zeros(width, np.float32)) for width in sizes[1:]]
        self.scales = [jnp.asarray(np.ones(width, np.float32)) for width in normalised]
        self.offsets = [jnp.asarray(np.zeros(width, np.float32)) for width in normalised]

    def __call__(self, x: Array) -> Array:
        """Outputs (..., sizes[-1]) for inputs (..., sizes[0])."""
        for i, (weight, bias) in enumerate(zip(self.weights[:-1], self.biases[:-1], strict=True)):
            x = x @ weight + bias
            if self.scales:
                x = self.scales[i] * standardised(x) + self.offsets[i]
            x = jax.nn.relu(x)
        return x @ self.weights[-1] + self.biases[-1]


def _xavier(generator: np.random.Generator, fan_in: int, fan_out: int) -> np.ndarray:
    """Weights (fan_in, fan_out), uniform with a variance of 2 / (fan_in + fan_out)."""
    bound = math.sqrt(6.0 / (fan_in + fan_out))
    return generator.uniform(-bound, bound, (fan_in, fan_out)).astype(np.float32)


def standardised(x: Array) -> Array:
    """Each row less its mean, over its standard deviation."""
    x = x - x.mean(axis=-1, keepdims=True)
    return x * jax.lax.rsqrt(jnp.square(x).mean(axis=-1, keepdims=True) + NORM_EPSILON)


class Frames(NamedTuple):
    """How an input falls into frames of a history that share one network (paper, V-C)."""

    number: int = 1
    shared_size: int = 0
    """Numbers at an input's end that stand beside every frame: the goal, and the controller's
    action where it is observed."""

    def input_size(self, size: int) -> int:
        """Width of one frame with what stands beside it, for inputs of width ``size``."""
        return (size - self.shared_size) // self.number + self.shared_size

    def split(self, x: Array) -> Array:
        """From (..., number * frame + shared) to (..., number, frame + shared)."""
        lead = x.shape[:-1]
        frames, shared = jnp.split(x, [x.shape[-1] - self.shared_size], axis=-1)
        shared = jnp.broadcast_to(shared[..., None, :], (*lead, self.number, self.shared_size))
        return jnp.concatenate([frames.reshape(*lead, self.number, -1), shared], axis=-1)


ONE_FRAME = Frames()
