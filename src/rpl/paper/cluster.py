"""The queue on more than one machine: runs as Ray tasks (extra ``[cluster]``)."""

from __future__ import annotations

import os
import socket
from typing import Any

from rpl.errors import RunError
from rpl.paper.worker import Job, JobOutcome, run_job

KNOCKING = 10.0  # seconds
RETRIES = 5  # times that a task begins again elsewhere when its machine is lost


def import_ray() -> Any:
    """Ray.

    Raises:
        RunError: if it is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise RunError("--ray needs Ray: pip install -e '.[cluster]'") from error
    return ray


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
    """

    def __init__(self, address: str, threads: int = 1) -> None:
        if address == "local":
            # Despite its name: without it Ray listens on every interface, not on loopback alone.
            os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        self._ray = import_ray()
        self.threads = threads
        _knock(address)
        local = {"include_dashboard": False} if address == "local" else {}
        try:
            self._ray.init(address=address, log_to_driver=False, **local)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise RunError(f"no Ray cluster answers at {address}: {error}") from error
        self._task = self._ray.remote(run_job).options(num_cpus=threads, max_retries=RETRIES)
        self._jobs: dict[Any, Job] = {}

    def submit(self, job: Job) -> None:
        """Takes a job; it begins when some machine has room."""
        self._jobs[self._task.remote(job)] = job

    def finished(self, seconds: float) -> list[tuple[Job, JobOutcome]]:
        """The jobs that ended since the last call."""
        waiting = list(self._jobs)
        done, _ = self._ray.wait(waiting, num_returns=1, timeout=seconds)
        if done:  # and whatever else has ended meanwhile
            done, _ = self._ray.wait(waiting, num_returns=len(waiting), timeout=0)
        return [(self._jobs.pop(reference), self._get(reference)) for reference in done]

    def _get(self, reference: Any) -> JobOutcome:
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            return JobOutcome(f"lost on the cluster: {str(error).splitlines()[0]}")

    def stop(self) -> None:
        """Ends the tasks; their processes notice, save and leave."""
        for reference in self._jobs:
            self._ray.cancel(reference, force=True)
        self._ray.shutdown()
