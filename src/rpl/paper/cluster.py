"""The queue on more than one machine: runs as Ray tasks (extra ``[cluster]``)."""

import os
import socket
from concurrent.futures import Future
from typing import Any

from rpl.errors import RunError
from rpl.paper.worker import Job, JobOutcome, run_job

KNOCKING = 10.0  # seconds
RETRIES = 5  # times that a task begins again elsewhere when its machine is lost


def _knock(address: str) -> None:
    """Ray itself would wait for minutes before it says that nobody is there."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or "/" in host:
        return  # auto, local, ray://...: Ray knows
    try:
        socket.create_connection((host, int(port)), timeout=KNOCKING).close()
    except OSError as error:
        raise RunError(f"no Ray cluster answers at {address}: {error.strerror or error}") from error


class RayTasks:
    """Jobs as Ray tasks, each with its cores; Ray puts them where there is room.

    A task whose machine is lost begins again on another. It continues its run folder where
    that lies on a shared disk, and starts over where it does not; its files come back to
    who asked either way.

    Args:
        address: of a cluster, as ``ray.init`` takes it; ``local`` starts one here, which only
            this machine reaches.
        threads: cores of a job.

    Raises:
        RunError: if Ray is not installed, or nobody answers.
    """

    def __init__(self, address: str, threads: int = 1) -> None:
        if address == "local":
            # Despite its name: without it Ray listens on every interface, not on loopback alone.
            os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        try:
            import ray  # reads its environment
        except ImportError as error:
            raise RunError("--ray needs Ray: pip install -e '.[cluster]'") from error
        self._ray, self.threads = ray, threads
        _knock(address)
        local = {"include_dashboard": False} if address == "local" else {}
        try:
            self._ray.init(address=address, log_to_driver=False, **local)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise RunError(f"no Ray cluster answers at {address}: {error}") from error
        self._task = self._ray.remote(run_job).options(num_cpus=threads, max_retries=RETRIES)
        self._references: list[Any] = []

    def submit(self, job: Job) -> Future[JobOutcome]:
        """See ``rpl.paper.queue.Executor``."""
        self._references.append(self._task.remote(job))
        return self._references[-1].future()

    def stop(self) -> None:
        """Ends the tasks; their processes notice, save and leave."""
        for reference in self._references:
            self._ray.cancel(reference, force=True)
        self._ray.shutdown()
