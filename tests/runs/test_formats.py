"""Files of older formats are migrated; those of newer ones are refused in a sentence."""

import dataclasses
import json
from dataclasses import replace
from pathlib import Path

import equinox as eqx
import numpy as np
import pytest

from rpl import learner
from rpl.cli.main import run
from rpl.errors import RunError
from rpl.registry.resolve import resolve
from rpl.runs.checkpoint import load_checkpoint, read_stored
from rpl.runs.files import FORMAT, read_config
from rpl.runs.folder import RunFolder
from rpl.runs.record import record_of, recorded_spec
from rpl.training.progress import Progress
from rpl.training.trust import FULL
from small import small_learner

RESULTS = Path(__file__).parents[2] / "results"


def begin(folder: Path, record: dict) -> None:
    folder_of_run = RunFolder(folder, record)
    folder_of_run.save(small_learner(), Progress(environment_steps=10), best=True)
    folder_of_run.close()


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


def test_what_a_record_calls_judged_by_is_its_metric(tmp_path) -> None:
    record = {"task": "toys:Slide", "judged_by": "return", "task_options": {"judged_by": "auto"}}
    (tmp_path / "config.json").write_text(json.dumps(record))
    read = read_config(tmp_path)
    assert (read["metric"], read["task_options"]) == ("return", {"metric": "auto"})
    assert "judged_by" not in read


def older_run(folder: Path, record: dict) -> learner.LearnerState:
    """A run as format 0 had it: goals had a normaliser of their own, after that of all else."""
    shown = {"observation": np.ones((4, 3), np.float32), "desired_goal": np.ones((4, 2))}
    state = learner.observe(small_learner(), shown)
    begin(folder, record)
    older = json.loads((folder / "config.json").read_text())
    del older["format"], older["config"]["learner"]["algorithm"]
    (folder / "config.json").write_text(json.dumps(older))
    whole = state.normalizer
    parts = [
        replace(whole, mean=whole.mean[at], squared_deviation=whole.squared_deviation[at])
        for at in (slice(0, 3), slice(3, 5))
    ]
    stood = dataclasses.asdict(Progress(environment_steps=10))
    for name in ("last", "best"):
        with open(folder / f"checkpoint/{name}.eqx", "wb") as file:
            file.write(json.dumps(stood).encode() + b"\n")
            apart = eqx.tree_at(lambda s: s.normalizer, state, tuple(parts))
            eqx.tree_serialise_leaves(file, apart)
    return state


def test_a_checkpoint_without_a_format_is_read_as_it_was(tmp_path) -> None:
    state = older_run(tmp_path, record_of(resolve("push", learner="td3"), "rpl train push"))
    read, stood = load_checkpoint(tmp_path, small_learner(), Progress, "best")
    assert stood.environment_steps == 10
    assert eqx.tree_equal(read, state)
    assert float(read.normalizer.count) == 4.0


def test_a_run_without_a_format_is_read_but_does_not_go_on(tmp_path, capfd) -> None:
    older_run(tmp_path, record_of(resolve("push"), "rpl train push"))
    before = sorted(tmp_path.rglob("*"))
    assert run(["train", "push", "--out", str(tmp_path), "--resume"]) == 1
    assert "was begun by an earlier version" in capfd.readouterr().err
    assert set(tmp_path.rglob("*")) - set(before) <= {tmp_path / "lock"}


def test_results_of_every_method_are_read() -> None:
    rows = sorted(path.parent for path in RESULTS.glob("*/*/seed0/config.json"))
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


@pytest.mark.parametrize("name", ["ddpg", "sac"])
def test_a_record_of_before_the_gate_names_what_it_was(tmp_path, name) -> None:
    settings = {"algorithm": name, "critics": 2}
    record = {"task": "push", "format": 1, "learner": name, "config": {"learner": settings}}

    def read(preset: str, **changes) -> dict:
        config = {"learner": settings | changes}
        text = json.dumps(record | {"preset": preset, "config": config})
        (tmp_path / "config.json").write_text(text)
        return read_config(tmp_path)

    assert read("fast")["preset"] == "ungated"
    assert read("paper")["preset"] == "paper"
    assert read("fast", gate=True, aggregate="bound")["preset"] == "fast"
    aggregate = read("paper")["config"]["learner"].get("aggregate", "first")
    assert aggregate == {"ddpg": "first", "sac": "least"}[name]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"trusted": True, "unharmed": 0}, FULL),
        ({"trusted": False, "unharmed": 1}, 1),
        ({"trusted": False, "unharmed": 9}, FULL),
        ({"trusted": True}, FULL),
    ],
    ids=str,
)
def test_trust_that_was_a_yes_and_a_count_is_read_as_degrees(before, after, tmp_path) -> None:
    begin(tmp_path, {"task": "push"})
    path = tmp_path / "checkpoint/last.eqx"
    stored = read_stored(path)
    older = {k: v for k, v in stored.progress.items() if k != "trust"} | before
    path.write_bytes(json.dumps({"format": 1} | older).encode() + b"\n" + stored.arrays)
    assert load_checkpoint(tmp_path, small_learner(), Progress)[1].trust == after
