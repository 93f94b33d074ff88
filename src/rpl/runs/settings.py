"""Settings as ``config.json`` holds them: written, read back and compared."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar, cast, get_type_hints

from typeguard import CollectionCheckStrategy, TypeCheckError, check_type

from rpl.errors import InvalidValue
from rpl.settings import Settings

Options = TypeVar("Options", bound=Settings)

# What changes speed or length, but no number on the way there; except that products of a single
# row may be rounded otherwise than those of many, where --num-envs is 1. Of files of prior data
# the checksum counts, not where they lie.
FREE = frozenset({"config.num_threads", "config.num_envs", "config.steps", "config.replay.prior"})
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


def read_back(defaults: Options, record: Mapping[str, object], *, strict: bool = False) -> Options:
    """Options, nested or not, as ``config.json`` records them.

    Args:
        defaults: says what the settings are, and the values of those that the record lacks; what
            has been retired since is left out.
        record: from JSON.
        strict: refuse names that are no settings.

    Raises:
        InvalidValue: if a value is of another type than its setting, or cannot be.
    """
    hints, values = get_type_hints(type(defaults), include_extras=True), {}
    names = {field.name for field in dataclasses.fields(defaults)}
    if strict and (unknown := record.keys() - names):
        raise InvalidValue(f"there is no setting {', '.join(sorted(unknown))}")
    for name in names & record.keys():
        default = getattr(defaults, name)
        if dataclasses.is_dataclass(default) and isinstance(record[name], Mapping):
            values[name] = read_back(cast(Options, default), cast(Any, record[name]), strict=strict)
        else:
            values[name] = _of_type(name, _as_python(record[name]), hints[name])
    return dataclasses.replace(defaults, **values)


def _as_python(value: object) -> object:
    """JSON's lists as tuples."""
    if isinstance(value, Mapping):
        return {name: _as_python(part) for name, part in value.items()}
    return tuple(map(_as_python, value)) if isinstance(value, list) else value


def _of_type(name: str, value: object, hint: object) -> object:
    """The value, if a setting of this type can have it."""
    # To Python a truth value is a number too; to whoever reads a record it is none.
    wrong = isinstance(value, bool) and "bool" not in str(hint)
    try:
        check_type(value, hint, collection_check_strategy=CollectionCheckStrategy.ALL_ITEMS)
    except TypeCheckError:
        wrong = True
    if wrong and hint is not Any:
        raise InvalidValue(f"{name} is {value!r}, which is not of its type")
    return value


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
