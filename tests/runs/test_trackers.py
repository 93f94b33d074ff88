"""Runs in W&B and MLflow, offline: what arrives there, and that a resumed run is the same one."""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rpl.cli.main import run
from rpl.errors import RunError
from rpl.runs.files import read_rows
from rpl.runs.folder import RunFolder
from rpl.runs.trackers import check_installed
from rpl.training.progress import Progress
from small import RECORD, USER_RUN, small_learner

WORDS = ("train", "toys:Slide", "--controller", "toys:one", *USER_RUN, "--out", "run")
FILM = b"\0\0\0 ftypisom"
NUMBERS = {
    "success_rate": 0.75,
    "success_interval": (0.5, 0.875),
    "mean_return": -2.5,
    "return_interval": (-3.0, -2.0),
}
VERDICT = {
    "verdict": "better",
    "episodes": 40,
    **dict.fromkeys(("policy", "controller", "difference"), NUMBERS),
}
ROWS = [
    {"environment_steps": steps, "policy_success": steps / 1000, "actor_loss": loss}
    for steps, loss in ((0, None), (100, 0.5), (200, 0.25))
]


def tracked(name: str, folder: Path) -> None:
    """A run of two sessions: the second takes up the first, and ends."""
    learner = small_learner()
    first = RunFolder(folder / "run", RECORD, track=name)
    first.start_tracking()
    for row in ROWS[:2]:
        first.append(row)
    first.save(learner, Progress(environment_steps=100, rows=2), best=True)
    first.close()
    longer = RECORD | {"config": RECORD["config"] | {"steps": 200}}
    second = RunFolder(folder / "run", longer, resume=True, track=name)
    second.restore(learner, Progress)
    second.start_tracking()
    second.append(ROWS[2])
    ended = Progress(environment_steps=200, rows=3, verdict=VERDICT)
    second.save(learner, ended, best=False)
    second.end(FILM)
    second.close()


def kept_offline(folder: Path) -> list:
    """The records that W&B has written in all sessions of the run."""
    from wandb.proto import wandb_internal_pb2

    records = []
    for file in sorted(folder.glob("wandb/offline-run-*/*.wandb")):
        for data in logged_in(file.read_bytes()):
            records.append(wandb_internal_pb2.Record())
            records[-1].ParseFromString(data)
    return records


def logged_in(data: bytes, block: int = 32768, head: int = 7) -> Iterator[bytes]:
    """The entries of a file in LevelDB's log format, after W&B's own first seven bytes."""
    at, parts = head, b""
    while at + head <= len(data):
        left = block - at % block
        if left < head:
            at += left
            continue
        _, size, kind = struct.unpack_from("<IHB", data, at)
        parts += data[at + head : at + head + size]
        at += head + size
        if kind in (1, 4):  # the whole, or its last part
            yield parts
            parts = b""


def test_wandb_gets_configuration_numbers_film_and_final_table(workplace, monkeypatch):
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    tracked("wandb", workplace)
    wandb.teardown()  # its process may still be writing
    by_kind: dict[str, list] = {}
    for record in kept_offline(workplace):
        kind = record.WhichOneof("record_type")
        by_kind.setdefault(kind, []).append(getattr(record, kind))
    assert len(by_kind["run"]) >= 2
    (known_as,) = {one.run_id for one in by_kind["run"]}
    assert json.loads((workplace / "run/tracked.json").read_text()) == {
        "wandb": known_as,
        "wandb-ended": "told",
    }
    history = [
        {item.nested_key[0] if item.nested_key else item.key: item.value_json for item in of.item}
        for of in by_kind["history"]
    ]
    numbers = [
        {name: json.loads(entry[name]) for name in ROWS[0] if name in entry}
        for entry in history
        if "policy_success" in entry
    ]
    assert numbers == [{k: v for k, v in row.items() if v is not None} for row in ROWS]
    config = {
        item.key: json.loads(item.value_json)
        for of in by_kind["config"]
        for item in of.update
        if item.key
    }
    assert config["task"] == RECORD["task"]
    assert config["config"]["steps"] == 200
    assert {"final", "film"} <= history[-1].keys()
    (table,) = workplace.glob("wandb/offline-run-*/files/media/table/final*.json")
    assert json.loads(table.read_text())["data"] == EXPECTED
    (film,) = workplace.glob("wandb/offline-run-*/files/media/videos/film*.mp4")
    assert film.read_bytes() == FILM


EXPECTED = [
    [who, 0.75, 0.5, 0.875, -2.5, -3.0, -2.0, 40, "better"]
    for who in ("policy", "controller", "difference")
]


def test_mlflow_gets_configuration_numbers_film_and_final_table(workplace, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    tracked("mlflow", workplace)
    client = mlflow.MlflowClient(tracking_uri=(workplace / "mlruns").as_uri())
    (found,) = client.search_runs([client.get_experiment_by_name("rpl").experiment_id])
    known_as = found.info.run_id
    assert json.loads((workplace / "run/tracked.json").read_text()) == {
        "mlflow": known_as,
        "mlflow-ended": "told",
    }
    assert found.info.status == "FINISHED"
    assert found.data.params["task"] == RECORD["task"]
    for name in ("policy_success", "actor_loss"):
        history = client.get_metric_history(known_as, name)
        rows = [row for row in ROWS if row[name] is not None]
        assert [(one.step, one.value) for one in history] == [
            (row["environment_steps"], row[name]) for row in rows
        ]
    (place,) = (workplace / "mlruns").glob(f"*/{known_as}/artifacts")
    assert json.loads((place / "config.json").read_text())["config"]["steps"] == 200
    assert json.loads((place / "final.json").read_text())["data"] == EXPECTED
    assert (place / "film.mp4").read_bytes() == FILM


def test_what_a_tracker_refuses_is_said_in_a_sentence(workplace, monkeypatch):
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nowhere://")
    folder = RunFolder(workplace / "run", RECORD, track="mlflow")
    with pytest.raises(RunError, match=r"mlflow cannot track the run: .*nowhere"):
        folder.start_tracking()
    folder.close()


def test_a_trained_run_is_tracked_with_its_film(workplace, monkeypatch):
    """Of a run without verdict the final table is its last evaluation."""
    pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert run([*WORDS, "--method", "scratch", "--steps", "100", "--track", "mlflow"]) == 0
    (place,) = (workplace / "mlruns").glob("*/*/artifacts")
    table = json.loads((place / "final.json").read_text())
    last = read_rows(workplace / "run/metrics.csv")[-1]
    policy, controller = (dict(zip(table["columns"], row, strict=True)) for row in table["data"])
    assert policy["who"] == "policy"
    assert policy["return"] == float(last["policy_return"])
    assert policy["episodes"] == 4
    assert controller["who"] == "controller"
    assert (place / "film.mp4").read_bytes()[4:8] == b"ftyp"


def test_what_a_tracker_could_not_be_told_in_the_end_it_is_told_later(
    workplace, monkeypatch, capsys
):
    pytest.importorskip("mlflow")
    from rpl.runs.mlflow_tracker import MLflow

    def full(self, table, film):
        raise OSError("no space left")

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    words = [*WORDS, "--method", "scratch", "--steps", "100", "--track", "mlflow"]
    with monkeypatch.context() as patch:
        patch.setattr(MLflow, "end", full)
        assert run(words) == 1
    assert not list((workplace / "mlruns").glob("*/*/artifacts/final.json"))
    assert run([*words, "--resume"]) == 0
    assert list((workplace / "mlruns").glob("*/*/artifacts/final.json"))
    capsys.readouterr()
    assert run([*words, "--resume"]) == 0
    assert "is finished at" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["x{", "[1]", '"a"', '{"mlflow": 5}'])
def test_damaged_ids_are_said(text, workplace):
    pytest.importorskip("mlflow")
    folder = RunFolder(workplace / "run", RECORD, track="mlflow")
    (workplace / "run/tracked.json").write_text(text)
    with pytest.raises(RunError, match=r"tracked\.json is damaged: delete it"):
        folder.start_tracking()
    folder.close()


def test_without_the_package_it_says_what_to_install_before_anything_is_begun(
    workplace, monkeypatch, capsys
):
    for name in ("wandb", "mlflow"):
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(RunError, match=rf"pip install -e '\.\[{name}\]'"):
            check_installed(name)
        assert run([*WORDS, "--track", name]) == 1
        assert f"--track {name} needs {name}" in capsys.readouterr().err
    assert not (workplace / "run").exists()
