"""A run in MLflow: in the folder ``mlruns`` here, or where MLFLOW_TRACKING_URI says."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow import MlflowClient
from mlflow.entities import Metric, Param

from rpl.runs.settings import flat
from rpl.runs.trackers import Table
from rpl.settings import Record

MOST_PARAMS = 100  # that MLflow takes at once
LONGEST = 500  # letters of a param that every version takes


def opened(name: str, record: Record, known_as: str | None) -> tuple[MLflow, str]:
    """The tracker, and the id under which the run goes on in later sessions."""
    # A folder is what needs no server; MLflow wants to be told that one means it.
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    place = os.environ.get("MLFLOW_TRACKING_URI", Path("mlruns").resolve().as_uri())
    client = MlflowClient(tracking_uri=place)
    if known_as is not None:
        client.update_run(known_as, status="RUNNING")
    else:
        known_as = str(client.create_run(_experiment(client), run_name=name).info.run_id)
        params = [Param(key, str(value)[:LONGEST]) for key, value in flat(record).items()]
        for first in range(0, len(params), MOST_PARAMS):
            client.log_batch(known_as, params=params[first : first + MOST_PARAMS])
    client.log_dict(known_as, record, "config.json")
    return MLflow(client, known_as), known_as


def _experiment(client: MlflowClient) -> str:
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "rpl")
    found = client.get_experiment_by_name(name)
    return client.create_experiment(name) if found is None else found.experiment_id


class MLflow:
    """A ``Tracker``."""

    def __init__(self, client: MlflowClient, run: str) -> None:
        self._client, self._run, self._ended = client, run, False

    def append(self, row: Record, wall_time: float) -> None:
        steps, when = row["environment_steps"], int(wall_time * 1000)
        metrics = [
            Metric(name, float(value), when, steps)
            for name, value in row.items()
            if value is not None and name != "environment_steps"
        ]
        self._client.log_batch(self._run, metrics=metrics)

    def end(self, table: Table, film: bytes | None) -> None:
        shown = {"columns": list(table.columns), "data": list(map(list, table.rows))}
        self._client.log_dict(self._run, shown, "final.json")
        if film is not None:
            with TemporaryDirectory() as temporary:
                file = Path(temporary) / "film.mp4"
                file.write_bytes(film)
                self._client.log_artifact(self._run, str(file))
        self._ended = True

    def close(self) -> None:
        self._client.set_terminated(self._run, status="FINISHED" if self._ended else "KILLED")
