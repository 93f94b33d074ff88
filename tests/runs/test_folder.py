"""The run folder: locks, checkpoints, configuration read back."""

import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import jax
import numpy as np
import pytest

from rpl.config import ExplorationConfig, LearnerConfig, ReplayConfig
from rpl.errors import CannotWrite, RunError, UsageError
from rpl.presets import FAST
from rpl.runs.checkpoint import load_checkpoint
from rpl.runs.files import read_config, write_durably
from rpl.runs.folder import RunFolder
from rpl.training.progress import Progress
from small import RECORD, small_learner


def begin(folder):
    """A run that has learned something."""
    run = RunFolder(folder, RECORD)
    run.append({"environment_steps": 100, "policy_success": 0.5})
    run.close()


def test_existing_run_needs_resume_or_overwrite(tmp_path):
    begin(tmp_path / "run")
    with pytest.raises(RunError, match="--resume continues it, --overwrite replaces it"):
        RunFolder(tmp_path / "run", RECORD)


def test_resuming_and_deleting_at_once_is_refused(tmp_path):
    begin(tmp_path / "run")
    with pytest.raises(UsageError, match="leave out one"):
        RunFolder(tmp_path / "run", RECORD, resume=True, overwrite=True)
    assert (tmp_path / "run" / "config.json").exists()


def test_a_run_that_failed_before_it_learned_anything_is_replaced(tmp_path):
    run = RunFolder(tmp_path, RECORD)
    run.append({"environment_steps": 0, "policy_success": 0.5})
    run.close()
    RunFolder(tmp_path, RECORD | {"task": "other"}).close()
    assert not (tmp_path / "metrics.csv").exists()
    assert read_config(tmp_path)["task"] == "other"


def test_a_refused_folder_is_free_again(tmp_path):
    begin(tmp_path)
    refused = []  # as a notebook keeps the last error, and with it the folder
    try:
        RunFolder(tmp_path, RECORD)
    except RunError as error:
        refused.append(error)
    RunFolder(tmp_path, RECORD, overwrite=True).close()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"final_evaluation_episodes": 0}, "--final-evaluation-episodes must be at least 1"),
        ({"replay": ReplayConfig(n_step=0)}, "--replay.n-step must be at least 1"),
        ({"learner": LearnerConfig(discount=1.0)}, "--learner.discount must be .* below 1"),
        ({"learner": LearnerConfig(polyak=1.5)}, "--learner.polyak must be between 0 and 1"),
        ({"learner": LearnerConfig(hidden=(8, 0))}, "--learner.hidden must be at least 1"),
        ({"learner": LearnerConfig(hidden=())}, "--learner.hidden must be at least 1"),
        ({"learner": LearnerConfig(actor_learning_rate=-1.0)}, "rate must be above 0, not -1"),
        ({"learner": LearnerConfig(learning_rate_halving=0.0)}, "halving must be above 0, not 0"),
        ({"learner": LearnerConfig(initial_std=0.0)}, "--learner.initial-std must be above 0"),
        ({"replay": ReplayConfig(capacity=-5)}, "--replay.capacity must be at least 1, not -5"),
        ({"seed": -1}, "--seed must be at least 0"),
        ({"seed": 2**63}, "--seed must be at least 0 and below"),
        ({"num_envs": 0}, "--num-envs must be at least 1, not 0"),
        ({"exploration": ExplorationConfig(noise=-0.1)}, "--exploration.noise must be at least 0"),
        ({"exploration": ExplorationConfig(random=0.8, expert=0.8)}, "together must be between"),
    ],
)
def test_what_would_fail_hours_later_is_refused_at_once(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        replace(FAST, **change)


def test_overwrite_leaves_nothing_of_the_old_run(tmp_path):
    run = RunFolder(tmp_path, RECORD)
    run.append({"environment_steps": 0, "policy_success": 0.5})
    run.close()
    RunFolder(tmp_path, RECORD | {"task": "other"}, overwrite=True).close()
    assert not (tmp_path / "metrics.csv").exists()
    assert read_config(tmp_path)["task"] == "other"


def test_a_folder_of_somebody_else_is_left_alone(tmp_path):
    (tmp_path / "config.json").write_text('{"name": "web"}')
    (tmp_path / "src").mkdir()
    for words in ({}, {"overwrite": True}, {"resume": True}):
        with pytest.raises(RunError, match="is not a run's: choose another folder"):
            RunFolder(tmp_path, RECORD, **words)
    assert (tmp_path / "src").is_dir()


@pytest.mark.parametrize("overwrite", [True, False])
def test_what_a_run_did_not_write_is_never_deleted(tmp_path, overwrite):
    RunFolder(tmp_path, RECORD).close()
    (tmp_path / "notes.txt").write_text("mine")
    RunFolder(tmp_path, RECORD | {"task": "other"}, overwrite=overwrite).close()
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert read_config(tmp_path)["task"] == "other"


def test_resume_refuses_other_settings_and_names_them(tmp_path):
    RunFolder(tmp_path, RECORD).close()
    other = RECORD | {"config": {"steps": 10, "seed": 7}}
    with pytest.raises(RunError, match=r"config\.seed was 0, is 7"):
        RunFolder(tmp_path, other, resume=True)


@pytest.mark.parametrize(("steps", "recorded"), [(99, 99), (5, 10)])
def test_a_run_that_goes_on_for_longer_records_how_far(tmp_path, steps, recorded):
    run = RunFolder(tmp_path, RECORD)
    run.save(small_learner(), Progress(environment_steps=10), best=False)
    run.close()
    wanted = {"config": {"steps": steps, "seed": 0}, "command": f"rpl train push --steps {steps}"}
    RunFolder(tmp_path, RECORD | wanted, resume=True).close()
    said = read_config(tmp_path)
    assert said["config"] == {"steps": recorded, "seed": 0}
    assert said["command"] == (wanted if steps > 10 else RECORD)["command"]


def test_a_run_older_than_a_setting_had_its_default(tmp_path):
    config = asdict(FAST)
    older = {k: v for k, v in config.items() if k != "num_envs"}
    older["learner"] = {k: v for k, v in config["learner"].items() if k != "critics"}
    RunFolder(tmp_path, RECORD | {"config": older}).close()
    RunFolder(tmp_path, RECORD | {"config": config, "learner": "ddpg"}, resume=True).close()
    config["learner"] |= {"critics": 2}
    with pytest.raises(RunError, match=r"config\.learner\.critics was 1, is 2"):
        RunFolder(tmp_path, RECORD | {"config": config, "learner": "ddpg"}, resume=True)
    with pytest.raises(RunError, match="learner was ddpg, is sac"):
        RunFolder(tmp_path, RECORD | {"config": asdict(FAST), "learner": "sac"}, resume=True)


def test_nothing_to_resume(tmp_path):
    with pytest.raises(RunError, match="no run to resume"):
        RunFolder(tmp_path / "run", RECORD, resume=True)
    assert not (tmp_path / "run").exists()


def test_folder_in_use_by_a_live_process_is_refused(tmp_path):
    hold = (
        "import sys; from pathlib import Path; from rpl.runs.folder import RunFolder\n"
        "run = RunFolder(Path(sys.argv[1]), dict(task='push', config={}))\n"
        "print('held', flush=True); input()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    with pytest.raises(RunError, match="in use by another process"):
        RunFolder(tmp_path, RECORD, overwrite=True)
    process.communicate("\n")
    RunFolder(tmp_path, RECORD, overwrite=True).close()


def test_read_only_folder_is_one_sentence(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(RunError, match=r"cannot write to .*: Permission denied"):
        RunFolder(tmp_path / "run", RECORD)


def test_checkpoint_round_trip_is_exact(tmp_path):
    run, state = RunFolder(tmp_path, RECORD), small_learner()
    progress = Progress(cycle=3, environment_steps=150, last_mean_q=-1.2345678901234567)
    run.save(state, progress, best=True)
    restored, read = load_checkpoint(tmp_path, small_learner(seed=1), Progress, "best")
    run.close()
    assert read == progress
    for a, b in zip(jax.tree.leaves(state), jax.tree.leaves(restored), strict=True):
        np.testing.assert_array_equal(a, b)


def test_worse_checkpoint_does_not_replace_the_best(tmp_path):
    run = RunFolder(tmp_path, RECORD)
    run.save(small_learner(0), Progress(cycle=1), best=True)
    run.save(small_learner(1), Progress(cycle=2), best=False)
    run.close()
    assert load_checkpoint(tmp_path, small_learner(), Progress, "best")[1].cycle == 1
    assert load_checkpoint(tmp_path, small_learner(), Progress, "last")[1].cycle == 2


def test_half_written_checkpoint_is_never_loaded(tmp_path, monkeypatch):
    run = RunFolder(tmp_path, RECORD)
    run.save(small_learner(), Progress(cycle=1), best=False)

    def die(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", die)
    with pytest.raises(CannotWrite, match=r"last.eqx: No space left.*free some space"):
        run.save(small_learner(1), Progress(cycle=2), best=False)
    run.close()
    assert load_checkpoint(tmp_path, small_learner(), Progress)[1].cycle == 1


def test_damaged_checkpoint_is_one_sentence(tmp_path):
    run = RunFolder(tmp_path, RECORD)
    run.save(small_learner(), Progress(), best=False)
    run.close()
    path = tmp_path / "checkpoint" / "last.eqx"
    write_durably(path, path.read_bytes()[:-40])
    with pytest.raises(RunError, match="cannot be read"):
        load_checkpoint(tmp_path, small_learner(), Progress)


def test_rows_after_the_checkpoint_are_taken_back(tmp_path):
    run, state = RunFolder(tmp_path, RECORD), small_learner()
    run.append({"environment_steps": 0, "policy_success": 0.1})
    run.save(state, Progress(rows=1), best=False)
    run.append({"environment_steps": 50, "policy_success": 0.2})
    run.restore(state, Progress)
    run.close()
    assert (tmp_path / "metrics.csv").read_text() == "environment_steps,policy_success\n0,0.1\n"


def test_rows_keep_the_columns_that_a_run_began_with(tmp_path):
    run = RunFolder(tmp_path, RECORD)
    run.append({"environment_steps": 0, "policy_success": 0.1})
    run.append({"environment_steps": 50, "since": 3.0, "policy_success": 0.2})
    run.close()
    assert (tmp_path / "metrics.csv").read_text().split() == [
        "environment_steps,policy_success",
        "0,0.1",
        "50,0.2",
    ]


def test_killed_before_its_first_checkpoint_a_run_begins_again(tmp_path):
    run = RunFolder(tmp_path, RECORD)
    run.append({"environment_steps": 0, "policy_success": 0.5})
    run.close()
    again = RunFolder(tmp_path, RECORD, resume=True)
    again.close()
    assert not again.resumed
    assert not (tmp_path / "metrics.csv").exists(), "its first row would be there twice"


def test_a_folder_that_is_no_run_is_one_sentence(tmp_path):
    with pytest.raises(RunError, match="is not a run folder"):
        read_config(tmp_path)
