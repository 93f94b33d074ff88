"""Seeds in numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rpl.viz.run_data import RunData
from rpl.viz.statistics import interquartile_mean, seeds_table, steps_in_words


def test_interquartile_mean_drops_the_quarters_and_draws_within_groups():
    value, interval = interquartile_mean([np.array([0.0, 0.5, 0.7, 9.0])])
    assert value == pytest.approx(0.6)
    assert interval is not None
    assert interval[0] <= value <= interval[1]
    assert interquartile_mean([np.array([0.3])]) == (0.3, None)
    assert interquartile_mean([np.array([1.0, 1.0])]) == (1.0, (1.0, 1.0))
    # Each group keeps its number of values, so two constant groups leave no spread.
    both = [np.array([0.0, 0.0]), np.array([1.0, 1.0])]
    assert interquartile_mean(both) == (0.5, (0.5, 0.5))


def seed(number: int, levels: list[float], method: str = "rpl") -> RunData:
    """A run with an evaluation each 100 steps, the first in burn-in."""
    columns = {
        "environment_steps": 100.0 * np.arange(len(levels)),
        "policy_success": np.array(levels),
        "controller_success": np.full(len(levels), 0.5),
        "policy_return": np.full(len(levels), np.nan) if method == "rpl" else np.array(levels),
        "burning_in": np.arange(len(levels)) == 0,
    }
    if method == "pets":
        del columns["burning_in"], columns["controller_success"]
    return RunData(Path("run"), "push", method, "c", number, columns)


def test_a_table_of_seeds_ends_with_all_of_them():
    runs = [seed(0, [0.5, 0.3, 0.9, 0.95, 1.0]), seed(4, [0.5, 0.6, 0.7, 0.7, 0.8])]
    head, rows = seeds_table(runs)
    assert dict(zip(head, rows[0], strict=True)) == {
        "seed": "0",
        "steps": "400",
        "controller": "0.500",
        "policy [95 %]": "1.000",
        "dip to": "0.300",
        "0.9 at": "400",
    }
    assert rows[1] == ["4", "400", "0.500", "0.800", "0.600", "never"]
    assert rows[2] == ["IQM", "400", "0.500", "0.900 [0.800, 1.000]", "0.300", "400 (1 of 2)"]
    assert len(seeds_table(runs[:1])[1]) == 1


def test_a_planner_has_no_controller_dip_or_level():
    _, rows = seeds_table([seed(0, [-90.0, -60.0, -61.0], "pets")])
    assert rows == [["0", "200", "-", "-70.3", "-", "-"]]


def test_steps_are_rounded_to_thousands_and_who_never_gets_there_is_said():
    assert steps_in_words(None, 0, 3) == "never"
    assert steps_in_words(61_234.0, 3, 3) == "61k"
    assert steps_in_words(61_234.0, 2, 3) == "61k (2 of 3)"
