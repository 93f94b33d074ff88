"""What can go wrong through no fault of the code: each message says what to do."""

from __future__ import annotations

import contextlib
import errno
import math
import numbers
import os
import sysconfig
import traceback
from collections.abc import Callable, Iterator, Mapping
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
        is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
        if value is not None and not (is_number and fits(value)):
            raise InvalidValue(f"{name} must be {must_be}, not {value}")


def at_least_0(value: float) -> bool:
    """Whether it is a finite number, 0 or more."""
    return 0.0 <= value < math.inf


def above_0(value: float) -> bool:
    """Whether it is a finite number above 0."""
    return 0.0 < value < math.inf


class UnreadableFile(Failure, ValueError):
    """A file that is not what it should be."""


def is_installed(file: Path) -> bool:
    """Whether a file of code is ours, or belongs to an installed package or to Python."""
    libraries = map(sysconfig.get_path, ("stdlib", "platstdlib", "purelib", "platlib"))
    places = [Path(__file__).parent, *map(Path, libraries)]
    return any(file.is_relative_to(place) for place in places)


def frames_of_user_code(error: BaseException) -> list[traceback.FrameSummary]:
    """Where an error came through code that is neither ours nor installed, outermost first."""
    return [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_file() and not is_installed(Path(frame.filename))
    ]


def described(error: Exception) -> str:
    """What went wrong, and the lines of somebody's own code that the error came through."""
    if isinstance(error, Failure):
        return str(error)
    frames = [] if isinstance(error, SyntaxError) else frames_of_user_code(error)
    message = "".join(traceback.format_exception_only(error)).strip()
    return "\n".join([message, *("".join(traceback.format_list(frames)).rstrip(),) * bool(frames)])


class RunError(Failure):
    """A run folder cannot be used as asked; the message says what to do."""


class CannotWrite(RunError):
    """A file or folder that cannot be written; the message names it and says what to do."""

    def __init__(self, path: Path, error: OSError, what_next: str | None = None) -> None:
        reason = error.strerror or str(error).partition("\n")[0]
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        advice = (what_next or "free some space there, or choose another place") if full else None
        advice = advice or "choose another place"
        super().__init__(f"cannot write to {path}: {reason}; {advice}")


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Where to write what is to become a file: it appears whole, or the older one stays.

    Args:
        path: the file, which may be a link to it; its folder is made if missing.

    Yields:
        A path beside it, of the same suffix.

    Raises:
        CannotWrite: if the file cannot be written, as on a full disk.
    """
    target = path.resolve()
    beside = target.with_name(f".{target.stem}.{os.getpid()}.new{target.suffix}")
    _unfinished.add(beside)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield beside
        _settle(beside, target)
    except OSError as error:
        raise CannotWrite(path, error) from error
    finally:
        _discard(beside)


_unfinished: set[Path] = set()
"""What ``whole_file`` has handed out."""


def discard_unfinished() -> None:
    """Deletes what is being written, where a process ends at once."""
    for path in list(_unfinished):
        _discard(path)


def _discard(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
    _unfinished.discard(path)


def _settle(new: Path, place: Path) -> None:
    """Gives a written file its place, so that it is there after the power fails too."""
    with open(new, "rb") as file:
        os.fsync(file.fileno())
    os.replace(new, place)
    sync_folder(place.parent)


def sync_folder(folder: Path) -> None:
    """Puts what a folder lists on the disk: a rename alone may be forgotten."""
    with contextlib.suppress(OSError):  # some file systems know no such thing
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
