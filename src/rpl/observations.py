"""Observations in batches: arrays, or mappings and tuples of them, nested as they like."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np

from rpl.errors import InvalidValue

Arrays = dict[str, np.ndarray]
Observation = Any
"""What a task observes, of one environment or of a batch: an array, or mappings and tuples of
arrays."""
Info = dict[str, Any]
"""What an environment says beside its observation, by name."""
OBSERVATION, DESIRED_GOAL, BASE_ACTION = "observation", "desired_goal", "base_action"
ACHIEVED_GOAL = "achieved_goal"
WITH_GOAL = "; give it the task's dict, with the desired_goal"
"""What to do about an observation without one, at the end of a sentence."""
SIMULATOR_STATE = "simulator_state"  # for planners, which continue the simulation
WHOLE = "whole"  # for controllers: all that an environment observes, where learners see a choice
GOAL_PARTS = (OBSERVATION, ACHIEVED_GOAL, DESIRED_GOAL)
"""What an observation of a task with goals has; it may have more."""


def map_parts(function: Callable[..., Any], *observations: Observation) -> Observation:
    """Applies a function to every array of an observation, or to those of several alike."""
    first = observations[0]
    if isinstance(first, Mapping):
        return {name: map_parts(function, *(o[name] for o in observations)) for name in first}
    if isinstance(first, tuple):
        return tuple(map_parts(function, *parts) for parts in zip(*observations, strict=True))
    return function(*observations)


def in_form(observation: Observation, space: gymnasium.Space) -> Observation:
    """An observation with a tuple where its space has one; Gymnasium lets lists stand there."""
    inner = getattr(space, "spaces", None)
    if isinstance(inner, Mapping) and isinstance(observation, Mapping):
        return {
            name: in_form(part, inner[name]) if name in inner else part
            for name, part in observation.items()
        }
    if isinstance(inner, tuple) and isinstance(observation, (list, tuple)):
        fits = len(inner) == len(observation)
        return tuple(map(in_form, observation, inner)) if fits else observation
    return observation


def arrays_of(observation: Observation) -> list[Observation]:
    """The arrays of an observation, in the order of its parts."""
    found: list[Observation] = []
    map_parts(found.append, observation)
    return found


def rows(observation: Observation) -> list[Observation]:
    """The observations of a batch, one by one."""
    return _rows(observation, size_of(observation))


def _rows(observation: Observation, n: int) -> list[Observation]:
    """The ``n`` rows, part by part and not row by row: a function asked of each is asked often."""
    if isinstance(observation, Mapping):
        parts = zip(*(_rows(part, n) for part in observation.values()), strict=True)
        return [dict(zip(observation, row, strict=True)) for row in parts] or [{}] * n
    if isinstance(observation, tuple):
        return list(zip(*(_rows(part, n) for part in observation), strict=True)) or [()] * n
    return list(observation)


def row_of(observation: Observation, i: int) -> Observation:
    """One observation of a batch."""
    return map_parts(lambda part: part[i], observation)


def batch_of_one(observation: Observation) -> Observation:
    """One observation as a batch."""
    return map_parts(lambda part: np.asarray(part)[None], observation)


def is_single(observation: Observation, space: gymnasium.Space) -> bool:
    """Whether it is one observation of a space, and not a batch of them.

    Raises:
        ValueError: if it is neither, by its first part.
    """
    inner = getattr(space, "spaces", None)
    if inner is not None:
        name = _first_part(observation, inner)
        return is_single(observation[name], inner[name])
    shape, expected = _shape_of(observation), space.shape or ()
    more = -1 if shape is None else len(shape) - len(expected)
    if shape is None or more not in (0, 1) or shape[:1] == (0,):
        what = f"a {type(observation).__name__}" if shape is None else f"of shape {shape}"
        raise InvalidValue(f"the observation is {what}: give one, {expected}, or a batch of them")
    return more == 0


def _first_part(observation: Observation, spaces: Observation) -> Observation:
    """The first part of a space with something in it that an observation has."""
    if isinstance(spaces, Mapping):
        names, said = list(spaces), f"a dict of {', '.join(spaces)}"
        there = observation if isinstance(observation, Mapping) else ()
    else:
        names, said = list(range(len(spaces))), f"{len(spaces)} parts"
        fits = isinstance(observation, tuple) and len(observation) == len(spaces)
        there = names if fits else ()
    empty = [name for name in names if getattr(spaces[name], "spaces", None) in ({}, ())]
    for name in names:
        if name in there and name not in empty:
            return name
    hint = WITH_GOAL if DESIRED_GOAL in names else ""
    raise InvalidValue(f"the observation is a {type(observation).__name__}, not {said}{hint}")


def _shape_of(observation: Observation) -> tuple[int, ...] | None:
    """The shape of what numbers or texts can be made of; None of anything else."""
    if observation is None or isinstance(observation, Mapping):
        return None
    try:
        return np.shape(observation)
    except ValueError:
        return None


def whole_of(observation: Observation) -> Observation:
    """What a controller is shown of a task's observations: all that the environment observes."""
    chosen = isinstance(observation, Mapping) and WHOLE in observation
    return observation[WHOLE] if chosen else observation


def read_only(observation: Observation) -> Observation:
    """Views of an observation's arrays that refuse to be written into."""

    def locked(part: Observation) -> np.ndarray:
        view = np.asarray(part).view()
        view.flags.writeable = False
        return view

    return map_parts(locked, observation)


def reset_mask(options: Info | None, num_envs: int) -> np.ndarray:
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
    nothing that the observation does not, the simulator's state, which planners ask for, and the
    whole observation of an environment, which controllers get where learners see a choice of it.
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
        others = [name for name in parts if name not in (*GOAL_PARTS, SIMULATOR_STATE, WHOLE)]
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
    return len(arrays_of(observation)[0])


def rows_finite(observation: Observation) -> np.ndarray:
    """Which observations of a batch hold finite numbers only, (n,) bool."""
    finite = np.ones(size_of(observation), bool)
    for part in map(np.asarray, arrays_of(observation)):
        if part.dtype.kind in "fc":
            finite &= np.isfinite(part).reshape(len(part), -1).all(axis=1)
    return finite


def with_base_action(observation: Observation, base_action: np.ndarray) -> Observation:
    """The observation with the base action at its end, of one or many environments."""
    if isinstance(observation, Mapping):
        inner = with_base_action(observation["observation"], base_action)
        return {**observation, "observation": inner}
    observation = np.asarray(observation)
    return np.concatenate([observation, base_action.astype(observation.dtype)], axis=-1)


def space_with_base_action(space: gymnasium.Space, actions: gymnasium.Space) -> gymnasium.Space:
    """The space of what ``with_base_action`` returns.

    Args:
        space: of one environment's observations: a Box, or a Dict with a Box "observation".
        actions: of one environment.

    Raises:
        ValueError: if observations are not rows of floats.
    """
    if isinstance(space, gymnasium.spaces.Dict) and OBSERVATION in space.spaces:
        inner = space_with_base_action(space["observation"], actions)
        return gymnasium.spaces.Dict({**space.spaces, "observation": inner})
    is_box = isinstance(space, gymnasium.spaces.Box)
    if not is_box or len(space.shape) != 1 or not np.issubdtype(space.dtype, np.floating):
        raise InvalidValue(f"the base action cannot stand beside observations of {space}")
    boundless = np.full(actions.shape or (), np.inf)  # a controller need not be clipped
    low, high = np.append(space.low, -boundless), np.append(space.high, boundless)
    dtype: Any = space.dtype
    return gymnasium.spaces.Box(low.astype(dtype), high.astype(dtype), dtype=dtype)
