"""What settings are made of: plain values, checked with the names of their options."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, fields
from numbers import Real
from operator import attrgetter
from typing import Any, ClassVar, Protocol, cast

import numpy as np

from rpl.errors import InvalidValue, check_settings

Record = dict[str, Any]
"""Values by name, as JSON keeps them: of a run, of a row of its metrics, of an outcome."""
LARGEST_SEED = 2**63
MOST_THREADS = 1024


class Settings(Protocol):
    """Options that go together: an instance of some dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


class PlainValues:
    """Settings as JSON takes them: no NumPy, and whole numbers where they belong."""

    def __post_init__(self) -> None:
        """Makes Python's numbers and tuples of whatever was given.

        Raises:
            InvalidValue: if a number is given where another kind of value belongs, or the reverse.
        """
        for one in fields(cast(Any, self)):
            value = getattr(self, one.name)
            given = value.tolist() if isinstance(value, (np.generic, np.ndarray)) else value
            given = tuple(given) if isinstance(given, list) else given
            object.__setattr__(self, one.name, _of_kind(one.name, given, _kind_of(one.type)))


def _kind_of(hint: object) -> str:
    """A type as it is written, whether the module's annotations are strings or not."""
    return hint.__name__ if isinstance(hint, type) else str(hint)


def _of_kind(name: str, value: object, kind: str) -> object:
    """The value, where a setting of a kind can have it; 3.0 is a whole number too."""
    option = f"--{name.replace('_', '-')}"
    if isinstance(value, float) and kind.startswith("int"):
        if not value.is_integer():
            raise InvalidValue(f"{option} must be a whole number, not {value}")
        return int(value)
    numeric = kind.removesuffix(" | None") in ("int", "float")
    left_open = value is None and kind.endswith("None")
    if numeric and not left_open and (isinstance(value, bool) or not isinstance(value, Real)):
        raise InvalidValue(f"{option} must be a number, not {value!r}")
    if isinstance(value, bool) and "float" in kind:
        raise InvalidValue(f"{option} must be a number, not {value!r}")
    if kind == "bool" and not isinstance(value, bool):
        raise InvalidValue(f"{option} must be True or False, not {value!r}")
    return value


Limits = dict[str, tuple[Callable[[float], bool], str]]
"""What settings can be, in words, with a test of it and the names of the settings."""


def check_limits(settings: object, limits: Limits) -> None:
    """Refuses settings that cannot be.

    Raises:
        InvalidValue: naming the option and what it may be.
    """
    for must_be, (fits, names) in limits.items():
        values = {name: attrgetter(name)(settings) for name in names.split()}
        values = {f"--{name.replace('_', '-')}": value for name, value in values.items()}
        check_settings(values, fits, must_be)


def check_widths(widths: Mapping[str, Sequence[int]]) -> None:
    """Refuses layers without units, by the names of their options.

    Raises:
        InvalidValue: naming the option.
    """
    for name, layers in widths.items():
        if not isinstance(layers, tuple) or not layers:
            raise InvalidValue(f"{name} must be at least 1, for one layer or more, not {layers!r}")
        for width in layers:
            check_settings({name: width}, lambda value: value >= 1, "at least 1")
            if not isinstance(width, int):
                raise InvalidValue(f"{name} must be a whole number, not {width}")
