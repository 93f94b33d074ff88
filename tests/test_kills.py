"""Killed at any moment, a run goes on bit for bit: rows, last and best policy, and its replay.

20 kills here; ``make soak`` makes 200.
"""

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rpl.runs.checkpoint import Stored, has_checkpoint, read_stored
from small import PLANNED_RUN, USER_RUN, metrics

TESTS = Path(__file__).parent
KILLS = int(os.environ.get("RPL_KILLS", "20"))
SLIDE = ("train", "toys:Slide", "--controller", "toys:one", *USER_RUN, "--steps", "160")
RUNS = {
    "ddpg": SLIDE,
    "td3": (*SLIDE, "--learner", "td3"),
    "sac": (*SLIDE, "--learner", "sac"),
    "wrapped ring": (*SLIDE, "--replay.capacity", "30", "--cycles-per-epoch", "1"),
    "pets": ("train", "mbrl-pusher", *PLANNED_RUN, "--whole-trials", "1", "--short-steps", "9"),
}
CLOCKS = ("wall_seconds", "epoch_seconds")
Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    """What makes a run, and kills it if told when."""
    paths = os.pathsep.join([str(TESTS), *filter(None, sys.path)])
    server = subprocess.Popen(
        [sys.executable, str(TESTS / "killing.py")],
        env=os.environ | {"PYTHONPATH": paths},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdin is not None
    assert server.stdout is not None

    def asked(words, folder: Path, operation=None, seconds=None) -> dict[str, Any]:
        words = [*words, "--out", str(folder)]
        words += ["--resume"] if (folder / "config.json").exists() else []
        job = {"words": words, "folder": str(folder), "operation": operation, "seconds": seconds}
        server.stdin.write(json.dumps(job) + "\n")
        server.stdin.flush()
        answer = json.loads(server.stdout.readline())
        assert "Traceback" not in answer["said"], answer["said"]
        return answer

    yield asked
    server.stdin.close()
    server.wait()


def stored(folder: Path, name: str) -> tuple[dict[str, Any], bytes]:
    """Where a checkpoint stood, without clocks, and what was learned."""
    found: Stored = read_stored(folder / "checkpoint" / f"{name}.eqx")
    return {k: v for k, v in found.progress.items() if k not in CLOCKS}, found.arrays


def check_best(folder: Path) -> None:
    """The best policy is the best that the rows show, those aside that are the controller's."""
    last = read_stored(folder / "checkpoint" / "last.eqx")
    best = last if last.is_best else read_stored(folder / "checkpoint" / "best.eqx")
    with open(folder / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))[: last.progress["rows"]]
    earned = [
        -np.inf if row["stands_below"] == "1" else float(row["policy_return"]) for row in rows
    ]
    assert best.progress["rows"] == len(earned) - int(np.argmax(earned[::-1]))


@pytest.mark.parametrize("name", RUNS)
def test_a_killed_run_goes_on_bit_for_bit(name, ask, tmp_path) -> None:
    words, whole, generator = RUNS[name], tmp_path / "whole", np.random.default_rng(len(name))
    began = ask(words, whole)
    assert began["code"] == 0, began["said"]
    operations, kills, folder = began["operations"], 0, tmp_path / "run"
    while kills < KILLS // len(RUNS):
        when: dict[str, Any] = {"operation": int(generator.integers(1, operations))}
        if generator.random() < 0.3:
            when = {"seconds": float(generator.uniform(0.2, 1.5))}
        answer = ask(words, folder, **when)
        assert answer["code"] in (0, -9), answer["said"]
        kills += answer["code"] == -9
        if has_checkpoint(folder) and name != "pets":
            check_best(folder)
        if answer["code"] == 0:
            check_same(folder, whole)
            shutil.rmtree(folder)
    answer = ask(words, folder)
    assert answer["code"] == 0, answer["said"]
    check_same(folder, whole)


def check_same(folder: Path, whole: Path) -> None:
    assert metrics(folder) == metrics(whole)
    for name in ("last", "best"):
        assert stored(folder, name) == stored(whole, name), name
    assert not list(folder.rglob("*.new"))
