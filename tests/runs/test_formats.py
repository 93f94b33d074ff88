"""Files of older formats are migrated; those of newer ones are refused in a sentence."""

import json
from pathlib import Path

import jax
import pytest

from rpl import learner
from rpl.config import LearnerConfig
from rpl.errors import RunError
from rpl.registry.resolve import resolve
from rpl.runs.checkpoint import load_checkpoint
from rpl.runs.files import FORMAT, read_config
from rpl.runs.folder import RunFolder
from rpl.runs.record import record_of, recorded_spec
from rpl.training.progress import Progress

RESULTS = Path(__file__).parents[2] / "results"


def small_learner():
    return learner.create(
        jax.random.key(0), {"observation": 3, "desired_goal": 2}, 1, LearnerConfig(hidden=(4,))
    )


def begin(folder: Path, record: dict) -> None:
    run = RunFolder(folder, record)
    run.save(small_learner(), Progress(environment_steps=10), best=True)
    run.close()


def test_a_run_says_in_which_format_it_is(tmp_path) -> None:
    begin(tmp_path, {"task": "push"})
    assert json.loads((tmp_path / "config.json").read_text())["format"] == FORMAT
    with open(tmp_path / "checkpoint/last.eqx", "rb") as file:
        assert json.loads(file.readline())["format"] == FORMAT
    assert load_checkpoint(tmp_path, small_learner(), Progress)[1].environment_steps == 10


@pytest.mark.parametrize("name", ["td3", "sac", "ddpg"])
def test_a_record_without_a_format_names_its_learner_once(tmp_path, name) -> None:
    record = json.loads(json.dumps(record_of(resolve("push", learner=name), "")))
    del record["config"]["learner"]["algorithm"]
    if name == "ddpg":
        del record["learner"]  # the oldest runs knew no other
    (tmp_path / "config.json").write_text(json.dumps(record))
    assert recorded_spec(read_config(tmp_path)) == recorded_spec(
        json.loads(json.dumps(record_of(resolve("push", learner=name), "")))
    )


def test_a_run_without_a_format_goes_on(tmp_path) -> None:
    record = record_of(resolve("push", learner="td3"), "rpl train push")
    begin(tmp_path, record)
    older = json.loads((tmp_path / "config.json").read_text())
    del older["format"], older["config"]["learner"]["algorithm"]
    (tmp_path / "config.json").write_text(json.dumps(older))
    path = tmp_path / "checkpoint/last.eqx"
    head, _, rest = path.read_bytes().partition(b"\n")
    stood = json.loads(head)
    del stood["format"]
    path.write_bytes(json.dumps(stood).encode() + b"\n" + rest)
    run = RunFolder(tmp_path, record, resume=True)
    assert run.restore(small_learner(), Progress)[1].environment_steps == 10
    run.close()


def test_results_of_every_method_are_read() -> None:
    rows = sorted(RESULTS.glob("*/*/seed0"))
    assert rows
    for row in rows:
        record = read_config(row)
        spec = recorded_spec(record)
        assert (spec.method, spec.learner) == (record["method"], record.get("learner"))


def test_a_newer_format_is_refused_in_a_sentence(tmp_path) -> None:
    begin(tmp_path, {"task": "push"})
    newer = f"has format {FORMAT + 1}, and this version of rpl reads formats up to {FORMAT}: up"
    path = tmp_path / "checkpoint/last.eqx"
    head, _, rest = path.read_bytes().partition(b"\n")
    stood = json.loads(head) | {"format": FORMAT + 1, "of": "tomorrow"}
    path.write_bytes(json.dumps(stood).encode() + b"\n" + rest)
    with pytest.raises(RunError, match=newer):
        load_checkpoint(tmp_path, small_learner(), Progress)
    (tmp_path / "config.json").write_text(json.dumps({"task": "push", "format": FORMAT + 1}))
    with pytest.raises(RunError, match=newer):
        read_config(tmp_path)
