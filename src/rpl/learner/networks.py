"""Actors and critics: three hidden layers of 256 ReLU units (paper, V-C)."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from rpl.errors import InvalidValue

NORM_EPSILON = 1e-5  # beside the variance of a layer, as in every framework


class MLP(eqx.Module):
    """A fully connected network on batches, with ReLU between its layers.

    Weights are Xavier uniform and biases zero.

    Args:
        key: JAX random key.
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


class Graph(Protocol):
    """A graph that a policy is exported to; see ``rpl.deploy.export``."""

    def add(self, kind: str, *inputs: str, to: str | None = None, **attributes: Any) -> str: ...

    def mean(self, parts: list[str]) -> str: ...


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

    def explore(self, x: Array, noise: Array) -> Array:
        """Disturbed actions, f(s, g) + noise, not clipped."""
        return self(x) + noise

    def to_onnx(self, graph: Graph, outputs: list[str]) -> str:
        """Greedy actions of the network's outputs, one for each frame."""
        return graph.mean([graph.add("Tanh", output) for output in outputs])


LOG_STD_BOUNDS = (-5.0, 1.0)  # of a squashed Gaussian; beyond 1 it only piles up at the bounds


class GaussianActor(eqx.Module):
    """A squashed Gaussian over actions, a = tanh(mu + sigma z) with z ~ N(0, I) (SAC).

    Its greedy action is tanh(mu), zero at the start under ``zero_last``. Over a history, mu
    and log sigma are the means of what one network says of each frame.

    Args:
        key: JAX random key.
        input_size: width of the normalised observation and goal together.
        action_size: number of action components.
        hidden: widths of the hidden layers.
        zero_last: start at mu = 0 and sigma = ``initial_std`` everywhere.
        initial_std: sigma where the network says nothing; between 0.007 and 2.7.
        frames: the history's frames.
    """

    network: MLP
    initial_std: float = eqx.field(static=True)
    frames: Frames = eqx.field(static=True)

    def __init__(
        self,
        key: Array,
        input_size: int,
        action_size: int,
        hidden: tuple[int, ...],
        zero_last: bool,
        initial_std: float,
        frames: Frames = ONE_FRAME,
    ) -> None:
        low, high = LOG_STD_BOUNDS
        if not low < math.log(initial_std) < high:
            raise InvalidValue(
                f"--learner.initial-std must lie between {math.exp(low):.3f} and "
                f"{math.exp(high):.1f}, not at {initial_std}"
            )
        self.initial_std = initial_std
        self.frames = frames
        sizes = (frames.input_size(input_size), *hidden, 2 * action_size)
        self.network = MLP(key, sizes, zero_last)

    @property
    def action_size(self) -> int:
        """Number of action components."""
        return self.network.biases[-1].shape[0] // 2

    def distribution(self, x: Array) -> tuple[Array, Array]:
        """mu and log sigma, each (..., action_size)."""
        if self.frames.number == 1:
            out = self.network(x)
        else:
            out = self.network(self.frames.split(x)).mean(axis=-2)
        mean, spread = jnp.split(out, 2, axis=-1)
        low, high = LOG_STD_BOUNDS
        start = math.atanh(2.0 * (math.log(self.initial_std) - low) / (high - low) - 1.0)
        return mean, low + 0.5 * (high - low) * (1.0 + jnp.tanh(spread + start))

    def __call__(self, x: Array) -> Array:
        """Greedy actions (..., action_size) for normalised inputs (..., input_size)."""
        return jnp.tanh(self.distribution(x)[0])

    def explore(self, x: Array, noise: Array) -> Array:
        """Actions of its distribution, tanh(mu + sigma noise)."""
        return self.sample(x, noise)[0]

    def to_onnx(self, graph: Graph, outputs: list[str]) -> str:
        """Greedy actions of the network's first outputs, one for each frame."""
        return graph.add("Tanh", graph.mean(outputs))

    def sample(self, x: Array, z: Array) -> tuple[Array, Array]:
        """Actions (..., action_size) of standard normal ``z``, and their log densities (...).

        log pi(a) = sum_i log N(u_i; mu_i, sigma_i) - log(1 - tanh(u_i)^2), with u = mu + sigma z
        and 1 - tanh(u)^2 = 4 / (e^u + e^-u)^2.
        """
        mean, log_std = self.distribution(x)
        u = mean + jnp.exp(log_std) * z
        normal = -0.5 * jnp.square(z) - log_std - 0.5 * math.log(2.0 * math.pi)
        squash = 2.0 * (math.log(2.0) - u - jax.nn.softplus(-2.0 * u))
        return jnp.tanh(u), (normal - squash).sum(axis=-1)


class Critic(eqx.Module):
    """Q(s, g, a): the expected discounted return of an action; averaged over frames as the actor.

    Args:
        key: JAX random key.
        input_size: width of the normalised observation and goal together.
        action_size: number of action components.
        hidden: widths of the hidden layers.
        frames: the history's frames.
        layer_norm: normalise the hidden layers.
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
        layer_norm: bool = False,
    ) -> None:
        self.frames = frames
        sizes = (frames.input_size(input_size) + action_size, *hidden, 1)
        self.network = MLP(key, sizes, layer_norm=layer_norm)

    def __call__(self, x: Array, action: Array) -> Array:
        """Values (...) for normalised inputs (..., input_size) and actions (..., action_size)."""
        if self.frames.number == 1:
            return self.network(jnp.concatenate([x, action], axis=-1))[..., 0]
        x = self.frames.split(x)
        action = jnp.broadcast_to(action[..., None, :], (*x.shape[:-1], action.shape[-1]))
        return self.network(jnp.concatenate([x, action], axis=-1))[..., 0].mean(axis=-1)


class Critics(eqx.Module):
    """One critic, or several whose least value counts (clipped double Q-learning, TD3)."""

    members: tuple[Critic, ...]

    @staticmethod
    def create(key: Array, count: int, make: Callable[[Array], Critic]) -> Critics:
        """``count`` critics, each from a key of its own."""
        keys = [key, *(jax.random.fold_in(key, i) for i in range(1, count))]
        return Critics(tuple(make(k) for k in keys))

    @property
    def first(self) -> Critic:
        """Q_1, which the actor maximises in TD3."""
        return self.members[0]

    def each(self, x: Array, action: Array) -> Array:
        """Every critic's values, (critics, ...)."""
        return jnp.stack([member(x, action) for member in self.members])

    def __call__(self, x: Array, action: Array) -> Array:
        """The least of the members' values, (...)."""
        return functools.reduce(jnp.minimum, [member(x, action) for member in self.members])
