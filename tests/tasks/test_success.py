"""What an environment says of success is yes, no or nothing."""

import re

import numpy as np
import pytest

from rpl.errors import InvalidValue
from rpl.tasks.gym.task import GymnasiumTask
from rpl.tasks.success import succeeded
from toys import ReportsOddly


@pytest.mark.parametrize(
    ("info", "said"),
    [
        ({}, None),
        ({"is_success": None}, None),
        ({"is_success": None, "success": True}, True),
        ({"success": 0.0}, False),
        ({"is_success": np.array([1.0]), "success": False}, True),
        ({"success": np.True_}, True),
    ],
    ids=str,
)
def test_yes_no_and_nothing_are_understood(info, said) -> None:
    assert succeeded(info) is said


@pytest.mark.parametrize("said", ["no", 0.3, float("nan"), 2, [True, False], {}], ids=str)
def test_anything_else_is_refused_and_no_success(said) -> None:
    with pytest.raises(InvalidValue, match=re.escape(f"info['success'] is {said!r}: let it be")):
        succeeded({"success": said})


@pytest.mark.parametrize("parallel", [False, True])
def test_a_task_has_it_as_one_bool_for_each_environment(parallel) -> None:
    task = GymnasiumTask(ReportsOddly, 2, parallel=parallel)
    task.reset(seed=0)
    info = task.step(np.zeros((2, 1)))[-1]
    assert info["is_success"].tolist() == [True, True]
    task.close()
