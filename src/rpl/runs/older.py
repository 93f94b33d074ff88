"""What checkpoints of older versions say, as this one says it."""

from __future__ import annotations

import io
from typing import cast

import equinox as eqx
import jax.numpy as jnp

from rpl.learner import LearnerState
from rpl.learner.normalizer import Normalizer
from rpl.observations import DESIRED_GOAL
from rpl.settings import Record
from rpl.training.trust import FULL


def with_degrees(progress: Record) -> Record:
    """The run's progress, with trust as degrees where it was a yes or no and a count."""
    if "trusted" in progress:
        unharmed = progress.pop("unharmed", 0)
        progress["trust"] = FULL if progress.pop("trusted") else min(unharmed, FULL)
    return progress


def of_format_0(file: io.BytesIO, like: LearnerState) -> LearnerState:
    """A learner whose goals had a normaliser of their own, after that of all else."""
    goal = dict(like.sizes).get(DESIRED_GOAL, 0)
    width = sum(size for _, size in like.sizes)
    apart = Normalizer.create(width - goal), Normalizer.create(goal)
    older = eqx.tree_at(lambda s: s.normalizer, like, apart)
    read = eqx.tree_deserialise_leaves(file, older)
    first, second = cast(tuple[Normalizer, Normalizer], read.normalizer)
    together = Normalizer(
        first.count,
        jnp.concatenate([first.mean, second.mean]),
        jnp.concatenate([first.squared_deviation, second.squared_deviation]),
    )
    return eqx.tree_at(lambda s: s.normalizer, read, together)
