"""One run in a process of its own; what this machine's pool and Ray's trials both start.

The process ends itself, after its cycle and with everything saved, as soon as nobody holds
the other end of its standard input: whoever started it may be stopped or killed at any time.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name

import rpl
from rpl.sweeps.progress import is_in_use

PROGRAM = (sys.executable, "-c", "from rpl.sweeps.worker import main; main()")
LOCK_PATIENCE = 120.0  # seconds that a run which was abandoned may take to save and leave
LOOKS = 0.2  # seconds between


@dataclass(frozen=True)
class Job:
    """A run to be made, or gone on with."""

    name: str
    """What it is called."""
    arguments: tuple[str, ...]
    """Of ``rpl``, without those that say the folder and the threads."""
    folder: Path
    """The run folder, an absolute path."""
    place: Path
    """Where the command is given, an absolute path: files and modules are named from there."""


class RunProcess:
    """A job at work, in a process which writes what it says into ``FOLDER.log``.

    Args:
        threads: for physics.
        environment: what the process has besides this one's.

    Raises:
        OSError: if it cannot run where it is to.
    """

    def __init__(
        self, job: Job, threads: int, environment: Mapping[str, str] | None = None
    ) -> None:
        folder = job.folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        self._log = folder.with_name(folder.name + ".log")
        named = folder.relative_to(job.place) if folder.is_relative_to(job.place) else folder
        resume = ["--resume"] * (folder / "config.json").exists()
        words = ["--num-threads", str(threads), "--out", str(named), *resume]
        with open(self._log, "ab") as output:
            self._begun = output.tell()
            self._process = subprocess.Popen(
                [*PROGRAM, *job.arguments, *words],
                cwd=job.place,
                env={**os.environ, **_importing_this(), **(environment or {})},
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C is for who started it, who then lets go
            )

    def ended(self, seconds: float = LOOKS) -> bool:
        """Waits so long for the end; whether it has come."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def leave(self) -> None:
        """Has the run save and end."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()

    @property
    def error(self) -> str | None:
        """Why it ended before the run was finished, in a sentence."""
        code = self._process.returncode
        if code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return (self._last_line() or f"ended with exit code {code}") if code else None

    def _last_line(self) -> str:
        text = self._log.read_bytes()[self._begun :].decode(errors="replace")
        lines = [line.strip() for line in text.splitlines()]
        return next((line for line in reversed(lines) if line), "")


def run_job(job: Job, threads: int, stopped: Callable[[], bool] = lambda: False) -> str | None:
    """Makes a run, or goes on with it; returns why it is not finished, if it is not.

    ``stopped`` is asked now and then; when it is true the run saves and leaves.
    """
    try:
        if not wait_for_lock(job.folder, stopped):
            return f"{job.folder} is in use by another process"
        process = RunProcess(job, threads)
    except OSError as error:
        return f"cannot run in {job.folder.parent}: {error.strerror or error}"
    while not process.ended():
        if stopped():
            process.leave()
    return process.error


def wait_for_lock(folder: Path, stopped: Callable[[], bool] = lambda: False) -> bool:
    """Waits for a run that was abandoned a moment ago; False if its process does not leave."""
    deadline = time.monotonic() + LOCK_PATIENCE
    while is_in_use(folder):
        if stopped() or time.monotonic() > deadline:
            return False
        time.sleep(LOOKS)
    return True


def _importing_this() -> dict[str, str]:
    """So that the process imports the package that this one has."""
    paths = [str(Path(rpl.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(paths)}


def main() -> None:
    """Runs ``rpl`` with the process's arguments for as long as its starter lives."""
    threading.Thread(target=_leave_when_abandoned, daemon=True).start()
    run = resolve_name("rpl.cli.main:run")  # after the watcher, since importing takes seconds
    sys.exit(run(sys.argv[1:]))


def _leave_when_abandoned() -> None:
    os.read(0, 1)  # returns when the other end is closed
    os.kill(os.getpid(), signal.SIGTERM)
