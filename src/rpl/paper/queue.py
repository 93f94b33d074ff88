"""Makes the runs that are missing, several at a time, here or on a Ray cluster."""

import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Protocol

from rpl.paper.folders import Places, Run, Speed, Standing, seconds_left
from rpl.paper.worker import Job, JobOutcome, run_job
from rpl.runs.files import write_durably
from rpl.runs.provenance import usable_cores

TICK = 2.0  # seconds between looks at what has happened


class Executor(Protocol):
    """Where jobs are done: ``LocalProcesses``, or ``rpl.paper.cluster.RayTasks``."""

    threads: int
    """Cores of a job."""

    def submit(self, job: Job) -> Future[JobOutcome]:
        """Takes a job; it begins when there is room."""
        ...

    def stop(self) -> None:
        """Lets every job save and leave, and waits for that."""
        ...


class LocalProcesses:
    """Jobs on this machine, ``number`` at a time; they share the cores."""

    def __init__(self, number: int) -> None:
        self.threads = max(1, usable_cores() // number)
        self._pool = ThreadPoolExecutor(number)
        self._stop = threading.Event()

    def submit(self, job: Job) -> Future[JobOutcome]:
        """See ``Executor``."""
        return self._pool.submit(run_job, job, self._stop.is_set)

    def stop(self) -> None:
        """See ``Executor``."""
        self._stop.set()
        self._pool.shutdown(cancel_futures=True)


class QueueObserver(Protocol):
    """Somebody who watches the queue."""

    def on_tick(self) -> None:
        """Now and then."""
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

    Whatever interrupts it, the runs under way save and leave, and the same call goes on from
    there. With ``keep``, the small files of finished runs are copied to the results.
    """
    root = places.runs.resolve()
    root.mkdir(parents=True, exist_ok=True)
    failures = 0
    try:
        waiting = {executor.submit(_job(run, root, executor.threads)): run for run in runs}
        while waiting:
            for future in wait(waiting, TICK, FIRST_COMPLETED).done:
                run, outcome = waiting.pop(future), _outcome(future)
                _write_missing(root / run.folder, outcome.files)
                if outcome.error is None and keep:
                    places.keep(run)
                failures += outcome.error is not None
                observer.on_end(run, outcome.error)
            observer.on_tick()
    finally:
        executor.stop()
    return failures


def _job(run: Run, root: Path, threads: int) -> Job:
    return Job(tuple(run.cell.arguments(run.seed)), run.folder, str(root), threads)


def _outcome(future: Future[JobOutcome]) -> JobOutcome:
    """What came of a job, also where it was lost with the machine that it was on."""
    try:
        return future.result()
    except Exception as error:
        return JobOutcome(f"lost: {(str(error) or type(error).__name__).splitlines()[0]}")


def _write_missing(folder: Path, files: dict[str, bytes]) -> None:
    """What a run on another machine left behind; on this one it is there already."""
    for name, data in files.items():
        path = folder / name
        if not path.exists() or path.read_bytes() != data:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_durably(path, data)


def cheapest_first(standings: Sequence[Standing], speed: Speed) -> list[Run]:
    """The order in which figures fill soonest: the cheapest first, and then seed by seed."""
    ordered = sorted(standings, key=lambda s: (seconds_left([s], speed), s.run.seed))
    return [s.run for s in ordered]
