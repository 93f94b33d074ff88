"""What tells one algorithm from another; each is a file that has all of these names.

A new one is its file, ``rpl/learner/<name>.py``, and a row in ``rpl.presets.LEARNERS``.
"""

from __future__ import annotations

import importlib
from typing import Any, NamedTuple, Protocol, cast

import equinox as eqx
import jax
from jax import Array
from jax.typing import ArrayLike

from rpl.config import LearnerConfig
from rpl.learner.judge import Judge
from rpl.learner.mlp import Frames
from rpl.learner.networks import Actor, GaussianActor
from rpl.learner.state import LearnerState

Metrics = dict[str, Array]


class ActorStep(NamedTuple):
    """What a step of the actor goes by."""

    judge: Judge
    x: Array
    """Normalised inputs, (batch, width)."""
    action_l2: ArrayLike
    """The penalty's weight as of now."""
    key: Array
    """For the noise of SAC's actions."""


class Algorithm(Protocol):
    """A way to improve an actor by critics."""

    @property
    def METRICS(self) -> tuple[str, ...]:
        """What ``improve_actor`` reports besides ``actor_loss``: columns of ``metrics.csv``."""
        ...

    def make_actor(
        self, key: Array, input_size: int, action_size: int, config: LearnerConfig, frames: Frames
    ) -> Actor | GaussianActor:
        """A fresh actor."""
        ...

    def make_extra(self, config: LearnerConfig) -> Any:
        """What is learned besides, at the start; None if nothing is."""
        ...

    def next_value(
        self, config: LearnerConfig, state: LearnerState, judge: Judge, next_x: Array, key: Array
    ) -> Array:
        """Q'(s', g, a') of the algorithm's own a', (batch,)."""
        ...

    def is_bounded(self, config: LearnerConfig) -> bool:
        """Whether values are returns, which have the task's bounds."""
        ...

    def improve_actor(
        self, config: LearnerConfig, state: LearnerState, step: ActorStep
    ) -> tuple[LearnerState, Metrics]:
        """One gradient step of the actor, and of what is learned besides."""
        ...


def algorithm_of(config: LearnerConfig) -> Algorithm:
    """The algorithm that a configuration names."""
    return cast(Algorithm, importlib.import_module(f"rpl.learner.{config.algorithm}"))


def arrays(module: object) -> Any:
    """What an optimiser sees of a module."""
    return eqx.filter(module, eqx.is_array)


def polyak(target: object, learned: object, old: float) -> Any:
    """A target network, one step nearer to what it follows."""
    return jax.tree.map(lambda slow, fast: old * slow + (1.0 - old) * fast, target, learned)
