"""Settings as ``config.json`` holds them: written, read back and compared."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")

# What changes speed or length, but no number on the way there; except that products of a single
# row may be rounded otherwise than those of many, where --num-envs is 1.
FREE = frozenset({"config.num_threads", "config.num_envs", "config.steps"})
# Settings that are no more, with the value at which they changed nothing.
RETIRED = {
    "config.learner.action_l2_relative": False,
    "config.learner.action_l2_least": 0.0,
}


class Difference(NamedTuple):
    """A setting that two records do not share; None where one does not know it."""

    name: str
    """With dots: ``config.learner.discount``."""
    had: Any
    wanted: Any
    known: bool
    """Whether the second record has such a setting."""


def as_record(options: Any) -> dict[str, Any]:
    """Options for ``config.json``; what a controller gets from its task is not among them."""
    return {
        field.name: getattr(options, field.name)
        for field in dataclasses.fields(options)
        if field.name not in ("layout", "task")
    }


def read_back(usual: T, record: Mapping[str, Any]) -> T:
    """Options, nested or not, as ``config.json`` records them.

    Args:
        usual: says what the settings are, and the values of those that the record lacks; what
            has been retired since is left out.
        record: from JSON.
    """
    values = {}
    for field in dataclasses.fields(usual):  # type: ignore[arg-type]
        if field.name not in record:
            continue
        value, default = record[field.name], getattr(usual, field.name)
        if dataclasses.is_dataclass(default):
            value = read_back(default, value)
        elif isinstance(value, list):
            value = tuple(value)
        values[field.name] = value
    return dataclasses.replace(usual, **values)  # type: ignore[type-var]


def differences(
    had: Mapping[str, Any],
    wanted: Mapping[str, Any],
    usual: Mapping[str, Any],
    free: Collection[str] = FREE,
) -> Iterator[Difference]:
    """What two records set differently, in alphabetical order.

    Args:
        had: the record, which may be older than some settings.
        wanted: the record it is held to.
        usual: the values that settings had before they could be set.
        free: names of settings that may differ.
    """
    first, second, before = flat(had), flat(wanted), flat(usual)
    for name in sorted(first.keys() | second.keys()):
        value, should = first.get(name, before.get(name)), second.get(name, RETIRED.get(name))
        if name not in free and value != should:
            yield Difference(name, value, should, name in second)


def flat(record: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A nested record with dotted names, as JSON would give its values back."""
    values = {}
    for name, value in record.items():
        if isinstance(value, Mapping):
            values |= flat(value, f"{prefix}{name}.")
        else:
            values[prefix + name] = json.loads(json.dumps(value))
    return values
