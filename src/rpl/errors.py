"""What can go wrong through no fault of the code: each message says what to do."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path


class Failure(Exception):
    """Something that a user can mend; on the command line one sentence and exit code 1."""


class UsageError(Failure):
    """A command that cannot be meant as it was given; exit code 2."""


class InvalidValue(UsageError, ValueError):
    """A setting that cannot be."""


class UnreadableFile(Failure, ValueError):
    """A file that is not what it should be."""


def frames_of_own_code(error: BaseException) -> list[traceback.FrameSummary]:
    """Where an error came through code that is neither ours nor installed, outermost first."""
    libraries = map(sysconfig.get_path, ("stdlib", "platstdlib", "purelib", "platlib"))
    installed = [Path(__file__).parent, *map(Path, libraries)]
    return [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_file()
        and not any(Path(frame.filename).is_relative_to(place) for place in installed)
    ]
