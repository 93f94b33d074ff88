"""What can go wrong through no fault of the code: each message says what to do."""

from __future__ import annotations

import sysconfig
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path


class Failure(Exception):
    """Something that a user can mend; on the command line one sentence and exit code 1."""


class UsageError(Failure):
    """A command that cannot be meant as it was given; exit code 2."""


class InvalidValue(UsageError, ValueError):
    """A setting that cannot be."""


def check_settings(
    values: Mapping[str, float | None], fits: Callable[[float], bool], must_be: str
) -> None:
    """Refuses settings that cannot be; None was left open.

    Args:
        values: by the names under which they are set.
        fits: whether a value can be.
        must_be: the same in words.

    Raises:
        InvalidValue: naming the setting and what it may be.
    """
    for name, value in values.items():
        if value is not None and not fits(value):
            raise InvalidValue(f"{name} must be {must_be}, not {value}")


class UnreadableFile(Failure, ValueError):
    """A file that is not what it should be."""


def frames_of_user_code(error: BaseException) -> list[traceback.FrameSummary]:
    """Where an error came through code that is neither ours nor installed, outermost first."""
    libraries = map(sysconfig.get_path, ("stdlib", "platstdlib", "purelib", "platlib"))
    installed = [Path(__file__).parent, *map(Path, libraries)]
    return [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_file()
        and not any(Path(frame.filename).is_relative_to(place) for place in installed)
    ]


class RunError(Failure):
    """A run folder cannot be used as asked; the message says what to do."""
