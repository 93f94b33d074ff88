"""One run in a process of its own; what local processes and Ray tasks both call.

The process ends itself, after its cycle and with everything saved, as soon as nobody holds
the other end of its standard input: whoever started it may be stopped or killed at any time.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import rpl
from rpl.paper.folders import is_in_use

PROGRAM = (sys.executable, "-c", "from rpl.paper.worker import main; main()")
POLITENESS = ("nice", "-n", "10") if shutil.which("nice") else ()
POLITE = 10
SENT_BACK = ("config.json", "metrics.csv", "checkpoint/last.eqx", "checkpoint/best.eqx")
LOCK_PATIENCE = 120.0  # seconds that a run which was abandoned may take to save and leave


@dataclass(frozen=True)
class Job:
    """A run to be made."""

    arguments: tuple[str, ...]
    """Of ``rpl``, without what the fields below say."""
    folder: str
    """The run folder, below ``root``."""
    root: str
    """Where run folders are, an absolute path."""
    threads: int = 1
    """Its share of the processor cores."""


@dataclass(frozen=True)
class JobOutcome:
    """What came of a job."""

    error: str | None = None
    """What went wrong, in a sentence; None if the run is finished."""
    files: dict[str, bytes] = field(default_factory=dict)
    """The run folder's files, without its replay."""


def run_job(job: Job, stopped: Callable[[], bool] = lambda: False) -> JobOutcome:
    """Makes a run, or continues it, and returns what it left behind.

    ``stopped`` is asked now and then; when it is true the run saves and leaves.
    """
    try:
        return _run(job, Path(job.root) / job.folder, stopped)
    except OSError as error:
        return JobOutcome(f"cannot run in {job.root}: {error.strerror or error}")


def _run(job: Job, folder: Path, stopped: Callable[[], bool]) -> JobOutcome:
    if not _wait_for_lock(folder, stopped):
        return JobOutcome(f"{folder} is in use by another process")
    folder.parent.mkdir(parents=True, exist_ok=True)
    log = folder.with_name(folder.name + ".log")
    with open(log, "ab") as output:
        begun = output.tell()
        process = subprocess.Popen(
            _command(job, resume=(folder / "config.json").exists()),
            cwd=job.root,
            env=_environment(job.threads),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a Ctrl-C is for who started it, who then lets go
        )
        code = _wait(process, stopped)
    if code < 0:
        return JobOutcome(f"killed by {signal.Signals(-code).name}")
    if code != 0:
        return JobOutcome(_last_line(log, begun) or f"ended with exit code {code}")
    files = {name: folder / name for name in SENT_BACK}
    return JobOutcome(
        None, {name: path.read_bytes() for name, path in files.items() if path.exists()}
    )


def _command(job: Job, resume: bool) -> list[str]:
    words = ["--num-threads", str(job.threads), "--out", job.folder]
    polite = POLITENESS if os.nice(0) < POLITE else ()  # Ray's workers are already
    return [*polite, *PROGRAM, *job.arguments, *words, *(["--resume"] if resume else [])]


def _environment(threads: int) -> dict[str, str]:
    count = str(threads)
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(
            [str(Path(rpl.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
        ),
        "NPROC": count,  # the size of XLA's pool of threads
        "OMP_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
    }


def _wait(process: subprocess.Popen, stopped: Callable[[], bool]) -> int:
    while True:
        try:
            return process.wait(timeout=0.2)
        except subprocess.TimeoutExpired:
            if stopped() and process.stdin is not None and not process.stdin.closed:
                process.stdin.close()


def _wait_for_lock(folder: Path, stopped: Callable[[], bool]) -> bool:
    """Waits for a run that was abandoned a moment ago; False if its process does not leave."""
    deadline = time.monotonic() + LOCK_PATIENCE
    while is_in_use(folder):
        if stopped() or time.monotonic() > deadline:
            return False
        time.sleep(0.5)
    return True


def _last_line(log: Path, begun: int) -> str:
    """Of what was written from byte ``begun`` on."""
    text = log.read_bytes()[begun:].decode(errors="replace")
    lines = [line.strip() for line in text.splitlines()]
    return next((line for line in reversed(lines) if line), "")


def main() -> None:
    """Runs ``rpl`` with the process's arguments for as long as its starter lives."""
    threading.Thread(target=_leave_when_abandoned, daemon=True).start()
    from rpl.cli.main import run  # after the watcher: importing takes seconds

    sys.exit(run(sys.argv[1:]))


def _leave_when_abandoned() -> None:
    os.read(0, 1)  # returns when the other end is closed
    os.kill(os.getpid(), signal.SIGTERM)
