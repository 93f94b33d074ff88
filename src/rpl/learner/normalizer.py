"""Running mean and standard deviation of what the networks see."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike


class Normalizer(eqx.Module):
    """Standardises observations with statistics gathered so far.

    The standard deviation is at least ``std_floor``, and the result is clipped to
    +-``output_clip`` (appendix B). Before anything else inputs are clipped, to keep what an
    exploding simulation says from the statistics: to +-``input_clip`` as published, or, where
    observations are in a unit in which they are larger, as many standard deviations from their
    mean. Before any data it passes observations through.
    """

    count: Array
    mean: Array
    squared_deviation: Array
    input_clip: float = eqx.field(static=True, default=200.0)
    output_clip: float = eqx.field(static=True, default=5.0)
    std_floor: float = eqx.field(static=True, default=0.01)

    @staticmethod
    def create(size: int) -> Normalizer:
        """A normaliser of ``size`` components without data."""
        return Normalizer(jnp.zeros(()), jnp.zeros(size), jnp.zeros(size))

    def updated(self, data: ArrayLike) -> Normalizer:
        """With the rows of ``data`` (n, size) added.

        Chan's parallel form keeps float32 accurate where sums of squares would not be:
        M <- M + M_new + delta^2 * count * n / (count + n).
        """
        data = jnp.asarray(data)
        first = self.count == 0
        mean = jnp.where(first, data.mean(axis=0), self.mean)
        data = jnp.clip(data, *self._range(mean, jnp.where(first, data.std(axis=0), self.std)))
        n = data.shape[0]
        total = self.count + n
        mean = data.mean(axis=0)
        delta = mean - self.mean
        return Normalizer(
            total,
            self.mean + delta * (n / total),
            self.squared_deviation
            + jnp.square(data - mean).sum(axis=0)
            + jnp.square(delta) * (self.count * n / total),
            self.input_clip,
            self.output_clip,
            self.std_floor,
        )

    @property
    def std(self) -> Array:
        """(size,) standard deviations, floored; ones before any data."""
        variance = self.squared_deviation / jnp.maximum(self.count, 1.0)
        return jnp.where(self.count > 0, jnp.maximum(jnp.sqrt(variance), self.std_floor), 1.0)

    @property
    def input_range(self) -> tuple[Array, Array]:
        """(size,) each: to what inputs are clipped."""
        return self._range(self.mean, self.std)

    def _range(self, mean: Array, std: Array) -> tuple[Array, Array]:
        clip = self.input_clip
        return jnp.minimum(mean - clip * std, -clip), jnp.maximum(mean + clip * std, clip)

    def __call__(self, x: ArrayLike) -> Array:
        """Normalised rows, (..., size)."""
        x = jnp.clip(x, *self.input_range)
        return jnp.clip((x - self.mean) / self.std, -self.output_clip, self.output_clip)
