"""A custom controller's settings in its name: ``module:controller(gain=2.0)``."""

from __future__ import annotations

import ast
import re

from rpl.errors import InvalidValue
from rpl.settings import Record

WITH_SETTINGS = re.compile(r"([A-Za-z_][\w.]*:[A-Za-z_][\w.]*)(\(.*\))")


def settings_in(name: str) -> tuple[str, Record]:
    """A controller's name without its settings, and the settings.

    Raises:
        InvalidValue: if what stands in the brackets is no settings.
    """
    split = WITH_SETTINGS.fullmatch(name)
    if split is None:
        return name, {}
    bare, brackets = split.groups()
    try:
        call = ast.parse(f"f{brackets}", mode="eval").body
        if isinstance(call, ast.Call) and not call.args:
            return bare, {str(one.arg): ast.literal_eval(one.value) for one in call.keywords}
    except (SyntaxError, ValueError):
        pass
    raise InvalidValue(f"{name} must have plain settings in brackets, as in {bare}(gain=2.0)")


def named_with(name: str, values: Record) -> str:
    """A custom controller's name with settings, those it names already included."""
    bare, before = settings_in(name)
    said = ", ".join(f"{key}={value!r}" for key, value in {**before, **values}.items())
    return f"{bare}({said})" if said else bare
