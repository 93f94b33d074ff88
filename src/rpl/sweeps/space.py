"""What a sweep tries: options of ``rpl train`` over values or ranges, as words say it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from rpl.errors import InvalidValue
from rpl.settings import Record

if TYPE_CHECKING:
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    Distribution = CategoricalDistribution | FloatDistribution | IntDistribution

Values = Record
"""What a trial sets: a word or a number by the option's name."""
MOST_POINTS = 1000  # that are tried one by one, none twice
NO_SETTINGS = {"out", "seeds", "resume", "overwrite", "num-threads", "track"}
FLAGS = {"true": "", "false": "no-"}
HOW = "write NAME=A,B,C for values, NAME=LOW..HIGH for a range, NAME=log:LOW..HIGH for a wide one"


def space_of(over: Iterable[str]) -> dict[str, Distribution]:
    """The space that is searched, of words such as ``residual.scale=0.25,0.5``.

    Ranges between whole numbers have whole numbers; both ends belong to them.

    Raises:
        InvalidValue: if one says nothing of the kind, or the same option comes twice.
    """
    space = {}
    for word in over:
        option, _, said = word.partition("=")
        name = option.lstrip("-")
        if not name or not said or name in space:
            raise InvalidValue(f"--over {word} says no values of one option: {HOW}")
        if name.replace("_", "-") in NO_SETTINGS:
            raise InvalidValue(f"--over {word}: --{name} is no setting of a run, as seed is")
        space[name] = _range(word, said) if ".." in said else _choice(said)
    if not space:
        raise InvalidValue(f"a sweep needs --over: {HOW}")
    return space


def _choice(said: str) -> Distribution:
    from optuna.distributions import CategoricalDistribution

    return CategoricalDistribution(tuple(dict.fromkeys(said.split(","))))


def _range(word: str, said: str) -> Distribution:
    from optuna.distributions import FloatDistribution, IntDistribution

    ends, log = said.removeprefix("log:").split(".."), said.startswith("log:")
    try:
        if all(end.lstrip("-").isdigit() for end in ends):
            return IntDistribution(*map(int, ends), log=log)
        low, high = map(float, ends)
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ValueError("an end is not a finite number")
        return FloatDistribution(low, high, log=log)
    except (TypeError, ValueError) as error:
        raise InvalidValue(f"--over {word} is no range ({error}): {HOW}") from error


def points_of(space: Mapping[str, Distribution]) -> list[Values] | None:
    """Every combination, where there are not too many of them."""
    values = [_values(distribution) for distribution in space.values()]
    if not all(values) or math.prod(map(len, values)) > MOST_POINTS:
        return None
    return [dict(zip(space, point, strict=True)) for point in itertools.product(*values)]


def has_range(space: Mapping[str, Distribution]) -> bool:
    """Whether there are more than values that somebody has named."""
    return any(hasattr(distribution, "low") for distribution in space.values())


def _values(distribution: Distribution) -> Sequence[object]:
    """All values that there are; none of a range between numbers with fractions."""
    from optuna.distributions import FloatDistribution, IntDistribution

    if isinstance(distribution, FloatDistribution):
        return ()
    if isinstance(distribution, IntDistribution):
        return range(distribution.low, distribution.high + 1)
    return distribution.choices


def corners(space: Mapping[str, Distribution]) -> Iterator[Values]:
    """One option at a time: each of its values, or both ends of its range."""
    for name, distribution in space.items():
        yield from ({name: value} for value in _ends(distribution))


def _ends(distribution: Distribution) -> Sequence[object]:
    """Its values, or both ends of its range."""
    from optuna.distributions import CategoricalDistribution

    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices
    return distribution.low, distribution.high


def words_of(values: Values) -> list[str]:
    """The words of ``rpl train`` that set the values."""
    words = []
    for name, value in values.items():
        if value in FLAGS:
            group, dot, option = name.rpartition(".")
            words.append(f"--{group}{dot}{FLAGS[value]}{option}")
        else:
            words += [f"--{name}", *str(value).split()]
    return words
