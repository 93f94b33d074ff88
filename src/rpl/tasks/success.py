"""What an environment says of success."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rpl.errors import InvalidValue

NAMES = ("is_success", "success")
"""Of an info's entry; where the first says None the second counts."""


def reported(info: Mapping[str, object]) -> Any:
    """What an info says of success, of one environment or of several; None if nothing."""
    return next((info[name] for name in NAMES if info.get(name) is not None), None)


def succeeded(info: Mapping[str, object]) -> bool | None:
    """Whether one environment has succeeded; None if its info says nothing.

    Raises:
        InvalidValue: if it says neither yes nor no.
    """
    said = reported(info)
    if said is None:
        return None
    number = np.asarray(said)
    if number.size != 1 or number.dtype.kind not in "biuf" or number.item() not in (0, 1):
        name = next(name for name in NAMES if info.get(name) is not None)
        raise InvalidValue(f"info['{name}'] is {said!r}: let it be True or False")
    return bool(number.item())
