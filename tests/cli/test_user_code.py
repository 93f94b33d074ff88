"""A user's code that leaves, or returns what is no real number: said in a sentence, never a 0."""

from pathlib import Path

import pytest

from rpl.cli.main import run
from small import USER_RUN

THEIRS = """
import sys
import numpy as np
from toys import Reach, Slide, one, to_goal

def leaves(observation):
    sys.exit(0)

def imaginary(observation):
    return 1j * np.array([observation[0]])

def imaginary_object(observation):
    return np.array([1j], dtype=object)

class Leaves(Slide):
    def step(self, action):
        if self.t == 2:
            sys.exit(None)
        return super().step(action)

class LeavesAtReset(Slide):
    def reset(self, *, seed=None, options=None):
        sys.exit("no robot")

class Answers(Reach):
    def compute_reward(self, achieved_goal, desired_goal, info):
        return self.answer(super().compute_reward(achieved_goal, desired_goal, info))

    def step(self, action):
        self.answer = lambda reward: reward
        try:
            return super().step(action)
        finally:
            del self.answer

class PaysNaN(Answers):
    def answer(self, reward):
        return reward * np.nan

class PaysInfinity(Answers):
    def answer(self, reward):
        return reward - np.inf

class PaysComplex(Answers):
    def answer(self, reward):
        return reward + 0j

class PaysNothing(Answers):
    def answer(self, reward):
        return None

class PaysText(Answers):
    def answer(self, reward):
        return "little"

class PaysTwice(Answers):
    def answer(self, reward):
        return [reward, reward]
"""
PAYS = {
    "PaysNaN": "nan",
    "PaysInfinity": "inf",
    "PaysComplex": "j",
    "PaysNothing": "None",
    "PaysText": "little",
    "PaysTwice": "array",
}


@pytest.fixture(autouse=True)
def theirs(workplace) -> Path:
    (workplace / "theirs.py").write_text(THEIRS)
    return workplace / "theirs.py"


def line_of(text: str) -> int:
    return 1 + next(i for i, line in enumerate(THEIRS.splitlines()) if text in line)


@pytest.mark.parametrize(
    ("words", "leaving", "code"),
    [
        (["train", "toys:Slide", "--controller", "theirs:leaves", *USER_RUN], "sys.exit(0)", "0"),
        (["eval", "toys:Slide", "--controller", "theirs:leaves"], "sys.exit(0)", "0"),
        (["check", "toys:Slide", "--controller", "theirs:leaves"], "sys.exit(0)", "0"),
        (
            ["train", "theirs:Leaves", "--controller", "toys:one", *USER_RUN],
            "sys.exit(None)",
            "None",
        ),
        (
            ["train", "theirs:LeavesAtReset", "--controller", "toys:one", *USER_RUN],
            'sys.exit("no robot")',
            "no robot",
        ),
    ],
    ids=lambda value: " ".join(value[:4]) if isinstance(value, list) else None,
)
def test_code_that_ends_the_program_ends_it_with_1_and_its_line(
    words, leaving, code, theirs, capfd
) -> None:
    assert run(words) == 1
    expected = f"rpl: {theirs}, line {line_of(leaving)} ended the program with exit code {code}\n"
    assert capfd.readouterr().err.endswith(expected)


@pytest.mark.parametrize("name", ["Leaves", "LeavesAtReset"])
def test_an_environment_that_leaves_its_process_is_said(name, theirs, capfd) -> None:
    words = ["train", f"theirs:{name}", "--controller", "toys:one", *USER_RUN]
    assert run([*words, "--task.processes", "2"]) == 1
    said = capfd.readouterr().err.splitlines()[-1]
    assert said.startswith(f"rpl: {theirs}, line")
    assert "ended the program with exit code" in said


def test_a_module_that_leaves_as_it_is_imported_is_said(theirs, capfd) -> None:
    theirs.write_text("raise SystemExit(0)\n")
    assert run(["eval", "toys:Slide", "--controller", "theirs:one"]) == 1
    assert f"{theirs}, line 1 ended the program with exit code 0" in capfd.readouterr().err


@pytest.mark.parametrize("command", ["train", "eval", "check"])
@pytest.mark.parametrize("name", ["imaginary", "imaginary_object"])
def test_actions_that_are_complex_are_refused(name, command, capfd) -> None:
    options = USER_RUN if command == "train" else ()
    assert run([command, "toys:Slide", "--controller", f"theirs:{name}", *options]) == 1
    said = "".join(capfd.readouterr())
    assert "return real numbers" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(("name", "answer"), PAYS.items())
def test_a_reward_for_goals_that_is_no_finite_number_is_refused(name, answer, capfd) -> None:
    words = ["train", f"theirs:{name}", "--controller", "toys:to_goal", *USER_RUN]
    assert run(words) == 1
    said = capfd.readouterr().err.splitlines()[-1]
    assert said.startswith("rpl: compute_reward returned ")
    assert answer in said
    assert "return a finite number for each" in said


@pytest.mark.parametrize(("name", "answer"), PAYS.items())
def test_the_check_names_a_reward_for_goals_that_is_no_finite_number(name, answer, capfd) -> None:
    assert run(["check", f"theirs:{name}", "--controller", "toys:to_goal"]) == 1
    said = capfd.readouterr().out
    assert "compute_reward returned " in said
    assert answer in said
    assert "return a finite number for each" in said
