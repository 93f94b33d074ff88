"""The queue in real processes: killed, it goes on; what is finished is never made again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Future
from pathlib import Path

import pytest

from rpl.paper.folders import Places, Run, Standing, is_in_use
from rpl.paper.matrix import Cell
from rpl.paper.queue import LocalProcesses, cheapest_first, make_runs
from rpl.paper.worker import Job, JobOutcome, run_job
from small import RUN, Silent, steps_in

STEPS = 5000  # so that the run that starts first is not done when the other has begun
CELLS = [Cell("push", method, STEPS, 1.0, words=RUN, seeds=1) for method in ("rpl", "scratch")]
DRIVER = """
from small import Silent
from test_queue import CELLS
from rpl.paper.folders import Places, runs_of
from rpl.paper.queue import LocalProcesses, make_runs
from rpl.paper import worker
from pathlib import Path
worker.POLITENESS = ()
make_runs(runs_of(CELLS), Places(Path("runs"), Path("results")), LocalProcesses(2), Silent())
"""


def wait_until(condition, seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "took too long"
        time.sleep(0.05)


@pytest.fixture(autouse=True)
def _impolite(monkeypatch):
    """Beside other tests, a polite process would hardly get to run."""
    monkeypatch.setattr("rpl.paper.worker.POLITENESS", ())


@pytest.fixture
def driver(tmp_path):
    """A queue in a process of its own."""
    here = Path(__file__).parent
    path = os.pathsep.join([str(here.parents[1] / "src"), str(here.parent), str(here)])
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER], cwd=tmp_path, env=os.environ | {"PYTHONPATH": path}
    )
    yield process
    process.kill()


def test_a_killed_queue_leaves_no_process_behind_and_goes_on(driver, tmp_path):
    places = Places(tmp_path / "runs", tmp_path / "results")
    runs = [Run(cell, 0) for cell in CELLS]
    folders = [places.runs / run.folder for run in runs]
    wait_until(lambda: all(len(steps_in(folder)) >= 2 for folder in folders))
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    wait_until(lambda: not any(map(is_in_use, folders)))
    before = [steps_in(folder) for folder in folders]
    assert all(max(steps) < STEPS for steps in before)
    assert {places.standing(run).state for run in runs} == {"stopped"}

    seen = Silent()
    assert make_runs(runs, places, LocalProcesses(2), seen) == 0
    assert seen.ended == {run.folder: None for run in runs}
    for run, old in zip(runs, before, strict=True):
        kept = steps_in(places.results / run.folder)
        assert kept[: len(old)] == old, "it began again instead of going on"
        assert kept == list(range(0, STEPS + 1, 200))
        assert places.standing(run).state == "done"


def test_a_stopped_job_saves_and_leaves(tmp_path):
    words = CELLS[0].arguments(0)
    words[words.index("--steps") + 1] = "1000000"
    job = Job(tuple(words), "one", str(tmp_path))
    outcome = run_job(job, stopped=lambda: len(steps_in(tmp_path / "one")) >= 2)
    assert outcome.error is not None
    assert "and saved; continue with: rpl train" in outcome.error
    assert (tmp_path / "one/checkpoint/last.eqx").exists()


class AtOnce:
    """Ends every job as told, on another machine: nothing is in this one's run folder."""

    threads = 1

    def __init__(self, outcomes: dict[str, JobOutcome]) -> None:
        self.outcomes, self.stopped = outcomes, False

    def submit(self, job: Job) -> Future[JobOutcome]:
        ended = Future()
        if job.folder in self.outcomes:
            ended.set_result(self.outcomes[job.folder])
        else:
            ended.set_exception(RuntimeError("the machine is gone\nfor good"))
        return ended

    def stop(self) -> None:
        self.stopped = True


def test_files_come_back_failures_are_counted_and_only_finished_runs_are_kept(tmp_path):
    places, observer = Places(tmp_path / "runs", tmp_path / "results"), Silent()
    runs = [Run(cell, 0) for cell in CELLS]
    files = {"config.json": b"{}", "metrics.csv": b"environment_steps\n", "checkpoint/a": b"x"}
    executor = AtOnce(
        {"push/rpl/seed0": JobOutcome(None, files), "push/scratch/seed0": JobOutcome("no luck")}
    )
    assert make_runs(runs, places, executor, observer) == 1
    assert observer.ended == {"push/rpl/seed0": None, "push/scratch/seed0": "no luck"}
    assert (places.runs / "push/rpl/seed0/checkpoint/a").read_bytes() == b"x"
    kept = [p.relative_to(places.results).as_posix() for p in places.results.rglob("*.*")]
    assert sorted(kept) == ["push/rpl/seed0/config.json", "push/rpl/seed0/metrics.csv"]
    assert executor.stopped


def test_a_killed_job_says_so_and_a_failed_one_its_own_last_words(tmp_path):
    (tmp_path / "run.log").write_text("400 steps: policy 1.000\n")
    job = Job(("train", "push", *RUN, "--steps", "1000000"), "run", str(tmp_path))

    def kill_once_begun() -> bool:
        pid = next(iter(running(tmp_path / "run")), None)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        return False

    assert run_job(job, kill_once_begun).error == "killed by SIGKILL"
    wrong = Job(("train", "no-such-task"), "other", str(tmp_path))
    (tmp_path / "other.log").write_text("400 steps: policy 1.000\n")
    error = run_job(wrong).error
    assert error is not None
    assert "no task 'no-such-task'" in error


def running(folder: Path) -> list[int]:
    """The processes that were told to make a run folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\0")
            cwd = (entry.parent / "cwd").resolve()
        except OSError:
            continue
        if b"rpl.paper.worker" in b" ".join(words) and folder.name.encode() in words:
            found += [int(entry.parent.name)] if cwd == folder.parent.resolve() else []
    return found


def test_nothing_is_kept_of_a_trial(tmp_path):
    places = Places(tmp_path / "runs", tmp_path / "results")
    executor = AtOnce({"push/rpl/seed0": JobOutcome(None, {"metrics.csv": b""})})
    make_runs([Run(CELLS[0], 0)], places, executor, Silent(), keep=False)
    assert not places.results.exists()


def test_whatever_interrupts_the_jobs_are_stopped(tmp_path):
    class Interrupted(Silent):
        def on_tick(self) -> None:
            raise KeyboardInterrupt

    executor = AtOnce({})
    with pytest.raises(KeyboardInterrupt):
        make_runs([Run(CELLS[0], 0)], Places(tmp_path, tmp_path), executor, Interrupted())
    assert executor.stopped


def test_a_job_that_is_lost_with_its_machine_is_a_failed_run(tmp_path):
    observer = Silent()
    assert make_runs([Run(CELLS[0], 0)], Places(tmp_path, tmp_path), AtOnce({}), observer) == 1
    assert observer.ended == {"push/rpl/seed0": "lost: the machine is gone"}


def test_cheapest_runs_come_first_and_low_seeds_before_high_ones():
    cheap, dear = (Cell("push", method, 100, 1.0) for method in ("rpl", "scratch"))
    standings = [Standing(Run(dear, 0), "missing"), Standing(Run(cheap, 1), "stopped", 50)]
    standings += [Standing(Run(cheap, seed), "missing") for seed in (3, 2)]
    order = cheapest_first(standings, lambda cell: (9.0 if cell is cheap else 1.0, True))
    assert [(run.cell, run.seed) for run in order] == [
        (cheap, 1),
        (cheap, 2),
        (cheap, 3),
        (dear, 0),
    ]
