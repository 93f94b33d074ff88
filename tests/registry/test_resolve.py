"""Every setting of a run is decided in one place, from words and objects."""

import json
import sys
from dataclasses import replace

import pytest

import small
import toys
from rpl.cli.main import run
from rpl.cli.train import spec_for
from rpl.learner import ddpg
from rpl.presets import FAST, LEARNERS, PRESETS, Preset
from rpl.registry.catalog import METHODS, TASKS
from rpl.registry.names import UnknownName
from rpl.registry.resolve import presets_of, resolve
from rpl.runs.record import default_folder, record_of, recorded_spec


def test_words_and_objects_resolve_to_the_same_run() -> None:
    words = ["train", "toys:Slide", "--controller", "toys:one", "--learner", "td3"]
    by_words = record_of(spec_for(words), "")
    by_objects = record_of(resolve(toys.Slide, controller=toys.one, learner="td3"), "")
    assert by_words == by_objects


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("method", METHODS)
def test_a_recorded_run_is_read_back_as_it_was(task, method) -> None:
    for preset in presets_of(METHODS[method]):
        spec = resolve(task, method, preset=preset)
        record = json.loads(json.dumps(record_of(spec, "")))
        assert record_of(recorded_spec(record), "") == record_of(spec, "")


@pytest.mark.parametrize("learner", LEARNERS)
def test_a_learner_is_carried_and_not_guessed(learner) -> None:
    spec = resolve("push", learner=learner)
    assert spec.learner == learner
    changed = replace(spec.config, learner=replace(spec.config.learner, critics=2))
    assert replace(spec, config=changed).learner == learner
    assert default_folder(spec).name.count(learner) == (learner != "ddpg")


def test_another_preset_is_another_row(monkeypatch, tmp_path) -> None:
    config = replace(
        FAST,
        steps=300,
        episodes_per_cycle=1,
        evaluation_episodes=2,
        final_evaluation_episodes=2,
        learner=replace(FAST.learner, hidden=(8,), batch_size=8, updates_per_cycle=2),
    )
    monkeypatch.setitem(PRESETS, "tiny", Preset(config, "lean"))
    words = ["train", "push", "--preset", "tiny", "--out", str(tmp_path / "run")]
    assert run(words) == 0
    record = json.loads((tmp_path / "run/config.json").read_text())
    assert (record["preset"], record["config"]["steps"]) == ("tiny", 300)
    assert record["task_options"]["physics"] == "lean"
    with pytest.raises(SystemExit):
        run(["train", "push", "--preset", "unheard-of"])
    with pytest.raises(UnknownName, match="choose one of paper, fast, frugal, ungated, tiny"):
        resolve("push", preset="unheard-of")


def test_another_learner_is_a_file_and_a_row(monkeypatch, tmp_path) -> None:
    monkeypatch.setitem(LEARNERS, "mine", {"actor_every": 3})
    monkeypatch.setitem(sys.modules, "rpl.learner.mine", ddpg)
    words = ["train", "push", "--learner", "mine", *small.RUN, "--steps", "200"]
    assert run([*words, "--out", str(tmp_path / "run")]) == 0
    record = json.loads((tmp_path / "run/config.json").read_text())
    assert (record["learner"], record["config"]["learner"]["actor_every"]) == ("mine", 3)


def test_a_planners_preset_has_two_names() -> None:
    words = ["train", "mbrl-pusher", "--method", "pets"]
    for option in ("--pets", "--preset"):
        spec = spec_for([*words, option, "official"])
        assert spec.config == presets_of(METHODS["pets"])["official"]
