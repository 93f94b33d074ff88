"""Objects of robot-learning libraries as functions of an observation.

| what it is | what answers |
|---|---|
| something that can be called | itself |
| an object with one of METHODS | that method; with ``deterministic=True`` where it takes that |
| a ``torch.nn.Module`` | its method of METHODS, else its ``forward``; it gets tensors |
"""

from __future__ import annotations

import contextlib
import copy
import inspect
import random
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from rpl.controllers.contract import Answer, Answering, ControllerError, Source
from rpl.observations import Observation, map_parts

METHODS = ("predict", "select_action", "get_action", "act_inference", "act")
"""Under which names policies of other libraries answer an observation, the first one first."""


def answer_of(source: Source) -> Answering:
    """What of an object answers an observation.

    Raises:
        ControllerError: if nothing does.
    """
    network = is_network(source)
    if callable(source) and not network:
        return _deterministic(source)
    for name in METHODS:
        method = getattr(source, name, None)
        if callable(method):
            takes_arrays = name == "predict" or not network
            return _deterministic(method) if takes_arrays else OfTensors(method, source)
    if network:
        return OfTensors(source, source)
    methods = [name for name, _ in inspect.getmembers(source, callable) if name[0] != "_"]
    hint = f"; it has {', '.join(methods[:8])}: name the one that acts, module:object.method"
    raise ControllerError(
        f"an object of class {type(source).__name__} cannot be called, and has no method "
        f"{', '.join(METHODS[:-1])} or {METHODS[-1]}{hint if methods else ''}"
    )


def is_network(source: Source) -> bool:
    """Whether it is a module of PyTorch, which nobody here imports."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(source, torch.nn.Module)


def _deterministic(function: Callable[..., Answer]) -> Answering:
    """What can be asked not to draw its action is asked that; see ``Predicting`` of a state."""
    try:
        names = inspect.signature(function).parameters.keys()
    except (TypeError, ValueError):
        return function
    if "deterministic" not in names or inspect.isclass(function):
        return function
    return Predicting(function) if "state" in names else partial(function, deterministic=True)


class Predicting:
    """``predict(observation, state, episode_start, deterministic)`` of Stable-Baselines3.

    What it returns as state, if anything, is handed back to it in the next step.
    """

    def __init__(self, predict: Callable[..., Answer]) -> None:
        self._predict = predict

    def __call__(self, observation: Observation) -> Answer:
        """The action alone, of one observation or of a batch."""
        return self._predict(observation, deterministic=True)

    def is_recurrent(self, observation: Observation) -> bool:
        """Whether it returns a state for an observation."""
        returned = self(observation)
        return isinstance(returned, tuple) and len(returned) == 2 and returned[1] is not None


class Recurrent:
    """The same of a recurrent policy: its state is kept here, and the model is never copied."""

    def __init__(self, predicting: Predicting) -> None:
        self._predict, self._state = predicting._predict, None
        self._begins = np.ones(1, bool)

    def __call__(self, observation: Observation) -> Answer:
        """Actions of a batch."""
        begins, self._begins = self._begins, np.zeros(len(self._begins), bool)
        action, self._state = self._predict(
            observation, state=self._state, episode_start=begins, deterministic=True
        )
        return action

    def reset(self, mask: np.ndarray) -> None:
        """Episodes begin in the environments of ``mask``."""
        if len(mask) != len(self._begins):
            self._state, self._begins = None, np.ones(len(mask), bool)
        self._begins = self._begins | mask


class OfTensors:
    """A network of PyTorch, called with tensors of its own type and device, without gradients."""

    def __init__(self, act: Callable[..., Answer], network: Source) -> None:
        self._act, self.network = act, network

    def __call__(self, observation: Observation) -> Answer:
        """What the network answers, as an array."""
        torch = sys.modules["torch"]
        first = next((p for p in self.network.parameters() if p.is_floating_point()), None)
        device = None if first is None else first.device
        dtype = torch.get_default_dtype() if first is None else first.dtype

        def tensor(part: Any) -> Any:
            made = torch.tensor(np.array(part), device=device)
            return made.to(dtype) if made.is_floating_point() else made

        self.network.eval()
        with torch.no_grad():
            return self._act(map_parts(tensor, observation))


def copied(controller: Source) -> Source:
    """A copy with a memory and random numbers of its own, sharing the weights of networks.

    Raises:
        ControllerError: if it cannot be copied.
    """
    memo: dict[int, Any] = {id(weight): weight for weight in _weights(controller)}
    for one in _parts(controller):
        if (other := _other_numbers(one)) is not None:
            memo[id(one)] = other
    try:
        return copy.deepcopy(controller, memo)
    except Exception as error:
        raise ControllerError(
            "the controller remembers one environment, and cannot be copied for each of them "
            f"({type(error).__name__}: {error}): give a class, or a function of env, that makes one"
        ) from error


def _other_numbers(source: Source) -> Source:
    """A source of random numbers that draws others than this one; None of anything else."""
    if isinstance(source, np.random.Generator):
        with contextlib.suppress(TypeError):  # of a bit generator that nothing was seeded by
            return source.spawn(1)[0]
    if isinstance(source, np.random.RandomState):
        return np.random.RandomState(source.randint(2**31))
    return random.Random(source.random()) if isinstance(source, random.Random) else None


def has_weights(controller: Source) -> bool:
    """Whether it is or holds a network of PyTorch."""
    return any(map(is_network, _parts(controller)))


def _weights(controller: Source) -> Iterator[Source]:
    for part in filter(is_network, _parts(controller)):
        yield from part.parameters()


def _parts(controller: Source) -> Iterator[Source]:
    """A controller, the object of a method, and what they hold."""
    for one in (controller, getattr(controller, "__self__", None)):
        yield one
        yield from getattr(one, "__dict__", {}).values()
