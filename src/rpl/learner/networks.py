"""Actors and critics: three hidden layers of 256 ReLU units (paper, V-C)."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from rpl.errors import InvalidValue
from rpl.learner.mlp import MLP, ONE_FRAME, Frames


class Graph(Protocol):
    """A graph that a policy is exported to; see ``rpl.deploy.export``."""

    def add(self, kind: str, *inputs: str, to: str | None = None, **attributes: object) -> str: ...

    def mean(self, parts: list[str]) -> str: ...


class Actor(eqx.Module):
    """f(s, g): the residual, or the action when learning from scratch, in [-1, 1].

    Over a history, the mean of what one network says of each frame: for two frames
    0.5 (f(s1) + f(s2)).

    Args:
        input_size: width of the normalised observation and goal together.
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
        input_size: width of the normalised observation and goal together.
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
        input_size: width of the normalised observation and goal together.
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
