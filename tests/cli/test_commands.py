"""The command line in real processes: killing, resuming, interrupting, complaining."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rpl.cli.main import COMMANDS, run

# Small enough for seconds, long enough for the replay ring of 10 episodes to wrap twice.
SMALL = (  # noqa: SIM905
    "--steps 1600 --episodes-per-cycle 2 --cycles-per-epoch 2 --evaluation-episodes 3 "
    "--final-evaluation-episodes 4 --learner.batch-size 16 --learner.updates-per-cycle 4 "
    "--learner.hidden 16 16 --replay.capacity 500 --burn-in.minimum-steps 400"
).split()
WALL_CLOCK = {"wall_seconds", "steps_per_second"}


def command(*words: str) -> list[str]:
    return [sys.executable, "-c", "from rpl.cli.main import main; main()", *words]


def finish(*words: str, cwd: Path) -> subprocess.CompletedProcess:
    return subprocess.run(command(*words), cwd=cwd, capture_output=True, text=True, timeout=300)


def metrics(folder: Path) -> list[dict[str, str]]:
    with open(folder / "metrics.csv") as file:
        rows = list(csv.DictReader(file))
    return [{k: v for k, v in row.items() if k not in WALL_CLOCK} for row in rows]


def wait_for_rows(folder: Path, count: int) -> None:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        path = folder / "metrics.csv"
        if path.exists() and len(path.read_text().splitlines()) > count:
            return
        time.sleep(0.01)
    raise TimeoutError(f"{folder} did not reach {count} rows")


def test_killed_and_resumed_equals_uninterrupted_at_any_number_of_threads(tmp_path):
    whole = finish(
        "train", "slippery-push", *SMALL, "--out", "whole", "--num-threads", "2", cwd=tmp_path
    )
    assert whole.returncode == 0, whole.stderr
    words = ("train", "slippery-push", *SMALL, "--out", "killed", "--num-threads", "1")
    for rows, resume in ((2, ()), (6, ("--resume",))):
        process = subprocess.Popen(command(*words, *resume), cwd=tmp_path)
        wait_for_rows(tmp_path / "killed", rows)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert len(metrics(tmp_path / "killed")) < len(metrics(tmp_path / "whole"))
    last = finish(*words, "--resume", cwd=tmp_path)
    assert last.returncode == 0, last.stderr
    assert metrics(tmp_path / "killed") == metrics(tmp_path / "whole")


def test_interrupt_saves_and_says_how_to_go_on(tmp_path):
    words = ("train", "slippery-push", *SMALL, "--steps", "1000000", "--out", "run")
    process = subprocess.Popen(command(*words), cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    wait_for_rows(tmp_path / "run", 2)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    assert re.search(r"continue with: rpl train slippery-push .*--resume", output)
    again = finish(*words, "--steps", "200", "--resume", cwd=tmp_path)
    assert "is finished" in again.stdout


def test_an_interrupted_run_saves_though_nobody_reads_what_it_says(tmp_path):
    words = ("train", "slippery-push", *SMALL, "--steps", "1000000", "--cycles-per-epoch", "100000")
    process = subprocess.Popen(
        command(*words, "--out", "run"),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    while b"step " not in process.stdout.readline():
        assert process.poll() is None
    process.stdout.close()  # as where Ctrl-C ended `tee` too
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=120) == 1
    with open(tmp_path / "run/checkpoint/last.eqx", "rb") as file:
        assert json.loads(file.readline())["environment_steps"] > 0


@pytest.mark.parametrize("seconds", [1.2, 2.0, 3.0])
def test_an_interrupt_before_there_is_anything_to_save_ends_at_once(seconds, tmp_path):
    words = ("train", "slippery-push", *SMALL, "--steps", "1000000", "--out", "run")
    process = subprocess.Popen(command(*words), cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode in (1, -signal.SIGINT)  # the latter while Python itself starts
    assert "Exception ignored" not in error


def test_a_run_without_its_replay_does_not_go_on(tmp_path):
    words = ("train", "slippery-push", *SMALL, "--out", "run")
    assert finish(*words, "--steps", "100", cwd=tmp_path).returncode == 0
    shutil.rmtree(tmp_path / "run/replay")
    resumed = finish(*words, "--steps", "200", "--resume", cwd=tmp_path)
    assert resumed.returncode == 1
    assert "is not the replay of this run" in resumed.stderr


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("train", "no-such-task"), 2, "there is no task 'no-such-task'; choose one of push"),
        (("eval", "no-such-run"), 2, "there is no task 'no-such-run'"),
        (("train", "push", "--controller", "nobody"), 2, "there is no controller 'nobody'"),
        (("plot", "no-such-run"), 1, "no-such-run"),
        (("eval", "push", "--episodes", "0"), 2, "--episodes must be at least 1"),
        (("eval", "push", "--seed", "-1", "--episodes", "1"), 2, "--seed must be at least 0"),
    ],
)
def test_mistakes_earn_one_sentence(words, code, sentence, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(list(words)) == code
    error = capfd.readouterr().err.strip()
    assert sentence in error
    assert "Traceback" not in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    "words",
    [
        ("train", "push", "--steps", "many"),
        ("train", "push", "--spets"),
        ("train", "push", "--learner", "dqn"),
    ],
)
def test_ill_typed_and_unknown_options_exit_with_2(words, capfd):
    with pytest.raises(SystemExit) as exit_:
        run(list(words))
    assert exit_.value.code == 2
    assert words[2].lstrip("-") in capfd.readouterr().err


def test_a_learner_brings_its_settings_and_each_can_be_changed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = [*SMALL, "--steps", "200", "--learner", "td3", "--learner.critics", "3"]
    assert run(["train", "slippery-push", *words]) == 0
    record = json.loads((tmp_path / "runs/slippery-push-rpl-td3-seed0/config.json").read_text())
    settings = record["config"]["learner"]
    assert record["learner"] == "td3"
    assert (settings["critics"], settings["actor_every"], settings["target_noise"]) == (3, 2, 0.2)


def test_eval_json_has_the_promised_keys_and_nothing_else(capfd):
    assert run(["eval", "push", "--episodes", "3", "--task.physics", "lean", "--json"]) == 0
    report = json.loads(capfd.readouterr().out)
    assert set(report) == {
        "task", "method", "episodes", "seed", "controller", "policy", "difference", "verdict",
        "largest_deviation", "judged_by", "compared_with", "untrained",
    }  # fmt: skip
    assert set(report["controller"]) == {
        "success_rate", "success_interval", "mean_return", "return_interval", "diverged"
    }  # fmt: skip
    assert report["policy"] is None


def test_a_run_can_be_evaluated_plotted_and_filmed(tmp_path):
    trained = finish("train", "slippery-push", *SMALL, "--out", "run", cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    assert "step 100 of 1,600" in trained.stdout
    record = json.loads((tmp_path / "run/config.json").read_text())
    assert record["command"].startswith("rpl train slippery-push --steps 1600")
    evaluated = finish("eval", "run", "--episodes", "4", "--json", cwd=tmp_path)
    report = json.loads(evaluated.stdout)
    assert report["method"] == "rpl"
    assert report["policy"]["success_interval"][1] <= 1.0
    assert finish("plot", "run", "--out", "curve.png", cwd=tmp_path).returncode == 0
    assert (tmp_path / "curve.png").stat().st_size > 10_000
    filmed = finish("watch", "run", "--video", "film.mp4", "--episodes", "1", cwd=tmp_path)
    if "no picture can be drawn here" in filmed.stderr:
        pytest.skip("no OpenGL on this machine")
    assert filmed.returncode == 0, filmed.stderr
    assert (tmp_path / "film.mp4").stat().st_size > 10_000


def test_help_of_every_command(capfd):
    for name in COMMANDS:
        with pytest.raises(SystemExit) as exit_:
            run([name, "--help"])
        assert exit_.value.code == 0
        assert f"usage: rpl {name}" in capfd.readouterr().out


def test_tasks_lists_every_name(capfd):
    os.environ["COLUMNS"] = "200"
    assert run(["tasks"]) == 0
    output = capfd.readouterr().out
    for name in ("slippery-push", "reactive-pick-and-place", "expert-explore"):
        assert name in output
