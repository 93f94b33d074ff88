"""Runs as Ray tasks on two nodes, one of which is lost in the middle."""

from __future__ import annotations

import ast
import ipaddress
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest

from rpl.errors import RunError
from rpl.paper.folders import Places, Run, is_in_use
from rpl.paper.matrix import Cell
from rpl.paper.queue import make_runs
from small import RUN, Silent, steps_in

STEPS = 6000
CELL = Cell("push", "rpl", STEPS, 1.0, words=RUN)
RUNS = [Run(CELL, 0), Run(replace(CELL, method="scratch"), 0)]


def test_a_lost_node_loses_no_run(tmp_path, monkeypatch):
    pytest.importorskip("ray", reason="the extra [cluster] is not installed")
    from ray.cluster_utils import Cluster

    from rpl.paper.cluster import RayTasks

    monkeypatch.setenv("RAY_worker_niceness", "0")  # beside other tests it would starve
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        second = cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        places = Places(tmp_path / "runs", tmp_path / "results")
        folders = [places.runs / run.folder for run in RUNS]
        at_loss: list[list[int]] = []

        def lose_a_node() -> None:
            while not all(len(steps_in(f)) >= 3 and is_in_use(f) for f in folders):
                time.sleep(0.02)
            at_loss.extend(map(steps_in, folders))
            cluster.remove_node(second, allow_graceful=False)

        loser = threading.Thread(target=lose_a_node, daemon=True)
        loser.start()
        seen = Silent()
        executor = RayTasks(cluster.address)
        assert make_runs(RUNS, places, executor, seen) == 0
        loser.join(timeout=60)
    finally:
        cluster.shutdown()
    assert at_loss, "the node was never lost"
    assert seen.ended == {run.folder: None for run in RUNS}
    for run, before in zip(RUNS, at_loss, strict=True):
        kept = steps_in(places.results / run.folder)
        assert kept[: len(before)] == before
        assert kept[-1] == STEPS
    # A process prints its first line before it knows its speed; three began for two runs.
    logs = [folder.with_name("seed0.log").read_text() for folder in folders]
    assert sum(log.count("-:--:-- left") for log in logs) == 3
    assert sum(log.count("done: ") for log in logs) == 2


def test_no_cluster_earns_a_sentence():
    pytest.importorskip("ray", reason="the extra [cluster] is not installed")
    from rpl.paper.cluster import RayTasks

    with pytest.raises(
        RunError, match=r"no Ray cluster answers at 127\.0\.0\.1:1: Connection refused"
    ):
        RayTasks("127.0.0.1:1")


LISTENING = """
import os, psutil
from rpl.paper.cluster import RayTasks
tasks = RayTasks("local")
mine = {p.pid for p in [psutil.Process(), *psutil.Process().children(recursive=True)]}
open_ = [c for c in psutil.net_connections("inet") if c.status == "LISTEN" and c.pid in mine]
found = {c.laddr.ip for c in open_}
tasks.stop()
print(sorted(found))
"""


def test_ray_on_this_machine_is_reached_from_this_machine_alone():
    pytest.importorskip("ray", reason="the extra [cluster] is not installed")
    done = subprocess.run([sys.executable, "-c", LISTENING], capture_output=True, text=True)
    found = ast.literal_eval(done.stdout.splitlines()[-1])
    assert found
    assert all(ipaddress.ip_address(a.removeprefix("::ffff:")).is_loopback for a in found), found
