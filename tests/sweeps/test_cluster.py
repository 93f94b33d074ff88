"""A list of runs as trials of Ray Tune; tests of a sweep lose a node."""

from __future__ import annotations

import ast
import ipaddress
import subprocess
import sys
import time

import pytest

from rpl.errors import RunError
from rpl.sweeps.cluster import connected, make_on_ray
from rpl.sweeps.progress import is_in_use
from rpl.sweeps.worker import Job
from small import Silent, small_jobs, steps_in


def test_runs_are_made_in_their_order_and_what_fails_is_not_tried_again(cluster, tmp_path):
    (job,) = small_jobs(tmp_path, 400, "rpl")
    wrong = Job("wrong", ("train", "no-such-task"), tmp_path / "wrong", tmp_path)
    seen = Silent()
    assert make_on_ray([wrong, job], cluster.address, 1, seen)
    assert list(seen.ended) == ["wrong", "rpl"]
    assert "no task 'no-such-task'" in (seen.ended["wrong"] or "")
    assert seen.ended["rpl"] is None
    assert steps_in(job.folder) == [0, 200, 400]
    assert (tmp_path / "wrong.log").read_text().count("no-such-task") == 1


def test_runs_that_are_stopped_save_and_leave(cluster, tmp_path):
    (job,) = small_jobs(tmp_path, 1_000_000, "rpl")

    class Stopping(Silent):
        def on_tick(self) -> bool:
            return len(steps_in(job.folder)) >= 2

    seen = Stopping()
    assert not make_on_ray([job], cluster.address, 1, seen)
    assert seen.ended == {}
    deadline = time.monotonic() + 60
    while is_in_use(job.folder):
        assert time.monotonic() < deadline, "the run did not leave"
        time.sleep(0.05)
    assert "and saved; continue with: rpl train" in (tmp_path / "rpl.log").read_text()


def test_no_cluster_earns_a_sentence():
    pytest.importorskip("ray", reason="the extra [cluster] is not installed")
    expected = r"no Ray cluster answers at 127\.0\.0\.1:1: Connection refused"
    with pytest.raises(RunError, match=expected), connected("127.0.0.1:1"):
        pass


LISTENING = """
import os, psutil
from rpl.sweeps.cluster import connected
with connected("local"):
    mine = {p.pid for p in [psutil.Process(), *psutil.Process().children(recursive=True)]}
    open_ = [c for c in psutil.net_connections("inet") if c.status == "LISTEN" and c.pid in mine]
    found = {c.laddr.ip for c in open_}
print(sorted(found))
"""


def test_ray_on_this_machine_is_reached_from_this_machine_alone():
    pytest.importorskip("ray", reason="the extra [cluster] is not installed")
    done = subprocess.run([sys.executable, "-c", LISTENING], capture_output=True, text=True)
    found = ast.literal_eval(done.stdout.splitlines()[-1])
    assert found
    assert all(ipaddress.ip_address(a.removeprefix("::ffff:")).is_loopback for a in found), found
