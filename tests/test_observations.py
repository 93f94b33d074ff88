"""Batches of observations, taken apart."""

import numpy as np

from rpl.observations import row_of, rows


def test_rows_of_nested_observations_are_those_of_each_place_alone():
    batch = {
        "robot": {"joints": np.arange(6.0).reshape(3, 2), "nothing": {}},
        "goal": (np.arange(3), (), np.arange(12).reshape(3, 2, 2)),
    }
    found = rows(batch)
    assert len(found) == 3
    for i, row in enumerate(found):
        assert repr(row) == repr(row_of(batch, i))


def test_rows_of_an_array_are_its_rows():
    batch = np.arange(6.0).reshape(3, 2)
    assert all(np.array_equal(row, batch[i]) for i, row in enumerate(rows(batch)))
