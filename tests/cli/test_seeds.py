"""``rpl train --seeds``: the numbers of single runs, in one folder, stopped and resumed as one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rpl.cli.main import run
from rpl.cli.options import without_option
from rpl.sweeps.worker import Job
from small import RUN, metrics, steps_in

WORDS = ["train", "push", *RUN, "--steps", "3000"]
MAIN = "from rpl.cli.main import main; main()"


def test_seeds_that_are_stopped_and_resumed_have_the_numbers_of_single_runs(workplace, capfd):
    source = Path(__file__).parents[2] / "src"
    begun = subprocess.Popen(
        [sys.executable, "-c", MAIN, *WORDS, "--seeds", "2", "--out", "many"],
        env=os.environ | {"PYTHONPATH": str(source)},
        stdout=subprocess.PIPE,
        text=True,
    )
    folders = [Path("many/seed0"), Path("many/seed1")]
    deadline = time.monotonic() + 900
    while not all(len(steps_in(folder)) >= 2 for folder in folders):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    begun.send_signal(signal.SIGINT)
    said, _ = begun.communicate(timeout=900)
    assert begun.returncode == 1
    assert said.splitlines()[-1].startswith("stopped and saved; continue with: rpl train push")
    before = [steps_in(folder) for folder in folders]
    assert all(steps[-1] < 3000 for steps in before)

    capfd.readouterr()
    assert run([*WORDS, "--seeds", "2", "--out", "many", "--resume"]) == 0
    first_words = [line.split()[0] for line in capfd.readouterr().out.splitlines() if line]
    assert " ".join(first_words[-5:]) == "0 1 IQM IQM: done:"
    for seed, folder in enumerate(folders):
        assert run([*WORDS, "--seed", str(seed), "--out", f"single{seed}"]) == 0
        assert metrics(folder) == metrics(Path(f"single{seed}"))
        log = folder.with_name(f"seed{seed}.log").read_text()
        assert log.count(f" {before[seed][1]:,} steps: ") == 1, "it began again"

    capfd.readouterr()
    assert run(["eval", "many", "--episodes", "2", "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert list(found["runs"]) == ["seed0", "seed1"]
    level = found["runs"]["seed0"]["controller"]["success_rate"]
    assert found["interquartile_mean"]["controller"][0] == level
    assert run(["eval", "many", "--episodes", "2"]) == 0
    assert run(["plot", "many", "--out", "curves.png"]) == 0
    assert run(["report", "many", "--films", "0", "--out", "page.html"]) == 0
    assert "2 seeds, and their interquartile mean" in Path("page.html").read_text()
    assert run(["watch", "many"]) == 1
    assert (
        "many is not a run folder: it holds runs, name one as many/seed0" in capfd.readouterr().err
    )


@pytest.fixture
def made(monkeypatch) -> list[Job]:
    """The runs that are asked for; seed 1 has no luck."""
    jobs: list[Job] = []

    def make(job: Job, threads: int, stopped) -> str | None:
        jobs.append(job)
        return "no luck" if job.name == "seed1" else None

    monkeypatch.setattr("rpl.sweeps.local.run_job", make)
    return jobs


def test_the_seeds_follow_the_first_and_a_failure_is_said(workplace, made, capfd):
    assert run([*WORDS, "--seeds=2", "--seed", "1"]) == 1
    assert [job.name for job in made] == ["seed1", "seed2"]
    assert [job.folder for job in made] == [workplace / f"runs/push-rpl/seed{k}" for k in (1, 2)]
    assert made[0].arguments == (*WORDS, "--seed", "1", "--seed", "1")
    said = capfd.readouterr()
    assert "seed1 failed: no luck" in said.out
    assert "1 of 2 runs failed; their logs are in runs/push-rpl" in said.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--seeds", "0"], "--seeds must be from 1 to 1,000, not 0"),
        (["--seeds", "2", "--out", "many"], "many holds a run already: --resume continues it"),
        (["--seeds", "2", "--resume"], "runs/push-rpl holds no run to resume"),
        (["--seeds", "2", "--out", "many/seed0"], "many/seed0 holds a single run"),
        (["--seeds", "2", "--resume", "--overwrite"], "leave out one"),
        (["--seeds", "2", "--out", "many/seed0/config.json"], "config.json is a file: choose"),
    ],
)
def test_what_cannot_be_is_said_before_any_run_begins(workplace, made, capfd, words, sentence):
    folder = workplace / "many/seed0"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    assert run([*WORDS, *words]) in (1, 2)
    assert sentence in capfd.readouterr().err
    assert not made


def test_an_option_is_left_out_however_it_is_written():
    words = ["train", "push", "--seeds", "5", "--steps", "9", "--seeds=3"]
    assert without_option(words, "--seeds") == ["train", "push", "--steps", "9"]


def test_seeds_of_other_settings_are_neither_kept_nor_joined(workplace, made, capfd):
    """What a folder's table averages over was made alike."""
    assert run([*WORDS, "--seed", "2", "--steps", "1", "--out", "many/seed2"]) == 0
    other = [*WORDS, "--seeds", "2", "--out", "many", "--learner.action-l2", "5"]
    assert run([*other, "--resume"]) == 1
    assert "started with other settings (config.learner.action_l2 was" in capfd.readouterr().err
    assert not made
    run([*other, "--overwrite"])
    assert len(made) == 2
    assert not (workplace / "many/seed2/config.json").exists()
