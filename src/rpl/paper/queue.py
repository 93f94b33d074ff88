"""Makes the runs that are missing, several at a time, here or on a Ray cluster."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Protocol

from rpl.paper.folders import Places, Run
from rpl.paper.worker import Job, JobOutcome, run_job
from rpl.runs.files import write_durably
from rpl.runs.provenance import usable_cores

TICK = 2.0  # seconds between looks at what has happened


class Executor(Protocol):
    """Where jobs are done: ``LocalProcesses``, or ``rpl.paper.cluster.RayTasks``."""

    threads: int
    """Cores of a job."""

    def submit(self, job: Job) -> None:
        """Takes a job; it begins when there is room."""
        ...

    def finished(self, seconds: float) -> list[tuple[Job, JobOutcome]]:
        """The jobs that ended since the last call, after waiting that long for a first."""
        ...

    def stop(self) -> None:
        """Lets every job save and leave, and waits for that."""
        ...


class LocalProcesses:
    """Jobs as processes on this machine.

    Args:
        number: jobs at a time; they share the cores.
    """

    def __init__(self, number: int) -> None:
        self.threads = max(1, usable_cores() // number)
        self._pool = ThreadPoolExecutor(number)
        self._stop = threading.Event()
        self._jobs: dict[Future[JobOutcome], Job] = {}

    def submit(self, job: Job) -> None:
        """Takes a job; it begins when there is room."""
        self._jobs[self._pool.submit(run_job, job, self._stop.is_set)] = job

    def finished(self, seconds: float) -> list[tuple[Job, JobOutcome]]:
        """The jobs that ended since the last call."""
        done, _ = wait(self._jobs, seconds, FIRST_COMPLETED)
        return [(self._jobs.pop(future), future.result()) for future in done]

    def stop(self) -> None:
        """Lets every job save and leave, and waits for that."""
        self._stop.set()
        self._pool.shutdown(cancel_futures=True)


class QueueObserver(Protocol):
    """Somebody who watches the queue."""

    def on_tick(self, waiting: Sequence[Run]) -> None:
        """Now and then, with the runs that have not ended."""
        ...

    def on_end(self, run: Run, error: str | None) -> None:
        """A run is finished, or could not be."""
        ...


def make_runs(
    runs: Sequence[Run],
    places: Places,
    executor: Executor,
    observer: QueueObserver,
    keep: bool = True,
) -> int:
    """Makes the runs in their order; returns how many of them failed.

    Whatever interrupts it, the runs under way save and leave, and the same call goes on
    from there.

    Args:
        runs: what to make.
        places: where.
        executor: how.
        observer: who watches.
        keep: copy finished runs to the results.
    """
    root = places.runs.resolve()
    root.mkdir(parents=True, exist_ok=True)
    waiting: dict[str, Run] = {run.folder: run for run in runs}
    failures = 0
    try:
        for run in runs:
            arguments = tuple(run.cell.arguments(run.seed))
            executor.submit(Job(arguments, run.folder, str(root), executor.threads))
        while waiting:
            for job, outcome in executor.finished(TICK):
                run = waiting.pop(job.folder)
                _write_missing(root / job.folder, outcome.files)
                if outcome.error is None and keep:
                    places.keep(run)
                failures += outcome.error is not None
                observer.on_end(run, outcome.error)
            observer.on_tick(list(waiting.values()))
    finally:
        executor.stop()
    return failures


def _write_missing(folder: Path, files: dict[str, bytes]) -> None:
    """What a run on another machine left behind; on this one it is there already."""
    for name, data in files.items():
        path = folder / name
        if not path.exists() or path.read_bytes() != data:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_durably(path, data)


def cheapest_first(runs: Sequence[Run], seconds: Callable[[Run], float]) -> list[Run]:
    """The order in which figures fill soonest: the cheapest first, and then seed by seed."""
    return sorted(runs, key=lambda run: (seconds(run), run.seed))


def every(seconds: float) -> Callable[[], bool]:
    """A question that is answered yes once in so many seconds, the first time at once."""
    last = [-float("inf")]

    def due() -> bool:
        now = time.monotonic()
        if now - last[0] < seconds:
            return False
        last[0] = now
        return True

    return due
