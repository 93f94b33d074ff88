"""Observations in batches, arrays or mappings of arrays alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np

Arrays = dict[str, np.ndarray]
Observation = Any
"""What a task observes, of one environment or of a batch: an array, or a mapping of arrays."""
OBSERVATION, DESIRED_GOAL, BASE_ACTION = "observation", "desired_goal", "base_action"
ACHIEVED_GOAL = "achieved_goal"
SIMULATOR_STATE = "simulator_state"  # for planners, which continue the simulation
GOAL_PARTS = (OBSERVATION, ACHIEVED_GOAL, DESIRED_GOAL)
"""What an observation of a task with goals has; it may have more."""


def rows(observation: Observation) -> list[Observation]:
    """The observations of a batch, one by one."""
    if not isinstance(observation, Mapping):
        return list(observation)
    count = len(next(iter(observation.values())))
    return [{name: part[i] for name, part in observation.items()} for i in range(count)]


def batch_of_one(observation: Observation) -> Observation:
    """One observation as a batch."""
    if isinstance(observation, Mapping):
        return {name: np.asarray(part)[None] for name, part in observation.items()}
    return np.asarray(observation)[None]


def read_only(observation: Observation) -> Observation:
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


@dataclass(frozen=True)
class Seen:
    """What a learner is shown of a task's observations: named parts, side by side in their order.

    A plain observation is the one part ``observation``; of a task with goals the desired goal
    comes last. Every other vector of numbers is shown too, but the achieved goal, which says
    nothing that the observation does not, and the simulator's state, which planners ask for.
    """

    sizes: Mapping[str, int]
    """The width of each part, in their order."""

    @staticmethod
    def of(space: gymnasium.Space, base_action_size: int = 0) -> Seen:
        """What is shown of the observations of a space.

        Args:
            space: of one environment.
            base_action_size: numbers of the base action, where the learner sees it; else 0.
        """
        parts = space.spaces if isinstance(space, gymnasium.spaces.Dict) else {OBSERVATION: space}
        others = [name for name in parts if name not in (*GOAL_PARTS, SIMULATOR_STATE)]
        shown = {
            name: width_of(parts[name])
            for name in (OBSERVATION, *others)
            if name in parts and len(parts[name].shape or ()) == 1
        }
        if base_action_size:
            shown[BASE_ACTION] = base_action_size
        if DESIRED_GOAL in parts:
            shown[DESIRED_GOAL] = width_of(parts[DESIRED_GOAL])
        return Seen(shown)

    @property
    def width(self) -> int:
        """Numbers in all parts together."""
        return sum(self.sizes.values())

    @property
    def goal_size(self) -> int:
        """Width of a goal; 0 without goals."""
        return self.sizes.get(DESIRED_GOAL, 0)

    @property
    def beside_frames(self) -> int:
        """Numbers that belong to no frame of a history: all but the part ``observation``."""
        return self.width - self.sizes[OBSERVATION]

    def __call__(self, observation: Observation, base_action: np.ndarray | None = None) -> Arrays:
        """The parts of a batch of a task's observations, each (n, size) float32."""
        given = (
            dict(observation) if isinstance(observation, Mapping) else {OBSERVATION: observation}
        )
        if base_action is not None:
            given[BASE_ACTION] = base_action
        with np.errstate(over="ignore"):  # what no float32 can hold is not finite either
            return {name: np.asarray(given[name], np.float32) for name in self.sizes}


def width_of(space: gymnasium.Space) -> int:
    """Numbers in a vector of a space; 0 where there are none."""
    return (space.shape or (0,))[0]


def size_of(observation: Observation) -> int:
    """How many observations a batch holds."""
    parts = observation.values() if isinstance(observation, Mapping) else [observation]
    return len(next(iter(parts)))


def rows_finite(observation: Observation) -> np.ndarray:
    """Which observations of a batch hold finite numbers only, (n,) bool."""
    parts = observation.values() if isinstance(observation, Mapping) else [observation]
    flat = [np.isfinite(part).reshape(len(part), -1) for part in parts]
    return np.all(np.concatenate(flat, axis=1), axis=1)
