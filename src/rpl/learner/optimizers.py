"""Adam for the actor, the critic and the temperature, made from the configuration."""

from __future__ import annotations

from typing import TypeVar

import equinox as eqx
import optax
from jax.typing import ArrayLike

from rpl.config import LearnerConfig

Module = TypeVar("Module")


def actor_optimizer(config: LearnerConfig) -> optax.GradientTransformation:
    """The actor's."""
    return _adam(config.actor_learning_rate, config.learning_rate_halving)


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
    gradient: object,
) -> tuple[Module, optax.OptState]:
    """One step against the gradient."""
    updates, optimizer_state = optimizer.update(gradient, optimizer_state, module)  # type: ignore[arg-type]
    return eqx.apply_updates(module, updates), optimizer_state


def _adam(rate: float, halving: float | None) -> optax.GradientTransformation:
    return optax.adam(lambda step: rate * step_size_factor(step, halving))


def step_size_factor(step: ArrayLike, halving: float | None) -> ArrayLike:
    """What a learning rate is multiplied by after ``step`` gradient steps."""
    return 1.0 if halving is None else 1.0 / (1.0 + step / halving)
