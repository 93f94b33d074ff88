"""Whether a controller draws at random, or remembers: both answer one observation twice."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from rpl.controllers.contract import Source

GENERATORS = (np.random.Generator, np.random.RandomState, random.Random)
DEPTH, MOST = 8, 5000  # of objects within objects, and of objects in all
PLAIN = (int, float, complex, str, bytes, bool, type(None), np.ndarray, np.generic, type)


def draws_at_random(ask: Callable[[], object], source: Source) -> bool:
    """Whether asking moves a generator of random numbers: a global one, or one within reach.

    Args:
        source: the controller, in which generators are looked for.
    """
    inside = list(_generators(source))
    before = _states(inside)
    ask()
    return before != _states(inside)


def _states(generators: list[Any]) -> list[str]:
    """The states of generators, those of NumPy, Python and PyTorch among them, as texts."""
    states = [repr(np.random.get_state()), repr(random.getstate())]  # noqa: NPY002
    torch = sys.modules.get("torch")
    if torch is not None:
        states.append(repr(torch.get_rng_state().numpy().tobytes()))
    for generator in generators:
        if isinstance(generator, np.random.Generator):
            states.append(repr(generator.bit_generator.state))
        elif isinstance(generator, np.random.RandomState):
            states.append(repr(generator.get_state()))
        else:
            states.append(repr(generator.getstate()))
    return states


def _generators(thing: object, depth: int = DEPTH, met: set[int] | None = None) -> Iterator[object]:
    """Generators that an object holds, or that a function sees."""
    met = set() if met is None else met
    if id(thing) in met or len(met) > MOST or isinstance(thing, PLAIN):
        return
    met.add(id(thing))
    if isinstance(thing, GENERATORS):
        yield thing
    elif depth:
        for inner in _within(thing):
            yield from _generators(inner, depth - 1, met)


def _within(thing: object) -> Iterator[object]:
    """What an object refers to, without calling anything of it."""
    if isinstance(thing, (list, tuple, set)):
        yield from thing
    elif isinstance(thing, dict):
        yield from thing.values()
    code = getattr(thing, "__code__", None)
    if code is not None:
        known = getattr(thing, "__globals__", {})
        yield from (known[name] for name in code.co_names if name in known)
        for cell in getattr(thing, "__closure__", None) or ():
            yield from _contents(cell)
    bound = getattr(thing, "__self__", None)
    if bound is not None:
        yield bound
        yield getattr(thing, "__func__", None)
    yield from getattr(thing, "__dict__", {}).values() if not _is_module(thing) else ()
    if callable(thing) and code is None:
        yield type(thing).__call__


def _contents(cell: Any) -> Iterator[object]:
    try:
        yield cell.cell_contents
    except ValueError:  # empty as yet
        return


def _is_module(thing: object) -> bool:
    return isinstance(thing, type(sys))
