"""Settings as ``config.json`` holds them: written, read back and compared."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple, TypeVar

from rpl.config import Settings

Options = TypeVar("Options", bound=Settings)

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
    recorded: object
    expected: object
    known: bool
    """Whether the second record has such a setting."""


def as_record(options: Settings | None) -> dict[str, object]:
    """Options for ``config.json``; what a controller gets from its task is not among them."""
    if options is None:
        return {}
    return {
        field.name: getattr(options, field.name)
        for field in dataclasses.fields(options)
        if field.name not in ("layout", "task")
    }


def read_back(defaults: Options, record: Mapping[str, object]) -> Options:
    """Options, nested or not, as ``config.json`` records them.

    Args:
        defaults: says what the settings are, and the values of those that the record lacks; what
            has been retired since is left out.
        record: from JSON.
    """
    values = {}
    for field in dataclasses.fields(defaults):
        if field.name not in record:
            continue
        value, default = record[field.name], getattr(defaults, field.name)
        if isinstance(value, Mapping):
            value = read_back(default, value)
        elif isinstance(value, list):
            value = tuple(value)
        values[field.name] = value
    return dataclasses.replace(defaults, **values)


def differences(
    recorded: Mapping[str, object],
    expected: Mapping[str, object],
    defaults: Mapping[str, object],
    free: Collection[str] = FREE,
) -> Iterator[Difference]:
    """What two records set differently, in alphabetical order.

    Args:
        recorded: the record, which may be older than some settings.
        expected: the record it is held to.
        defaults: the values that settings had before they could be set.
        free: names of settings that may differ.
    """
    first, second, before = flat(recorded), flat(expected), flat(defaults)
    for name in sorted(first.keys() | second.keys()):
        value, should = first.get(name, before.get(name)), second.get(name, RETIRED.get(name))
        if name not in free and value != should:
            yield Difference(name, value, should, name in second)


def flat(record: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """A nested record with dotted names, as JSON would give its values back."""
    values: dict[str, object] = {}
    for name, value in record.items():
        if isinstance(value, Mapping):
            values |= flat(value, f"{prefix}{name}.")
        else:
            values[prefix + name] = json.loads(json.dumps(value))
    return values
