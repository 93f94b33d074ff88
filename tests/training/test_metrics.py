"""What a run says of itself, and that the manual says what it means."""

import json
from pathlib import Path

from golden_runs import GOLDEN, WALL_CLOCK

PAGE = Path(__file__).parents[2] / "docs/metrics.md"


def test_every_column_of_a_learners_metrics_is_in_the_manual() -> None:
    runs = json.loads(GOLDEN.read_text())["runs"]
    columns = {column for name, run in runs.items() if name != "pets" for column in run["columns"]}
    page = PAGE.read_text()
    assert [column for column in sorted(columns | WALL_CLOCK) if f"`{column}`" not in page] == []
