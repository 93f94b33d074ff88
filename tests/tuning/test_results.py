"""What tuning has come to on the paper's tasks: the rows of ``results/tuning``."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from rpl.config import Config
from rpl.registry.builtin import problem_of
from rpl.registry.resolve import resolve
from rpl.rollout.seeds import evaluation_seeds
from rpl.tuning.play import Player
from small import lean

ROOT = Path(__file__).parents[2]
RECORDS = {
    f"{file.parts[-3]} {file.parts[-2]}": json.loads(file.read_text())
    for file in sorted(ROOT.glob("results/tuning/*/seed*/tuning.json"))
}
FAULTY = [name for name in RECORDS if name.startswith("pick-and-place ")]


def row(record: dict) -> str:
    """The line of the page's table that a record makes."""
    result = record["result"]
    found = ", ".join(f"{name} {result['settings'][name]:g}" for name in record["searched"])
    cells = [record["task"], record["task_options"]["physics"], str(record["seed"]), found]
    cells += [f"{result['episodes']:,}"]
    cells += [f"{result['steps']:,}", str(result["evaluation"]["episodes"])]
    for who, sign in (("controller", ""), ("tuned", ""), ("difference", "+")):
        numbers = result["evaluation"][who]
        low, high = numbers["success_interval"]
        cells.append(f"{numbers['success_rate']:{sign}.3f} [{low:{sign}.3f}, {high:{sign}.3f}]")
    return f"| {' | '.join(cells)} |"


@pytest.mark.parametrize("name", RECORDS)
def test_the_page_says_what_the_record_says(name):
    assert row(RECORDS[name]) in (ROOT / "docs/notebook/tuning.md").read_text()


def test_three_seeds_find_what_is_wrong_with_the_miscalibrated_controller():
    assert len(FAULTY) == 3
    for name in FAULTY:
        record, result = RECORDS[name], RECORDS[name]["result"]
        assert record["controller_options"] == {"gain": 10.0, "carrying_gain": 100.0}
        assert result["episodes"] <= record["episodes"] == 3000
        assert list(result["confirmed"]["changed"]) == ["carrying_gain"]
        assert result["evaluation"]["tuned"]["success_rate"] >= 0.98
        assert result["evaluation"]["episodes"] == 500
        assert result["evaluation"]["verdict"] == "better"


def test_what_they_found_solves_what_the_shipped_settings_fail():
    spec = resolve(
        "pick-and-place",
        "scratch",
        config=replace(Config(), evaluation_episodes=20, episodes_per_cycle=1),
        task_options=lean("pick-and-place"),
    )
    player, seeds = Player(spec.controller, problem_of(spec)), evaluation_seeds(7, 20)
    shipped = {name: one.default for name, one in player.settings.items()}
    assert player(shipped, seeds).success_rate < 0.85
    for name in FAULTY:
        assert player(RECORDS[name]["result"]["settings"], seeds).success_rate >= 0.95
