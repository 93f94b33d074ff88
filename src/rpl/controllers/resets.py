"""How controllers want to be told that episodes begin, by the signature of their ``reset``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Literal

import numpy as np

from rpl.controllers.contract import Answer, Answering, ControllerError, Source
from rpl.observations import Observation

Kind = Literal["nothing", "mask", "ids", "observation"]
KINDS: dict[str, Kind] = {
    **dict.fromkeys(
        ("mask", "reset_mask", "env_mask", "done", "dones", "episode_start", "episode_starts"),
        "mask",
    ),
    **dict.fromkeys(
        ("env_ids", "env_id", "env_idx", "envs_idx", "ids", "idx", "indices", "env_indices"), "ids"
    ),
    **dict.fromkeys(
        ("observation", "obs", "ob", "first_observation", "initial_observation"), "observation"
    ),
}
"""What a parameter of ``reset`` is given, by its name; the names that robot libraries use."""
ONLY = {"nothing": (), "mask": (np.ones(1, bool),), "ids": (np.zeros(1, int),), None: ()}
"""What a reset is given of the only environment."""
METHODS = ("reset", "start_episode")
POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def positional(function: Source, optional: bool = False) -> list[str]:
    """Names of the positional parameters that must be given, or of those that may be too."""
    return [
        p.name
        for p in _parameters(function)
        if p.kind in POSITIONAL and (optional or p.default is p.empty)
    ]


def _keyword_only(function: Source) -> list[str]:
    """Names of the parameters that must be given, and by name."""
    return [
        p.name for p in _parameters(function) if p.kind == p.KEYWORD_ONLY and p.default is p.empty
    ]


def _parameters(function: Source) -> list[inspect.Parameter]:
    """The parameters of a function; none where it does not say them."""
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return []


def reset_of(controller: Source) -> Callable[..., object] | None:
    """The method that tells a controller where episodes begin; None without one."""
    holders = (controller, controller.__self__ if inspect.ismethod(controller) else None)
    methods = (getattr(one, name, None) for one in holders for name in METHODS)
    return next((method for method in methods if callable(method)), None)


def reset_kind(controller: Source) -> Kind | None:
    """What its reset is to be given; None without one.

    Raises:
        ControllerError: if that cannot be told from the names of its parameters.
    """
    reset = reset_of(controller)
    if reset is None:
        return None
    by_name = _keyword_only(reset)
    required = positional(reset) + by_name
    for name in required or positional(reset, optional=True):
        if name in KINDS:
            break
    else:
        if not required:
            return "nothing"
        name = required[0]
    if name not in KINDS or len(required) > 1 or by_name:
        raise ControllerError(
            f"its reset({', '.join(required)}) cannot be called, since nothing says what is meant: "
            "write reset() for the memory of one environment, reset(observation) to be told the "
            "episode's first one, or, for a controller of batches, reset(mask) with a bool or "
            "reset(env_ids) with a number for each environment whose episode begins"
        )
    return KINDS[name]


class ByMask:
    """A controller of batches that is reset in its own words: by mask or by numbers.

    Args:
        act: from batches of observations to actions.
        controller: which has the reset.
    """

    def __init__(self, act: Answering, controller: Source) -> None:
        self._act, self._reset = act, reset_of(controller)
        self._by_ids = reset_kind(controller) == "ids"

    def __call__(self, observation: Observation) -> Answer:
        """As the controller."""
        return self._act(observation)

    def reset(self, mask: np.ndarray) -> None:
        """Tells it which of its environments begin episodes."""
        assert self._reset is not None
        self._reset(np.flatnonzero(mask) if self._by_ids else mask)


class OfOne:
    """A controller with the memory of one environment, reset as it wants to be.

    Args:
        act: from one observation to an action.
        controller: which has the reset.
    """

    def __init__(self, act: Answering, controller: Source) -> None:
        self._act, self._reset = act, reset_of(controller)
        self._kind = reset_kind(controller)
        self._begins = False

    def __call__(self, observation: Observation) -> Answer:
        """As the controller."""
        if self._begins:
            self._begins = False
            assert self._reset is not None
            self._reset(observation)
        return self._act(observation)

    def reset(self) -> None:
        """An episode begins: tells it at once, or with the observation that comes first."""
        if self._kind == "observation":
            self._begins = True
        elif self._reset is not None:
            self._reset(*ONLY[self._kind])
