"""The command line: killing, resuming and interrupting real processes; complaining."""

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import imageio.v3
import numpy as np
import pytest

from rpl.cli.main import COMMANDS, run
from rpl.presets import LEARNERS
from rpl.registry.catalog import CONTROLLERS, METHODS, TASKS
from small import RUN, metrics, steps_in

# Long enough for the replay ring of 10 episodes to wrap twice.
TRAIN = ("train", "slippery-push", *RUN, "--steps", "1600", "--burn-in.minimum-steps", "400")

MOMENT = """
import gc, os, signal, sys, time
from rpl.cli.main import main

def at(event, last, act, number=1):
    left = [number]

    def hook(name, arguments):
        if name == event and any(str(word).endswith(last) for word in arguments[:2]):
            left[0] -= 1
            if left[0] == 0:
                act()

    sys.addaudithook(hook)

def tell(*_):
    gc.callbacks.clear()
    print("now", flush=True)
    time.sleep(120)

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def collect():
    gc.callbacks.append(tell)  # where no exception leads out of
    gc.collect()
"""
"""What a process begins with that does something at a definite moment of its own."""


def command(*words: str, first: str = "from rpl.cli.main import main") -> list[str]:
    return [sys.executable, "-c", f"{first}\nmain()", *words]


def finish(*words: str, cwd: Path, first: str = MOMENT) -> subprocess.CompletedProcess:
    words = tuple(command(*words, first=first))
    return subprocess.run(words, cwd=cwd, capture_output=True, text=True, timeout=300)


def wait_for_rows(folder: Path, count: int) -> None:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        if len(steps_in(folder)) >= count:
            return
        time.sleep(0.01)
    raise TimeoutError(f"{folder} did not reach {count} rows")


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A run that nothing disturbed, on two threads."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    assert run([*TRAIN, "--out", str(folder), "--num-threads", "2"]) == 0
    return folder


def test_killed_and_resumed_equals_uninterrupted_at_any_number_of_threads(trained, tmp_path):
    words = (*TRAIN, "--out", "killed", "--num-threads", "1")
    # Each time a row is written and episodes are stored that no checkpoint knows of yet.
    killed = "\nat('os.rename', 'last.eqx', die, {})"
    for checkpoint, resume, rows in ((3, (), 3), (4, ("--resume",), 6)):
        dead = finish(*words, *resume, cwd=tmp_path, first=MOMENT + killed.format(checkpoint))
        assert dead.returncode == -signal.SIGKILL, dead.stderr
        assert len(metrics(tmp_path / "killed")) == rows
    last = finish(*words, "--resume", cwd=tmp_path)
    assert last.returncode == 0, last.stderr
    assert metrics(tmp_path / "killed") == metrics(trained)


def test_interrupt_saves_and_says_how_to_go_on(tmp_path):
    words = (*TRAIN, "--steps", "1000000", "--out", "run")
    process = subprocess.Popen(command(*words), cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    wait_for_rows(tmp_path / "run", 2)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    assert re.search(r"continue with: rpl train slippery-push .*--resume", output)
    again = finish(*words, "--steps", "200", "--resume", cwd=tmp_path)
    assert "is finished" in again.stdout


def test_a_run_saves_though_its_terminal_is_gone(tmp_path):
    words = (*TRAIN, "--steps", "1000000", "--cycles-per-epoch", "100000")
    child, terminal = pty.fork()
    if child == 0:  # SIGHUP comes to whoever a terminal belongs to, and to write to it fails
        os.chdir(tmp_path)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # also where the tests run under nohup
        os.execvp(sys.executable, command(*words, "--out", "run"))
    seen = b""
    while b"critic loss" not in seen:
        seen += os.read(terminal, 1000)
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 1
    with open(tmp_path / "run/checkpoint/last.eqx", "rb") as file:
        assert json.loads(file.readline())["environment_steps"] > 0


@pytest.mark.parametrize("backend", ["bogus", "disable"])
def test_a_backend_that_cannot_draw_is_said_where_something_is_to_be_drawn(
    backend, tmp_path, monkeypatch
):
    monkeypatch.setenv("MUJOCO_GL", backend)
    words = ("watch", "push", "--episodes", "1", "--no-contrast", "--strip", "strip.png")
    ended = finish(*words, cwd=tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith("rpl: ")
    assert "MUJOCO_GL" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not list(tmp_path.iterdir())


def test_an_interrupted_run_saves_though_nobody_reads_what_it_says(tmp_path):
    words = (*TRAIN, "--steps", "1000000", "--cycles-per-epoch", "100000")
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


@pytest.mark.parametrize(
    "moment",
    ["at('import', 'jax', collect)", "at('os.rename', 'config.json', collect)"],
    ids=["while libraries are imported", "while the folder is made"],
)
def test_an_interrupt_before_there_is_anything_to_save_ends_at_once(moment, tmp_path):
    process = subprocess.Popen(
        command(*TRAIN, "--out", "run", first=f"{MOMENT}\n{moment}"),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "now\n"
        process.send_signal(signal.SIGINT)
        said, error = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, said, error) == (1, "", "rpl: interrupted\n")
    assert not (tmp_path / "run/checkpoint").exists()


def test_an_interrupt_while_a_file_is_written_leaves_the_older_one_alone(trained, tmp_path):
    (tmp_path / "curves.png").write_bytes(b"good")
    process = subprocess.Popen(
        command(
            *("plot", str(trained), "--out", "curves.png"),
            first=f"{MOMENT}\nat('os.rename', 'curves.png', collect)",
        ),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "now\n"
    assert len(list(tmp_path.iterdir())) == 2
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60) == ("", "rpl: interrupted\n")
    assert process.returncode == 1
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"good"]


def test_a_run_without_its_replay_does_not_go_on(tmp_path, capfd):
    words = [*TRAIN, "--out", str(tmp_path / "run")]
    assert run([*words, "--steps", "100"]) == 0
    shutil.rmtree(tmp_path / "run/replay")
    assert run([*words, "--steps", "200", "--resume"]) == 1
    assert "is not the replay of this run" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("train", "no-such-task"), 2, "there is no task 'no-such-task'; choose one of push"),
        (("eval", "no-such-run"), 2, "there is no task 'no-such-run'"),
        (("train", "push", "--controller", "nobody"), 2, "there is no controller 'nobody'"),
        (("plot", "no-such-run"), 1, "no-such-run is not a run: it has no config.json"),
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
    words = ["--steps", "200", "--learner", "td3", "--learner.critics", "3"]
    assert run([*TRAIN, *words]) == 0
    record = json.loads((tmp_path / "runs/slippery-push-rpl-td3-seed0/config.json").read_text())
    assert record["learner"] == "td3"
    assert record["config"]["learner"].items() >= (LEARNERS["td3"] | {"critics": 3}).items()


LOUD = """
import ctypes
import os

import toys


class Loud(toys.Slide):
    def reset(self, **keywords):
        print("in Python")
        os.write(1, b"in a file\\n")
        ctypes.CDLL(None).puts(b"in C")
        return super().reset(**keywords)
"""


@pytest.mark.parametrize("command", [["eval", "--episodes", "2"], ["check"]], ids=lambda c: c[0])
def test_json_stands_alone_whatever_an_environment_prints(workplace, capfd, command):
    Path("loud.py").write_text(LOUD)
    name, *words = command
    assert run([name, "loud:Loud", "--controller", "toys:one", *words, "--json"]) == 0
    output, error = capfd.readouterr()
    assert json.loads(output)
    for where in ("in Python", "in a file", "in C"):
        assert where in error


def test_eval_json_has_the_promised_keys_and_nothing_else(capfd):
    assert run(["eval", "push", "--episodes", "3", "--task.physics", "lean", "--json"]) == 0
    report = json.loads(capfd.readouterr().out)
    assert set(report) == {
        "task", "method", "episodes", "seed", "controller", "policy", "difference", "verdict",
        "largest_deviation", "judged_by", "compared_with", "untrained", "acted_share", "remark",
    }  # fmt: skip
    assert set(report["controller"]) == {
        "success_rate", "success_interval", "mean_return", "return_interval", "diverged", "starts"
    }  # fmt: skip
    assert report["policy"] is None


def test_a_run_can_be_evaluated_plotted_and_filmed(trained, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    folder = str(trained)
    record = json.loads((trained / "config.json").read_text())
    assert record["command"].startswith(f"rpl train slippery-push {RUN[0]}")
    assert run(["eval", folder, "--episodes", "4", "--json"]) == 0
    report = json.loads(capfd.readouterr().out)
    assert report["method"] == "rpl"
    low, high = report["policy"]["success_interval"]
    assert 0.0 <= low <= report["policy"]["success_rate"] <= high <= 1.0
    assert run(["plot", folder, "--out", "curve.png"]) == 0
    assert imageio.v3.imread("curve.png")[..., :3].std() > 10  # not an empty picture
    filmed = run(["watch", folder, "--video", "film.mp4", "--episodes", "1"])
    if "no picture can be drawn here" in capfd.readouterr().err:
        pytest.skip("no OpenGL on this machine")
    assert filmed == 0
    frames = imageio.v3.imread("film.mp4")
    assert len(frames) > 50  # a whole episode
    first, later = (frames[i, : frames.shape[1] // 2].astype(int) for i in (0, 40))
    assert np.abs(first - later).max() > 50  # above the caption something moves


def test_a_run_says_how_far_it_is(tmp_path, capfd):
    assert run([*TRAIN, "--steps", "200", "--out", str(tmp_path / "run")]) == 0
    assert "step 100 of 200" in capfd.readouterr().out


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_every_command(name, capfd):
    with pytest.raises(SystemExit) as exit_:
        run([name, "--help"])
    assert exit_.value.code == 0
    assert f"usage: rpl {name}" in capfd.readouterr().out


def test_tasks_lists_every_name(capfd, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert run(["tasks"]) == 0
    lines = capfd.readouterr().out.splitlines()
    listed = [line.split()[0] for line in lines if line]
    assert listed == ["task", *TASKS, "controller", *CONTROLLERS, "method", *METHODS]


@pytest.mark.parametrize("words", [("tasks",), ("check", "Pendulum-v1", "--json")], ids=str)
def test_where_nobody_reads_nothing_is_said(words) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    main = "from rpl.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", main, *words], stdout=writing, stderr=subprocess.PIPE, text=True
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")
