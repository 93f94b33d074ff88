"""What can be set of a controller, within which bounds, and the controller with other values.

The settings are a dataclass's fields, or a function's or class's arguments, that have a default.
Whoever wrote the controller says in the annotation which of them may be searched, and where:

    gain: Annotated[float, (0.5, 50.0)] = 10.0             # a number between two
    grasp: Annotated[str, ("top", "side")] = "top"         # one of some values

Where no annotation says so, every ``float`` above 0 is searched from a tenth to ten times of it.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, get_args, get_type_hints

from rpl.controllers.contract import ControllerError, Source
from rpl.controllers.resets import positional, reset_of

Value = float | int | bool | str
Values = Mapping[str, Value]
FACTOR = 10.0  # either way, where nobody says how far to look


@dataclass(frozen=True)
class Setting:
    """A setting and where to look for better values: between two numbers, or among some values."""

    default: Value
    choices: tuple[Value, ...] = ()
    """Empty for numbers."""
    low: float = -math.inf
    high: float = math.inf

    @property
    def by_factor(self) -> bool:
        """Whether values are as far apart as their ratio says."""
        return self.low > 0.0 and not self.choices


def settings_of(source: Source) -> dict[str, Setting]:
    """The settings of a controller that can be searched, by name.

    Args:
        source: a controller, or what makes one, in any form of ``rpl.controllers.adapt``.

    Raises:
        ControllerError: if it has none, or a default lies outside of what is declared for it.
    """
    known = list(_with_defaults(source))
    found = {
        name: _declared(name, annotation, given, default)
        for name, annotation, default in known
        if (given := _range(annotation))
    }
    if not found:
        found = {
            name: Setting(default, low=default / FACTOR, high=default * FACTOR)
            for name, _, default in known
            if isinstance(default, float) and 0.0 < default < math.inf
        }
    if not found:
        raise ControllerError(
            "the controller has no setting to search: give its function, class or dataclass an "
            "argument with a default and bounds, as in gain: Annotated[float, (0.5, 50.0)] = 10.0"
        )
    return found


def _with_defaults(source: Source) -> Iterator[tuple[str, Any, Any]]:
    """Name, annotation and default of what can be set."""
    if dataclasses.is_dataclass(source) and not isinstance(source, type):
        hints = get_type_hints(type(source), include_extras=True)
        for field in dataclasses.fields(source):
            if field.init:
                yield field.name, hints[field.name], getattr(source, field.name)
        return
    try:
        parameters = inspect.signature(source, eval_str=True).parameters.values()
    except (TypeError, ValueError, NameError):  # not of Python, or annotated with what is not there
        return
    for one in parameters:
        if one.default is not one.empty:
            yield one.name, one.annotation, one.default


def _range(annotation: Any) -> tuple[Any, ...] | None:
    """What an annotation says of where to look; None if nothing."""
    extras = getattr(annotation, "__metadata__", ())
    lists = (tuple(extra) for extra in extras if isinstance(extra, (tuple, list)))
    return next((values for values in lists if len(values) > 1), None)


def _declared(name: str, annotation: Any, given: tuple[Any, ...], default: Any) -> Setting:
    kind = get_args(annotation)[0]
    _check_declared(name, kind, given)
    if kind in (float, int):  # the annotation's kind: of a gain, 10 is a number like 10.5
        low, high = given[0], given[-1]
        if kind is int:
            low, high = math.ceil(low), math.floor(high)
        setting, fits = Setting(kind(default), low=low, high=high), low <= default <= high
    else:
        setting, fits = Setting(default, given), default in given
    if not fits:
        raise ControllerError(
            f"the setting {name} is {default!r}, outside of the {given} that is declared for it"
        )
    return setting


def _check_declared(name: str, kind: object, given: tuple[object, ...]) -> None:
    """Refuses what cannot be searched.

    Raises:
        ControllerError: naming the setting.
    """
    if odd := [value for value in given if not isinstance(value, (bool, int, float, str))]:
        raise ControllerError(
            f"{odd[0]!r} is declared for the setting {name}: declare numbers, texts, True or False"
        )
    if kind not in (float, int):
        return
    ends = [value for value in given if isinstance(value, (int, float)) and math.isfinite(value)]
    if len(ends) < len(given) or not given[0] < given[-1]:  # type: ignore[operator]
        raise ControllerError(
            f"the bounds {given} are declared for the setting {name}: declare two finite numbers, "
            "the lower one first"
        )


def with_settings(source: Source, values: Values) -> Source:
    """The controller, or what makes it, with these values in place of its own.

    Raises:
        ControllerError: if it has no such settings, or refuses the values.
    """
    known = {name for name, _, _ in _with_defaults(source)}
    if unknown := sorted(values.keys() - known):
        there = ", ".join(sorted(known)) or "none"
        raise ControllerError(
            f"the controller has no setting {', '.join(unknown)}; those it has: {there}"
        )
    try:
        if dataclasses.is_dataclass(source) and not isinstance(source, type):
            return dataclasses.replace(source, **values)
        if dataclasses.is_dataclass(source) and not positional(source):
            return source(**values)
    except ValueError as error:
        said = ", ".join(f"{name}={value!r}" for name, value in values.items())
        raise ControllerError(f"the controller refuses {said}: {error}") from error
    bound = partial(source, **values)
    if not isinstance(source, type) and (reset := reset_of(source)) is not None:
        bound.__dict__["reset"] = reset  # which is copied with the object that it is of
    return bound
