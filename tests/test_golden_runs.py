"""Runs make the numbers that they made before: see golden_runs.py, which also writes them anew."""

import json

import pytest

from golden_runs import GOLDEN, RUNS, differences, made


@pytest.mark.parametrize("name", RUNS)
def test_a_run_makes_the_numbers_that_it_made_before(name, tmp_path) -> None:
    assert differences(name, made(name, tmp_path / name), json.loads(GOLDEN.read_text())) == []
