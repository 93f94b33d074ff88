"""With a million transitions a run stays below 1 GB, libraries and replay included."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rpl.registry.builtin import problem_of
from rpl.registry.resolve import RunSpec, resolve
from rpl.replay.buffer import Replay
from rpl.replay.episodes import Episodes
from rpl.runs.folder import RunFolder
from rpl.runs.record import record_of
from rpl.runs.session import new_learner, new_replay
from rpl.training.progress import Progress

MILLION = 1_000_000
TRAIN = "import sys; from rpl.cli.main import main; main()"


def make_run(folder: Path) -> None:
    """A run of the default preset as it stands after a million steps."""
    spec = resolve("push")
    spec = replace(spec, config=replace(spec.config, steps=MILLION + 10_000))
    problem = problem_of(spec)
    run = RunFolder(folder, json.loads(json.dumps(record_of(spec, "rpl train push"))))
    replay = new_replay(spec.config, problem, run.replay_folder)
    fill(replay, spec)
    progress = Progress(environment_steps=MILLION, stored_episodes=replay.stored, burning_in=False)
    run.save(new_learner(spec.config, problem), progress, best=True)
    run.close()
    problem.task.close()


def fill(replay: Replay, spec: RunSpec) -> None:
    """Stores a million transitions of noise."""
    problem = problem_of(spec)
    steps, count = problem.horizon, 1000
    noise = np.random.default_rng(0).standard_normal

    def rows(width: int, more: int = 1) -> np.ndarray:
        return noise((count, steps + more, width), np.float32)

    parts = {name: rows(size) for name, size in problem.seen.sizes.items() if name != "base_action"}
    episodes = Episodes(
        observation=parts,
        achieved_goal=rows(problem.seen.goal_size),
        base_action=rows(problem.action_size),
        action=rows(problem.action_size, 0),
        reward=np.full((count, steps), -1, np.float32),
        length=np.full(count, steps, np.int32),
        terminated=np.zeros(count, bool),
        success=np.zeros(count, bool),
        index=np.arange(count),
    )
    while replay.stored * steps < MILLION:
        replay.store(episodes)
    replay.flush()


@pytest.mark.skipif("RPL_SOAK" not in os.environ, reason="make soak: peaks vary beside other tests")
def test_a_run_of_a_million_transitions_stays_below_a_gigabyte(tmp_path) -> None:
    make_run(tmp_path / "run")
    disk = sum(path.stat().st_blocks * 512 for path in tmp_path.rglob("*") if path.is_file())
    assert disk < 250e6
    words = ["train", "push", "--steps", str(MILLION + 10_000), "--out", "run", "--resume"]
    process = subprocess.Popen(
        [sys.executable, "-c", TRAIN, *words], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    while not process.stdout.readline().startswith("step "):
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)  # a cycle has compiled, drawn and learned all there is
    process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 1
    assert used.ru_maxrss * 1024 < 1e9, f"{used.ru_maxrss} KiB"
