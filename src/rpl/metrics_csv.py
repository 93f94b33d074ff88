"""``metrics.csv``, also while a run writes it."""

from __future__ import annotations

import csv
from pathlib import Path


def read_rows(path: Path) -> list[dict[str, str]]:
    """The whole rows of a metrics.csv by column, in their order; none without the file."""
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        # A row that is still being written has too few fields.
        return [row for row in csv.DictReader(file) if None not in row.values()]


def steps_taken(path: Path) -> int:
    """Environment steps of a run by its last evaluation; 0 before the first."""
    rows = read_rows(path)
    return int(float(rows[-1]["environment_steps"])) if rows else 0
