"""What a run leaves in its folder: recognised, never written through a link, deleted by name."""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from rpl.errors import RunError
from rpl.replay.arrays import delete_arrays
from rpl.runs.files import is_ours

FILES = ("config.json", "metrics.csv", "tracked.json", "lock")
FOLDERS = {"checkpoint": "*.eqx*", "replay": "*.npy", "events": "events.out.tfevents.*"}
"""With what is ours in each."""
LEFT_BY_A_KILL = {"lock", "config.json.new"}
"""All that there is of a run that was killed before it had its config.json."""
CHECKPOINTS = {f"{name}.eqx{suffix}" for name in ("last", "best") for suffix in ("", ".new")}


def refuse_foreign(path: Path) -> None:
    """Refuses a folder in which a run would change what it did not write.

    That is one with files but without a config.json of ours, or with links in place of files.

    Raises:
        RunError: with what is there.
    """
    if not path.exists():
        return
    if not path.is_dir():
        raise RunError(f"{path} is a file: choose another folder with --out")
    for entry in _entries(path):
        kind = entry.lstat().st_mode
        if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
            what = "a link" if stat.S_ISLNK(kind) else "no ordinary file"
            raise RunError(
                f"{entry} is {what}, and a run writes into its own files alone: put them there, "
                "or choose another folder with --out"
            )
    if not (path / "config.json").exists():
        _refuse_without_record(path)
    elif not _is_ours(path):
        raise RunError(f"{path / 'config.json'} is not a run's: choose another folder with --out")


def _is_ours(path: Path) -> bool:
    try:
        return is_ours(path)
    except RunError as error:
        raise RunError(f"{error}: choose another folder with --out") from error


def _refuse_without_record(path: Path) -> None:
    found = sorted(entry.name for entry in path.iterdir())
    lock = path / "lock"
    empty = not lock.exists() or lock.stat().st_size == 0
    if not empty or set(found) - LEFT_BY_A_KILL:
        raise RunError(
            f"{path} holds {some_of(found)}, and no run of rpl: choose another folder with --out"
        )


def some_of(names: Sequence[str]) -> str:
    """The first few names, and whether there are more."""
    return f"{', '.join(names[:3])}{', ...' * (len(names) > 3)}"


def _entries(path: Path) -> Iterator[Path]:
    """Whatever a run may write to, where it is there."""
    for name in FILES:
        yield from _there(path / name, path / f"{name}.new")
    for name, pattern in FOLDERS.items():
        yield from _there(path / name)
        if (path / name).is_dir():
            yield from (path / name).glob(pattern)


def _there(*paths: Path) -> Iterator[Path]:
    return (path for path in paths if path.is_symlink() or path.exists())


def delete_entries(path: Path) -> None:
    """Deletes what a run wrote but its config.json; whatever else is in the folder stays."""
    for name in ("metrics.csv", "metrics.csv.new", "tracked.json", "tracked.json.new"):
        (path / name).unlink(missing_ok=True)
    for entry in (path / "checkpoint").glob("*"):
        if entry.name in CHECKPOINTS:
            entry.unlink()
    for entry in (path / "events").glob(FOLDERS["events"]):
        entry.unlink()
    delete_arrays(path / "replay")
    for name in ("checkpoint", "events"):
        with contextlib.suppress(OSError):  # somebody's files may be there too
            (path / name).rmdir()
