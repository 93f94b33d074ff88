"""Folders that hold something already: continued, replaced, or left alone, as was asked."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from rpl.errors import RunError, UsageError


def refuse_unclear(path: Path, what: str, there: bool, resume: bool, overwrite: bool) -> None:
    """Refuses to continue and to replace at once, and to continue what is not there.

    Args:
        what: the folder is for, one word: "run".
        there: whether it holds one.

    Raises:
        UsageError: if both were asked for.
        RunError: if there is nothing to resume.
    """
    if resume and overwrite:
        raise UsageError(f"--resume continues a {what} and --overwrite deletes it: leave out one")
    if resume and not there:
        raise RunError(f"{path} holds no {what} to resume; leave out --resume to start one")


def refuse_held(path: Path, what: str) -> NoReturn:
    """Refuses a folder that is to be neither continued nor replaced.

    Raises:
        RunError: always.
    """
    raise RunError(
        f"{path} holds a {what} already: --resume continues it, --overwrite replaces it, --out "
        "names another folder"
    )
