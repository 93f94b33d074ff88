"""Seeds in numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rpl.viz.run_data import RunData
from rpl.viz.statistics import (
    dip,
    interquartile_mean,
    probability_of_improvement,
    seeds_table,
    steps_in_words,
)


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


def test_success_rates_of_one_seed_have_the_interval_of_their_episodes():
    value, interval = interquartile_mean([np.array([0.9])], episodes=100)
    assert value == 0.9
    assert interval is not None
    assert np.allclose(interval, (0.84, 0.95), atol=0.011)  # 1.96 sqrt(.9 * .1 / 100) = .059
    _, of_more = interquartile_mean([np.array([0.9])], episodes=10_000)
    assert of_more is not None
    assert of_more[1] - of_more[0] < 0.013


def test_an_improvement_is_as_likely_as_pairs_of_runs_show_it():
    high, low = np.array([3.0, 4.0]), np.array([1.0, 2.0])
    assert probability_of_improvement([(high, low)]) == (1.0, (1.0, 1.0))
    assert probability_of_improvement([(low, low)])[0] == 0.5  # a tie is a half
    assert probability_of_improvement([(high, low), (low, high)]) == (0.5, (0.5, 0.5))
    value, interval = probability_of_improvement([(np.array([1.0, 3.0]), np.array([2.0, 2.0]))])
    assert (value, interval) == (0.5, (0.0, 1.0))
    assert probability_of_improvement([(high, low), (np.array([1.0]), low)]) == (0.625, None)


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


def test_a_dip_is_told_beside_the_controller_on_the_same_episodes():
    runs = [seed(0, [0.2, 0.6, 0.45]), seed(1, [0.5, 0.7, 0.9])]
    assert dip(runs, "success") == pytest.approx(-0.05)  # burn-in is not asked
    assert dip(runs[1:], "success") == pytest.approx(0.2)
    assert dip([seed(0, [0.5])], "success") is None
    assert dip([seed(0, [-90.0, -60.0], "pets")], "return") is None


def test_a_planner_has_no_controller_dip_or_level():
    _, rows = seeds_table([seed(0, [-90.0, -60.0, -61.0], "pets")])
    assert rows == [["0", "200", "-", "-70.3", "-", "-"]]


def test_steps_are_rounded_to_thousands_and_who_never_gets_there_is_said():
    assert steps_in_words(None, 0, 3) == "never"
    assert steps_in_words(61_234.0, 3, 3) == "61k"
    assert steps_in_words(61_234.0, 2, 3) == "61k (2 of 3)"
