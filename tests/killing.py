"""Runs ``rpl`` many times over, each in a fork of one process that has imported it all.

    python killing.py    # reads jobs as lines of JSON, answers each with one

A job is ``{"words": [...], "folder": ..., "operation": k or null, "seconds": s or null}``: the
run is killed just before its k-th operation on a file of the folder, or after s seconds. The
answer says how it ended, how many operations there were, and what it said on standard error.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
from typing import Any

OPERATIONS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate")


class Operations:
    """Counts what is done to files below a folder, and kills the process before one of them."""

    def __init__(self, folder: str, last: int | None, report: int) -> None:
        self.folder, self.last, self.count, self.report = folder, last, 0, report

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """An audit hook."""
        if event not in OPERATIONS or not isinstance(arguments[0], (str, os.PathLike)):
            return
        if os.fspath(arguments[0]).startswith(self.folder):
            self.count += 1
            os.pwrite(self.report, str(self.count).encode(), 0)
            if self.count == self.last:
                os.kill(os.getpid(), signal.SIGKILL)


def run_forked(job: dict[str, Any]) -> dict[str, Any]:
    """Does a job in a fork, and says how it went."""
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as counted:
        pid = os.fork()
        if pid == 0:
            os._exit(_child(job, said.fileno(), counted.fileno()))
        deadline = time.monotonic() + (job["seconds"] or 3600.0)
        while not (ended := os.waitpid(pid, os.WNOHANG))[0]:
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.002)
        said.seek(0)
        code = os.waitstatus_to_exitcode(ended[1])
        count = int(os.pread(counted.fileno(), 20, 0) or b"0")
        return {"code": code, "operations": count, "said": said.read().decode()}


def _child(job: dict[str, Any], said: int, counted: int) -> int:
    from rpl.cli.main import run

    nowhere = os.open(os.devnull, os.O_RDWR)
    for number, place in ((0, nowhere), (1, nowhere), (2, said)):
        os.dup2(place, number)
    sys.stdout, sys.stderr = (os.fdopen(os.dup(number), "w") for number in (1, 2))
    sys.addaudithook(Operations(job["folder"], job["operation"], counted))
    try:
        return run(job["words"])
    except BaseException:
        import traceback

        traceback.print_exc()
        return 99
    finally:
        sys.stderr.flush()


def main() -> None:
    """Answers jobs until there are no more."""
    import jax
    import tensorboardX  # noqa: F401

    import rpl.cli.train
    import rpl.runs.session  # noqa: F401
    import toys  # noqa: F401

    assert not jax._src.xla_bridge._backends, "forked with the threads of a backend it would hang"
    for line in sys.stdin:
        print(json.dumps(run_forked(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
