"""Adam for the actor, the critic and the temperature, made from the configuration."""

from __future__ import annotations

from typing import Any, TypeVar

import equinox as eqx
import jax.numpy as jnp
import optax
from jax.typing import ArrayLike

from rpl.config import LearnerConfig

Module = TypeVar("Module")


def actor_optimizer(config: LearnerConfig) -> optax.GradientTransformation:
    """The actor's."""
    halving, warm_up = config.learning_rate_halving, config.actor_warm_up
    return _adam(config.actor_learning_rate, halving, warm_up)


def critic_optimizer(config: LearnerConfig) -> optax.GradientTransformation:
    """The critics'."""
    return _adam(config.critic_learning_rate, config.learning_rate_halving)


def temperature_optimizer(config: LearnerConfig) -> optax.GradientTransformation:
    """That of SAC's temperature."""
    return _adam(config.temperature_learning_rate, config.learning_rate_halving)


def descend(
    optimizer: optax.GradientTransformation,
    module: Module,
    optimizer_state: optax.OptState,
    gradient: Any,
) -> tuple[Module, optax.OptState]:
    """One step against the gradient."""
    updates, optimizer_state = optimizer.update(gradient, optimizer_state, module)  # type: ignore[arg-type]
    return eqx.apply_updates(module, updates), optimizer_state


def _adam(rate: float, halving: float | None, warm_up: int = 0) -> optax.GradientTransformation:
    return optax.adam(lambda step: rate * step_size_factor(step, halving, warm_up))


def step_size_factor(step: ArrayLike, halving: float | None, warm_up: int) -> ArrayLike:
    """What a step size is multiplied by after ``step`` gradient steps: a rise, then a decay."""
    factor = 1.0 if halving is None else 1.0 / (1.0 + step / halving)
    return factor * jnp.minimum(1.0, (step + 1) / warm_up) if warm_up else factor
