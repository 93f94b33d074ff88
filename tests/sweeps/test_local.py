"""Runs side by side in real processes: killed, they go on; what is finished is not made again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from rpl.runs.files import read_rows, write_config
from rpl.sweeps.local import at_once, make_here
from rpl.sweeps.progress import is_in_use, level_of
from rpl.sweeps.worker import Job, run_job
from small import RECORD, Silent, small_jobs, steps_in

STEPS = 5000  # so that the run that starts first is not done when the other has begun
METHODS = "rpl", "scratch"
DRIVER = f"""
from pathlib import Path
from small import Silent, small_jobs
from rpl.sweeps.local import make_here
make_here(small_jobs(Path.cwd(), {STEPS}, *{METHODS}), 2, Silent())
"""


def wait_until(condition, seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "took too long"
        time.sleep(0.05)


@pytest.fixture
def driver(tmp_path):
    """Runs that somebody makes in a process of its own."""
    tests = Path(__file__).parents[1]
    path = os.pathsep.join([str(tests.parent / "src"), str(tests)])
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER], cwd=tmp_path, env=os.environ | {"PYTHONPATH": path}
    )
    yield process
    process.kill()


def test_whoever_makes_runs_leaves_no_process_behind_when_killed_and_goes_on(driver, tmp_path):
    jobs = small_jobs(tmp_path, STEPS, *METHODS)
    folders = [job.folder for job in jobs]
    wait_until(lambda: all(len(steps_in(folder)) >= 2 for folder in folders))
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    wait_until(lambda: not any(map(is_in_use, folders)))
    before = [steps_in(folder) for folder in folders]
    assert all(max(steps) < STEPS for steps in before)

    seen = Silent()
    assert make_here(jobs, 2, seen)
    assert seen.ended == dict.fromkeys(METHODS)
    for folder, old in zip(folders, before, strict=True):
        steps = steps_in(folder)
        assert steps[: len(old)] == old, "it began again instead of going on"
        assert steps == list(range(0, STEPS + 1, 200))


def test_a_stopped_job_saves_and_leaves(tmp_path):
    (job,) = small_jobs(tmp_path, 1_000_000, "rpl")
    error = run_job(job, 1, stopped=lambda: len(steps_in(job.folder)) >= 2)
    assert error is not None
    assert "and saved; continue with: rpl train" in error
    assert (job.folder / "checkpoint/last.eqx").exists()


def test_a_killed_job_says_so_and_a_failed_one_its_own_last_words(tmp_path):
    (job,) = small_jobs(tmp_path, 1_000_000, "rpl")
    (tmp_path / "rpl.log").write_text("400 steps: policy 1.000\n")

    def kill_once_begun() -> bool:
        pid = next(iter(running(job)), None)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        return False

    assert run_job(job, 1, kill_once_begun) == "killed by SIGKILL"
    wrong = Job("other", ("train", "no-such-task"), tmp_path / "other", tmp_path)
    (tmp_path / "other.log").write_text("400 steps: policy 1.000\n")
    error = run_job(wrong, 1)
    assert error is not None
    assert "no task 'no-such-task'" in error


def running(job: Job) -> list[int]:
    """The processes that were told to make a run."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\0")
            place = (entry.parent / "cwd").resolve()
        except OSError:
            continue
        if b"rpl.sweeps.worker" in b" ".join(words) and job.name.encode() in words:
            found += [int(entry.parent.name)] if place == job.place.resolve() else []
    return found


@pytest.fixture
def instead(monkeypatch):
    """What is done in place of jobs."""

    def put(do) -> None:
        monkeypatch.setattr("rpl.sweeps.local.run_job", do)

    return put


def test_failures_are_said_and_the_other_runs_are_made(tmp_path, instead):
    ends = {"rpl": None, "scratch": "no luck", "pets": None}
    instead(lambda job, threads, stopped: ends[job.name])
    seen = Silent()
    assert make_here(small_jobs(tmp_path, 1, *ends), 1, seen)
    assert seen.ended == ends


@pytest.mark.parametrize("raising", [False, True])
def test_whatever_interrupts_them_the_runs_under_way_are_stopped_and_no_other_begins(
    tmp_path, instead, raising
):
    begun = []

    def until_stopped(job, threads, stopped):
        begun.append(job.name)
        wait_until(stopped)
        return "stopped"

    class Stopping(Silent):
        def on_tick(self) -> bool:
            if raising:
                raise ZeroDivisionError
            return True

    instead(until_stopped)
    jobs, seen = small_jobs(tmp_path, 1, "rpl", "scratch", "pets"), Stopping()
    if raising:
        with pytest.raises(ZeroDivisionError):
            make_here(jobs, 2, seen)
    else:
        assert not make_here(jobs, 2, seen)
    assert begun == ["rpl", "scratch"]
    assert seen.ended == {}


def test_cores_are_shared_so_that_the_last_runs_leave_none_idle():
    assert [at_once(count, 2) for count in (1, 2, 3, 4, 5, 6)] == [1, 2, 3, 2, 3, 2]
    assert at_once(5, 64) == 5
    assert at_once(100, 8) in range(8, 16)


def test_a_run_in_use_is_not_touched(tmp_path, monkeypatch):
    (job,) = small_jobs(tmp_path, 1, "rpl")
    monkeypatch.setattr("rpl.sweeps.worker.LOCK_PATIENCE", 0.0)
    monkeypatch.setattr("rpl.sweeps.worker.is_in_use", lambda folder: True)
    assert run_job(replace(job), 1) == f"{job.folder} is in use by another process"
    assert not (tmp_path / "rpl.log").exists()


@pytest.mark.parametrize(("metric", "level"), [("success", 0.5), ("return", -2.0)])
def test_a_level_is_by_the_metric_that_the_run_is_judged_by(tmp_path, metric, level) -> None:
    assert level_of(tmp_path, []) is None
    rows = [f"{steps},0.5,{value}" for steps, value in ((0, -9), (1, -1), (2, -2), (3, -3))]
    header = "environment_steps,policy_success,policy_return"
    (tmp_path / "metrics.csv").write_text("\n".join([header, *rows]) + "\n")
    write_config(tmp_path, RECORD | {"metric": metric})
    assert level_of(tmp_path, read_rows(tmp_path / "metrics.csv")) == level
