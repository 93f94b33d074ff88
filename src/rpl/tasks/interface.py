"""What all tasks share of Gymnasium's vector interface: its types, seeds and actions."""

from collections.abc import Sequence
from typing import TypedDict

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode

from rpl.errors import InvalidValue

Observation = dict[str, np.ndarray]
METADATA = {"autoreset_mode": AutoresetMode.DISABLED, "action_dtype": np.float64}
"""Of every task: it never resets itself, and takes actions in double precision."""
Seed = int | Sequence[int | None] | None


class TaskKeywords(TypedDict, total=False):
    """What every task of the paper takes beside its options; see ``GoalTask``."""

    max_episode_steps: int
    num_threads: int
    render_mode: str | None
    simulator_state: bool


def checked_count(num_envs: int) -> int:
    """The number of environments; an InvalidValue if there is none."""
    if num_envs < 1:
        raise InvalidValue(f"num_envs must be at least 1, not {num_envs}")
    return num_envs


def checked_actions(actions: np.ndarray, space: gymnasium.Space) -> np.ndarray:
    """The actions as an array; a ValueError if their shape is not the space's."""
    actions = np.asarray(actions)
    if actions.shape != space.shape:
        raise ValueError(f"actions have shape {actions.shape}, expected {space.shape}")
    return actions


def seed_each(seed: Seed, count: int) -> Sequence[int | None]:
    """A seed for each environment; s, s + 1, ... of a single integer s."""
    if seed is None:
        return [None] * count
    seeds = [seed + i for i in range(count)] if isinstance(seed, (int, np.integer)) else list(seed)
    if len(seeds) != count:
        raise ValueError(f"{len(seeds)} seeds were given for {count} environments")
    return seeds
