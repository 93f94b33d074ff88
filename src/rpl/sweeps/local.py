"""Makes runs on this machine, several at a time."""

import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import Protocol

from rpl.runs.provenance import usable_cores
from rpl.sweeps.worker import Job, run_job

TICK = 1.0  # seconds between looks at what has happened


class Observer(Protocol):
    """Somebody who watches the runs, and may have them stopped."""

    def on_tick(self) -> bool:
        """Now and then; whether all runs are to save and leave."""
        ...

    def on_end(self, job: Job, error: str | None) -> None:
        """A run is finished, or why it is not."""
        ...


def make_here(jobs: Sequence[Job], number: int, observer: Observer) -> bool:
    """Makes the runs in their order, ``number`` at a time, which share the cores.

    Whatever interrupts it, the runs under way save and leave, and the same call goes on from
    there.

    Returns:
        Whether it came to the end, and was not stopped.
    """
    threads = max(1, usable_cores() // number)
    stop = threading.Event()
    pool = ThreadPoolExecutor(number)
    try:
        waiting = {pool.submit(run_job, job, threads, stop.is_set): job for job in jobs}
        while waiting:
            for future in wait(waiting, TICK, FIRST_COMPLETED).done:
                observer.on_end(waiting.pop(future), future.result())
            if observer.on_tick() and waiting:
                return False
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)
    return True


def at_once(count: int, cores: int | None = None) -> int:
    """How many of ``count`` runs of one length are best made at a time.

    Where the last ones would leave cores idle, more than there are cores share them.
    """
    cores = cores or usable_cores()

    def rounds(number: int) -> float:
        whole, rest = divmod(count, number)
        return whole * max(number / cores, 1.0) + (max(rest / cores, 1.0) if rest else 0.0)

    return min(range(min(count, cores), min(count, 2 * cores - 1) + 1), key=rounds)
