"""How far a run has got, from what lies in its folder."""

import fcntl
import math
from collections.abc import Sequence
from pathlib import Path

from rpl.runs.files import last_number, read_config, read_rows

JUDGED = 3  # evaluations whose mean is a run's level: one alone is lucky too often


def read_progress(metrics: Path) -> tuple[int, float | None]:
    """Environment steps and steps a second of the last whole row; (0, None) without one.

    Raises:
        UnreadableFile: if the file is not a run's.
    """
    rows = read_rows(metrics)
    if not rows:
        return 0, None
    steps = int(last_number(metrics, "environment_steps", rows))
    seconds = last_number(metrics, "wall_seconds", rows)
    return steps, steps / seconds if seconds > 0 and steps > 0 else None


def level_of(folder: Path, rows: Sequence[dict[str, str]]) -> float | None:
    """The mean of a run's last evaluations by its metric; None before the first."""
    column = f"policy_{read_config(folder).get('metric', 'success')}" if rows else ""
    known = [float(row[column]) for row in rows if row.get(column)][-JUDGED:]
    return sum(known) / len(known) if known and all(map(math.isfinite, known)) else None


def is_in_use(folder: Path) -> bool:
    """Whether a live process writes in a run folder."""
    try:
        with open(folder / "lock", "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def duration(seconds: float) -> str:
    """5 min, 3.2 h."""
    if seconds < 3600:
        return f"{max(round(seconds / 60), 1)} min"
    return f"{seconds / 3600:.1f} h"
