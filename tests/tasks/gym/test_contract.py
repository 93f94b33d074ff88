"""What an environment returns against its contract is said while it runs, in any process."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary

import toys
from rpl.errors import Failure
from rpl.registry.environments import environment_maker
from rpl.registry.names import NotFound
from rpl.tasks.gym.requirements import UnsuitableEnvironment
from rpl.tasks.gym.task import GymnasiumTask

STEP = "it must return (observation, reward, terminated, truncated, info)"
SAID = {
    "four": f"step() returned 4 values: {STEP}",
    "list": "step() returned",
    "nothing": "step() returned NoneType",
    "longer": "an observation of float32 of shape (3,): its space says numbers of shape (2,)",
    "shorter": "an observation of float32 of shape (1,)",
    "number": "an observation of float: its space says numbers of shape (2,)",
    "matrix": "an observation of float64 of shape (2, 2)",
    "ragged": "an observation of list",
    "dict": "an observation of dict",
    "none": "an observation of NoneType",
    "reward array": "a reward of float64 of shape (1,): it must be one number",
    "reward text": "a reward of str",
    "reward none": "a reward of NoneType",
    "reward complex": "a reward of complex",
    "flag text": "terminated as str: it must be a bool",
    "flag none": "truncated as NoneType",
    "info none": "info as NoneType: it must be a dict",
}


def play(task: GymnasiumTask, steps: int = 4) -> None:
    try:
        task.reset(seed=0)
        for _ in range(steps):
            task.step(np.zeros((task.num_envs, 1)))
    finally:
        task.close()


@pytest.mark.parametrize("what", toys.BREAKS)
def test_a_broken_step_is_said_with_its_line_and_what_to_do(what) -> None:
    with pytest.raises(UnsuitableEnvironment) as caught:
        play(GymnasiumTask(partial(toys.Breaking, what), 2))
    said = str(caught.value)
    assert SAID[what] in said
    assert f"({toys.__file__}, line " in said
    assert said.endswith("`rpl check` tells more")
    assert "\n" not in said


def test_goal_parts_are_checked_each() -> None:
    class Reach(toys.Reach):
        def step(self, action):
            observation, *rest = super().step(action)
            return observation | {"desired_goal": np.zeros(3)}, *rest

    task = GymnasiumTask(Reach, 1)
    task.reset(seed=0)
    with pytest.raises(
        UnsuitableEnvironment, match=r"whose desired_goal is float64 of shape \(3,\)"
    ):
        task.step(np.zeros((1, 2)))


def test_a_reset_without_seed_and_one_with_another_observation_are_said() -> None:
    with pytest.raises(UnsuitableEnvironment, match=r"reset\(\) cannot be called with seed.*toys"):
        play(GymnasiumTask(toys.Unseeded, 1))
    with pytest.raises(UnsuitableEnvironment, match=r"reset\(\) returned float32 of shape \(2,\)"):
        play(GymnasiumTask(toys.OldReset, 1))


def test_a_factory_that_asks_for_more_is_said() -> None:
    with pytest.raises(NotFound, match=r"needs_a_size cannot be called without .*'size'"):
        environment_maker("toys:needs_a_size")()


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (toys.Raising, "KeyError: 'the joint is gone'\n  File .*toys.py"),
        (partial(toys.Breaking, "four"), r"step\(\) returned 4 values"),
        (toys.Lost, r"process of an environment ended with exit code 3: --task.processes 1"),
    ],
    ids=["raises", "breaks", "dies"],
)
def test_in_processes_of_their_own_they_are_said_too(make, sentence, capfd) -> None:
    with pytest.raises(Failure, match=sentence):
        play(GymnasiumTask(make, 2, parallel=True))
    assert "Traceback" not in capfd.readouterr().err


def test_a_script_without_a_main_guard_is_said(tmp_path) -> None:
    script = (
        "from rpl.tasks.gym.task import GymnasiumTask\nimport toys\n"
        "GymnasiumTask(toys.Slide, 2, parallel=True)\n"
    )
    (tmp_path / "script.py").write_text(script)
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env={"PYTHONPATH": ":".join([str(Path(toys.__file__).parent), *sys.path])},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "put what the script does below `if __name__ == '__main__':`" in done.stderr
    assert done.stderr.count("Error") <= 5, "that of the children is not printed too"


JOINTS = Dict(robot=Dict(x=Box(-9, 9, (2,)), mode=Discrete(3)), flags=MultiBinary(2))
RIGHT = {"robot": {"x": np.zeros(2), "mode": 1}, "flags": [0, 1]}


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (
            {"robot": {"x": np.zeros(3), "mode": 1}},
            r"robot.x is float64 of shape \(3,\)",
        ),
        ({"robot": {"mode": 1}}, "an observation without robot.x, which it promises"),
        ({"robot": 3}, "whose robot is int: it must be a dict of"),
        ({"robot": {"x": np.zeros(2), "mode": 3}}, r"robot.mode is 3, and its space is Discrete"),
        ({"robot": {"x": np.zeros(2), "mode": -1}}, "robot.mode is -1, and its space"),
        ({"robot": {"x": np.zeros(2), "mode": 0.5}}, "robot.mode is 0.5, and its space"),
        ({"flags": [0, 2]}, r"flags is \[0, 2\], and its space is MultiBinary"),
        ({"flags": [True]}, r"flags is \[True\]"),
    ],
    ids=str,
)
def test_parts_of_parts_and_choices_are_checked_too(wrong, sentence) -> None:
    class Jointed(toys.Slide):
        def __init__(self) -> None:
            super().__init__()
            self.observation_space = JOINTS

        def _observe(self):
            return RIGHT | (wrong if self.t > 2 else {})

    task = GymnasiumTask(Jointed, 2)
    task.reset(seed=0)
    for _ in range(2):
        shown = task.step(np.zeros((2, 1)))[0]["observation"]
    np.testing.assert_array_equal(shown[0], [0, 0, *(0, 1, 0), *(0, 1)])  # the choice is one-hot
    with pytest.raises(UnsuitableEnvironment, match=sentence):
        task.step(np.zeros((2, 1)))


class Contacts(toys.Slide):
    """Its info says what no other process can be sent, and arrays of any length."""

    def reset(self, *, seed=None, options=None):
        return super().reset(seed=seed)[0], {"simulation": lambda: None}

    def step(self, action):
        *outcome, _ = super().step(action)
        found = {
            "contacts": np.zeros(self.t % 3),
            "simulation": lambda: None,
            "success": self.t > 1,
        }
        return *outcome, found


def test_of_an_info_only_success_leaves_a_process() -> None:
    task = GymnasiumTask(Contacts, 2, parallel=True)
    task.reset(seed=0)
    succeeded = [task.step(np.zeros((2, 1)))[4]["is_success"].tolist() for _ in range(3)]
    task.close()
    assert succeeded == [[False] * 2, [True] * 2, [True] * 2]


def test_a_factory_that_returns_the_same_environment_twice_is_said() -> None:
    env = toys.Slide()
    with pytest.raises(UnsuitableEnvironment, match="returned the same one twice"):
        GymnasiumTask(lambda: env, 2)
