"""PETS on the command line: a run like any other, and caches of it and of other policies."""

import json
from pathlib import Path

import pytest

from rpl.cli.main import run
from rpl.controllers.cached import Cache
from rpl.pets.planner import OFFICIAL, SMALL
from small import PLANNED_RUN, steps_in

TRAIN = ("train", "mbrl-pusher", *PLANNED_RUN)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A run of PETS, far too small to be any good."""
    path = tmp_path_factory.mktemp("pets") / "run"
    assert run([*TRAIN, "--out", str(path)]) == 0
    return path


def test_a_run_of_pets_has_a_folder_like_any_other(folder, capsys) -> None:
    record = json.loads((folder / "config.json").read_text())
    assert (record["method"], record["preset"], record["metric"]) == ("pets", "small", "return")
    assert record["config"]["planner"]["population"] == 8
    assert record["config"]["planner"]["sampling"] == "TSinf"
    assert steps_in(folder) == [150, 300, 450]
    words = [*TRAIN, "--out", str(folder)]
    assert run([*words, "--resume"]) == 0
    assert "is finished at 450 steps" in capsys.readouterr().out
    assert run([*words, "--resume", "--planner.population", "9"]) == 1
    assert "config.planner.population was 8, is 9" in capsys.readouterr().err


def test_the_official_planner_is_a_word_away(capsys) -> None:
    with pytest.raises(SystemExit):
        run(["train", "mbrl-pusher", "--method", "pets", "--pets", "official", "--help"])
    assert f"(default: {OFFICIAL.population})" in capsys.readouterr().out
    assert OFFICIAL.population != SMALL.population


def test_a_task_that_cannot_price_predictions_is_refused(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["train", "push", "--method", "pets"]) == 2
    assert "choose mbrl-pusher" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_the_planner_and_its_cache_are_judged_by_their_return(folder, tmp_path, capsys) -> None:
    path = tmp_path / "cache.npz"
    assert run(["cache", str(folder), str(path), "--states", "20"]) == 0
    assert "20 states (episodes: 1, mean return" in capsys.readouterr().out
    cache = Cache.load(path)
    # All that was spent before one could know which policy was best.
    last = json.loads((folder / "checkpoint/last.eqx").open("rb").readline())
    assert cache.provenance["charged_steps"] == last["environment_steps"] + 150
    assert cache.provenance["run"]["method"] == "pets"
    cached = ["--controller", str(path)]
    assert run(["eval", str(folder), *cached, "--episodes", "2"]) == 0
    table = capsys.readouterr().out
    assert "policy (pets)" in table
    assert "success" not in table


def test_a_cache_from_nothing_is_refused(tmp_path, capsys) -> None:
    assert run(["cache", "push", str(tmp_path / "cache.txt")]) == 2
    assert "must end in .npz" in capsys.readouterr().err
    assert run(["cache", "push", str(tmp_path / "c.npz"), "--states", "0"]) == 2
    assert "--states must be at least 1" in capsys.readouterr().err
    assert run(["cache", "push", str(tmp_path / "c.npz"), "--episodes", "0"]) == 2
    assert "--episodes must be at least 1" in capsys.readouterr().err
