"""``rpl watch``: a viewer window, or a film without a screen."""

from __future__ import annotations
from collections.abc import Callable


def command_for(arguments: list[str]) -> Callable[..., int]:
    def watch() -> int:
        return 0

    return watch
