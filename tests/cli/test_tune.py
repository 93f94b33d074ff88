"""``rpl tune`` on a user's own environment and controller, which need seconds."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rpl.cli.main import run

MINE = '''
from dataclasses import dataclass
from typing import Annotated
from toys import Slide, Reach

def towards_goal(observation, gain: Annotated[float, (0.01, 1.0)] = 0.02, side: float = 1.0):
    """Reaches no goal in time with the gain that it is shipped with."""
    return gain * (observation["desired_goal"] - observation["achieved_goal"])

def fixed(observation):
    return [0.0, 0.0]

@dataclass
class Choosy:
    gain: Annotated[float, (0.01, 1.0)] = 0.02

    def __post_init__(self):
        if self.gain > 0.7:
            raise ValueError("gains above 0.7 break the arm")

    def __call__(self, observation):
        return towards_goal(observation, self.gain)
'''
WORDS = ("tune", "mine:Reach", "--controller", "mine:towards_goal", "--episodes", "420")
WORDS += ("--evaluation-episodes", "40")


KILLED = """
import os, signal, sys
sys.path.append("TESTS")
from rpl.cli.main import main

left = [30]

def hook(event, arguments):
    if event == "open" and str(arguments[0]).endswith("journal.log"):
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(hook)
main()
""".replace("TESTS", str(Path(__file__).parents[1]))


@pytest.fixture
def mine(workplace):
    (workplace / "mine.py").write_text(MINE)
    return workplace


def test_it_finds_the_fault_and_says_how_to_use_what_it_found(mine, capsys):
    assert run([*WORDS, "--out", "tuned"]) == 0
    said = capsys.readouterr().out
    record = json.loads((mine / "tuned/tuning.json").read_text())
    result = record["result"]
    gain = result["settings"]["gain"]
    assert set(result["settings"]) == {"gain"}, "a setting without bounds was searched"
    assert gain > 0.1
    assert result["episodes"] <= 420
    assert result["steps"] > result["episodes"]
    evaluation = result["evaluation"]
    assert evaluation["episodes"] == 40
    assert evaluation["verdict"] == "better"
    tuned, shipped = (evaluation[who]["success_rate"] for who in ("tuned", "controller"))
    assert tuned > shipped + 0.2
    low, high = evaluation["tuned"]["success_interval"]
    assert low <= tuned <= high
    assert (mine / "tuned/search.png").stat().st_size > 1000
    assert len((mine / "tuned/tried.csv").read_text().splitlines()) == result["tried"] + 1
    name = f"mine:towards_goal(gain={gain})"
    assert f"use them: rpl train mine:Reach --controller '{name}'" in said
    # On the same held-out episodes the printed name is what was judged.
    words = ("eval", "mine:Reach", "--controller", name, "--episodes", "40", "--json")
    assert run([*words]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["controller"]["success_rate"] == tuned


def test_what_the_controller_refuses_is_passed_over(mine, capsys):
    words = ("mine:Choosy" if word == "mine:towards_goal" else word for word in WORDS)
    assert run([*words, "--out", "tuned"]) == 0
    said = capsys.readouterr().out
    assert said.count("gains above 0.7 break the arm") == 1
    result = json.loads((mine / "tuned/tuning.json").read_text())["result"]
    rows = (mine / "tuned/tried.csv").read_text().splitlines()[1:]
    assert len(rows) == result["tried"] > 1
    assert max(float(row.split(",")[0]) for row in rows) <= 0.7
    assert f"environment steps, {result['refused']} passed over" in said
    assert result["refused"] > 0


def test_killed_and_resumed_equals_uninterrupted(mine, capsys):
    assert run([*WORDS, "--out", "whole"]) == 0
    words = (sys.executable, "-c", KILLED, *WORDS, "--out", "parts")
    killed = subprocess.run(words, cwd=mine, capture_output=True, text=True, timeout=300)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert (mine / "parts/journal.log").exists()
    assert run([*WORDS, "--out", "parts"]) == 1
    assert "--resume continues it" in capsys.readouterr().err
    assert run([*WORDS, "--out", "parts", "--resume", "--seed", "3"]) == 1
    assert "seed was 0, is 3" in capsys.readouterr().err
    assert run([*WORDS, "--out", "parts", "--resume"]) == 0
    records = [json.loads((mine / f / "tuning.json").read_text()) for f in ("whole", "parts")]
    assert records[0]["result"] == records[1]["result"]
    tables = [(mine / f / "tried.csv").read_text() for f in ("whole", "parts")]
    assert tables[0] == tables[1]


def test_what_cannot_be_tuned_is_said(mine, capsys):
    for words, said in (
        (("mine:Reach",), "name yours with --controller"),
        (("mine:Reach", "--controller", "mine:fixed"), "no setting to search"),
        (("nothing",), "there is no task 'nothing'"),
        ((*WORDS[1:], "--episodes", "10"), "--episodes must be at least"),
    ):
        assert run(["tune", *words]) != 0
        assert said in capsys.readouterr().err
    (mine / "full").mkdir()
    (mine / "full/thesis.tex").write_text("all my work")
    assert run([*WORDS, "--out", "full", "--overwrite"]) == 1
    assert "holds thesis.tex" in capsys.readouterr().err
