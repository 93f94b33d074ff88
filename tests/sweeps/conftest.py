"""A Ray cluster, started once, to which tests add the nodes that they lose."""

import os
import sys

import pytest


@pytest.fixture(scope="session")
def cluster():
    pytest.importorskip("ray", reason="the extra [cluster] is not installed")
    pytest.importorskip("optuna", reason="the extra [cluster] is not installed")
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_worker_niceness", "0")  # beside other tests it would starve
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
        yield cluster
        cluster.shutdown()
