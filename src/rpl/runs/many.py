"""Folders of run folders: seeds of one run, or the trials of a sweep."""

import re
from collections.abc import Iterable
from pathlib import Path

from rpl.errors import RunError
from rpl.registry.catalog import TASKS
from rpl.runs.entries import delete_entries, refuse_foreign
from rpl.runs.files import locked
from rpl.runs.occupied import refuse_held, refuse_unclear


def runs_in(folder: Path) -> list[Path]:
    """The run folders in a folder, those of lower numbers first; none if it is a run's own."""
    if (folder / "config.json").exists():
        return []
    return sorted((file.parent for file in folder.glob("*/config.json")), key=_by_number)


def runs_named(run_or_task: str) -> list[Path]:
    """The run folders in a folder that is named; none where the name is a task's."""
    return [] if run_or_task in TASKS else runs_in(Path(run_or_task))


def run_folders(paths: Iterable[Path]) -> list[Path]:
    """The paths, with the runs in it in place of each that is a folder of runs; each run once."""
    found = [run for path in paths for run in runs_in(path) or [path]]
    return list({run.resolve(): run for run in found}.values())


def _by_number(path: Path) -> list[tuple[int, str]]:
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if part.isdigit() else (0, part) for part in parts]


def make_ready(folder: Path, runs: Iterable[Path], resume: bool, overwrite: bool) -> None:
    """Makes a folder ready for runs in it.

    Args:
        runs: their folders, in it.
        resume: those that there are are gone on with.
        overwrite: they are deleted.

    Raises:
        UsageError: if both were asked for.
        RunError: if there are runs and neither was asked for, there is none to resume, or the
            folder is a run's or cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder} is a file: choose another folder with --out")
    if (folder / "config.json").exists():
        raise RunError(f"{folder} holds a single run: choose another folder with --out")
    there = [run for run in runs if (run / "config.json").exists()]
    refuse_unclear(folder, "run", bool(there), resume, overwrite)
    if there and not (resume or overwrite):
        refuse_held(folder, "run")
    for run in there if overwrite else ():
        refuse_foreign(run)
        with locked(run):
            delete_entries(run)
            (run / "config.json").unlink()
