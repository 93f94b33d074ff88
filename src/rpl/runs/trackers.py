"""Who else is told of a run than its folder: one protocol, and a module for each tracker."""

from __future__ import annotations

import contextlib
import importlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from rpl.errors import RunError
from rpl.runs.checkpoint import read_stored
from rpl.runs.files import read_rows, write_durably
from rpl.settings import Record

TrackerName = Literal["wandb", "mlflow"]
IDS, ENDED = "tracked.json", "-ended"
"""Under which id each tracker knows the run, in its folder."""


class Table(NamedTuple):
    """What a run has come to: a row for the policy, for its controller and for the difference."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str | float | None]]


class Tracker(Protocol):
    """Is told of a run as it goes; made with its configuration, anew in every session."""

    def append(self, row: Record, wall_time: float) -> None:
        """Adds the numbers of an evaluation at its ``environment_steps``; None is no number."""
        ...

    def end(self, table: Table, film: bytes | None) -> None:
        """Adds what the run has come to, and a film of it (mp4) where there is one."""
        ...

    def close(self) -> None:
        """Sends what is left; the run may go on in another session."""
        ...


def check_installed(name: TrackerName) -> None:
    """Refuses a tracker whose package is missing.

    Raises:
        RunError: with what to install.
    """
    try:
        importlib.import_module(name)
    except ImportError as error:
        raise RunError(f"--track {name} needs {name}: pip install -e '.[{name}]'") from error


def open_tracker(name: TrackerName, folder: Path, record: Record) -> Tracker:
    """The tracker of a run, under the id that its folder names, or under a new one.

    Raises:
        RunError: if it is missing, or does not answer.
    """
    check_installed(name)
    module = importlib.import_module(f"rpl.runs.{name}_tracker")
    file = folder / IDS
    ids = _ids(file)
    with told(name):
        tracker, known_as = module.opened(folder.resolve().name, record, ids.get(name))
    _keep_ids(file, ids | {name: known_as})
    return tracker


def note_end(folder: Path, name: TrackerName) -> None:
    """Takes note that a tracker knows what a run has come to."""
    _keep_ids(folder / IDS, _ids(folder / IDS) | {f"{name}{ENDED}": "told"})


def knows_end(folder: Path, name: TrackerName) -> bool:
    """Whether a tracker knows what a run has come to; one that was not told of it need not."""
    ids = _ids(folder / IDS)
    return name not in ids or f"{name}{ENDED}" in ids


def _keep_ids(file: Path, ids: dict[str, str]) -> None:
    write_durably(file, (json.dumps(ids) + "\n").encode())


def _ids(file: Path) -> dict[str, str]:
    """Under which id each tracker knows a run.

    Raises:
        RunError: if the file is damaged.
    """
    try:
        ids = json.loads(file.read_text()) if file.exists() else {}
        if isinstance(ids, dict) and all(isinstance(known, str) for known in ids.values()):
            return ids
    except (OSError, ValueError):
        pass
    raise RunError(f"{file} is damaged: delete it, and the run is tracked anew")


@contextlib.contextmanager
def told(name: str | None) -> Iterator[None]:
    """Says in a sentence what a tracker refuses: each has errors of its own."""
    try:
        yield
    except RunError:
        raise
    except Exception as error:
        raise RunError(
            f"{name} cannot track the run: {str(error) or type(error).__name__}; all of it is in "
            "its folder: go on with --resume once that is mended, or leave out --track"
        ) from error


def final_table(folder: Path) -> Table:
    """What a run has come to, from its folder: by its verdict, or else by its last evaluation."""
    verdict = read_stored(folder / "checkpoint" / "last.eqx").progress.get("verdict")
    if verdict is not None:
        who = {name: verdict[name] for name in ("policy", "controller", "difference")}
        rows = [
            [name, *_numbers(of), verdict["episodes"], verdict["verdict"]]
            for name, of in who.items()
        ]
        return Table((*COLUMNS, "verdict"), rows)
    last = read_rows(folder / "metrics.csv")[-1]
    found = [
        [name, *_of_row(last, name), _number(last.get("evaluation_episodes"))]
        for name in ("policy", "controller")
        if f"{name}_return" in last
    ]
    return Table(COLUMNS, found)


COLUMNS = (
    *("who", "success", "success_low", "success_high"),
    *("return", "return_low", "return_high", "episodes"),
)


def _numbers(summary: Record) -> list[float]:
    return [
        *(summary["success_rate"], *summary["success_interval"]),
        *(summary["mean_return"], *summary["return_interval"]),
    ]


def _of_row(row: Mapping[str, str], who: str) -> list[float | None]:
    names = [f"{who}_{of}{end}" for of in ("success", "return") for end in ("", "_low", "_high")]
    return [_number(row.get(name)) for name in names]


def _number(text: str | None) -> float | None:
    return float(text) if text else None
