"""A learned model of a task: an ensemble of probabilistic networks (paper, appendix A.5).

As in Chua et al. (2018): each network says with what mean and variance an observation will
change; each is trained on its own bootstrap of the data, so that where there is little of
it the networks disagree.
"""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from rpl.errors import InvalidValue
from rpl.settings import PlainValues

FEWEST_ROWS = 1024  # data are padded to this or a larger power of two


@dataclass(frozen=True)
class ModelConfig(PlainValues):
    """The ensemble and its training; the defaults are the published ones for the pusher."""

    networks: int = 5
    """Members of the ensemble."""
    hidden: tuple[int, ...] = (200, 200, 200)
    """Widths of the hidden layers."""
    weight_decay: tuple[float, ...] = (2.5e-4, 5e-4, 5e-4, 7.5e-4)
    """Of each layer: the loss gains half of it times the squared weights."""
    bound_penalty: float = 0.01
    """How hard the learned bounds of the log-variance are pulled together."""
    learning_rate: float = 1e-3
    """Adam's learning rate."""
    decay: bool = False
    """Let the learning rate fall to zero in the course of each training; as published it stays."""
    batch_size: int = 32
    """Transitions a gradient step and network."""
    epochs: int = 5
    """Passes over all data at each training."""


class Ensemble(eqx.Module):
    """Networks side by side: weights (networks, in, out) and biases (networks, 1, out)."""

    weights: list[Array]
    biases: list[Array]
    min_log_variance: Array
    """(outputs,) soft bounds, learned and shared by the networks."""
    max_log_variance: Array
    input_mean: Array
    """(inputs,) statistics of the data, not learned by gradient."""
    input_std: Array

    def __call__(self, x: Array) -> tuple[Array, Array]:
        """Means and log-variances, (networks, n, outputs), for inputs (networks, n, inputs)."""
        x = (x - self.input_mean) / self.input_std
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            x = jax.nn.swish(x @ weight + bias)
        mean, log_variance = jnp.split(x @ self.weights[-1] + self.biases[-1], 2, axis=-1)
        return mean, soft_clip(log_variance, self.min_log_variance, self.max_log_variance)


class Model(NamedTuple):
    """An ensemble and its optimiser's state: training continues from both."""

    ensemble: Ensemble
    optimizer: optax.OptState


def soft_clip(x: Array, low: Array, high: Array) -> Array:
    """x between the bounds, smoothly: low + softplus(high - softplus(high - x) - low)."""
    x = high - jax.nn.softplus(high - x)
    return low + jax.nn.softplus(x - low)


def create(key: Array, observation_size: int, action_size: int, config: ModelConfig) -> Model:
    """An untrained model; weights are truncated normal of standard deviation 1 / (2 sqrt(in)).

    Raises:
        ValueError: if there is not one weight decay per layer.
    """
    sizes = (observation_size + action_size, *config.hidden, 2 * observation_size)
    if len(config.weight_decay) != len(sizes) - 1:
        raise InvalidValue(
            f"weight_decay has {len(config.weight_decay)} entries for {len(sizes) - 1} layers"
        )
    keys = jax.random.split(key, len(sizes) - 1)
    ensemble = Ensemble(
        weights=[
            jax.random.truncated_normal(k, -2, 2, (config.networks, fan_in, fan_out))
            / (2 * np.sqrt(fan_in))
            for k, fan_in, fan_out in zip(keys, sizes[:-1], sizes[1:], strict=True)
        ],
        biases=[jnp.zeros((config.networks, 1, width)) for width in sizes[1:]],
        min_log_variance=jnp.full(observation_size, -10.0, jnp.float32),
        max_log_variance=jnp.full(observation_size, 0.5, jnp.float32),
        input_mean=jnp.zeros(sizes[0]),
        input_std=jnp.ones(sizes[0]),
    )
    return Model(ensemble, _optimizer(config).init(eqx.filter(ensemble, eqx.is_array)))


def _optimizer(config: ModelConfig) -> optax.GradientTransformation:
    return optax.adam(config.learning_rate)


def loss(ensemble: Ensemble, x: Array, target: Array, config: ModelConfig) -> Array:
    """The networks' summed Gaussian likelihoods, weight decay, and the price of wide bounds.

    sum over networks of mean((mu - y)^2 / sigma^2 + log sigma^2), plus
    sum over layers of decay / 2 |W|^2, plus penalty * sum(max - min log-variance), for inputs
    ``x`` (networks, n, inputs) and the changes observed, ``target`` (networks, n, outputs).
    """
    mean, log_variance = ensemble(x)
    error = jnp.square(mean - target) * jnp.exp(-log_variance) + log_variance
    decay = sum(
        0.5 * factor * jnp.sum(jnp.square(weight))
        for factor, weight in zip(config.weight_decay, ensemble.weights, strict=True)
    )
    width = jnp.sum(ensemble.max_log_variance - ensemble.min_log_variance)
    return jnp.sum(jnp.mean(error, axis=(1, 2))) + decay + config.bound_penalty * width


def fit(
    model: Model,
    observation: np.ndarray,
    action: np.ndarray,
    next_observation: np.ndarray,
    generator: np.random.Generator,
    config: ModelConfig,
) -> tuple[Model, float]:
    """Trains on all transitions, continuing from the model as it is.

    Args:
        observation: (n, observation_size)
        action: (n, action_size)
        next_observation: (n, observation_size)
        generator: draws each network's bootstrap and its order.

    Returns:
        The new model, and the mean squared error of its means on these transitions.
    """
    x = np.concatenate([observation, action], axis=1).astype(np.float32)
    change = (next_observation - observation).astype(np.float32)
    # In double precision, in which the deviation of a constant is as good as zero; in single
    # precision it is not, and dividing by it blows up the noise of the model's own predictions.
    mean, std = x.mean(axis=0, dtype=np.float64), x.std(axis=0, dtype=np.float64)
    std = np.where(std < 1e-9, 1.0, std)
    model = model._replace(
        ensemble=eqx.tree_at(
            lambda e: (e.input_mean, e.input_std),
            model.ensemble,
            (jnp.asarray(mean, jnp.float32), jnp.asarray(std, jnp.float32)),
        )
    )
    batches = bootstrap(len(x), generator, config)
    count = len(batches)
    # Sizes that double keep the number of compilations small while the data grow.
    arrays = (_padded(x), _padded(change), _padded(batches))
    model = _descend(config, model, *map(jnp.asarray, arrays), count)
    return model, float(_squared_error(model.ensemble, arrays[0], arrays[1], len(x)))


def bootstrap(count: int, generator: np.random.Generator, config: ModelConfig) -> np.ndarray:
    """Rows to learn from, (steps, networks, batch): each network draws with replacement once.

    The bootstrap is filled up to whole batches and shuffled anew for each epoch.
    """
    steps = -(-count // config.batch_size)
    drawn = generator.integers(count, size=(config.networks, steps * config.batch_size))
    epochs = [generator.permuted(drawn, axis=1) for _ in range(config.epochs)]
    shape = (config.epochs, config.networks, steps, config.batch_size)
    batches = np.stack(epochs).reshape(shape).transpose(0, 2, 1, 3)
    return batches.reshape(-1, config.networks, config.batch_size).astype(np.int32)


@partial(jax.jit, static_argnums=0)
def _descend(
    config: ModelConfig, model: Model, x: Array, change: Array, batches: Array, count: Array
) -> Model:
    optimizer = _optimizer(config)

    def step(i: Array, model: Model) -> Model:
        rows = batches[i]
        gradient = jax.grad(loss)(model.ensemble, x[rows], change[rows], config)
        # The statistics of the inputs are no parameters.
        gradient = eqx.tree_at(
            lambda e: (e.input_mean, e.input_std), gradient, replace_fn=jnp.zeros_like
        )
        updates, state = optimizer.update(gradient, model.optimizer)
        if config.decay:
            updates = jax.tree.map(lambda update: (1.0 - i / count) * update, updates)
        return Model(eqx.apply_updates(model.ensemble, updates), state)

    return jax.lax.fori_loop(0, count, step, model)


@jax.jit
def _squared_error(ensemble: Ensemble, x: Array, change: Array, count: Array) -> Array:
    rows = jnp.broadcast_to(x, (len(ensemble.weights[0]), *x.shape))
    squared = jnp.square(ensemble(rows)[0] - change).mean(axis=(0, 2))
    return jnp.where(jnp.arange(len(x)) < count, squared, 0.0).sum() / count


def _padded(rows: np.ndarray) -> np.ndarray:
    size = max(FEWEST_ROWS, 1 << (len(rows) - 1).bit_length())
    return np.concatenate([rows, np.zeros((size - len(rows), *rows.shape[1:]), rows.dtype)])
