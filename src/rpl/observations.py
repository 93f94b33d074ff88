"""Observations in batches, arrays or mappings of arrays alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

GOAL_PARTS = ("observation", "achieved_goal", "desired_goal")
"""What an observation of a task with goals has; it may have more."""


def rows(observation: Any) -> list[Any]:
    """The observations of a batch, one by one."""
    if not isinstance(observation, Mapping):
        return list(observation)
    count = len(next(iter(observation.values())))
    return [{name: part[i] for name, part in observation.items()} for i in range(count)]


def batch_of_one(observation: Any) -> Any:
    """One observation as a batch."""
    if isinstance(observation, Mapping):
        return {name: np.asarray(part)[None] for name, part in observation.items()}
    return np.asarray(observation)[None]


def read_only(observation: Any) -> Any:
    """Views of an observation's arrays that refuse to be written into."""
    if isinstance(observation, Mapping):
        return {name: read_only(part) for name, part in observation.items()}
    view = np.asarray(observation).view()
    view.flags.writeable = False
    return view


def reset_mask(options: dict[str, Any] | None, num_envs: int) -> np.ndarray:
    """``options["reset_mask"]`` as (num_envs,) bool; without one all are reset.

    Raises:
        ValueError: if it has another shape.
    """
    mask = np.asarray((options or {}).get("reset_mask", np.ones(num_envs)), bool)
    if mask.shape != (num_envs,):
        raise ValueError(f"reset_mask has shape {mask.shape}, expected ({num_envs},)")
    return mask


def as_goal_observation(observation: Any) -> dict[str, np.ndarray]:
    """The three arrays the learner sees; a plain observation has goals of width 0."""
    if isinstance(observation, Mapping):
        return {name: observation[name] for name in GOAL_PARTS}
    empty = np.zeros((len(observation), 0))
    return {"observation": observation, "achieved_goal": empty, "desired_goal": empty}
