"""A sweep on two nodes, one of which is lost; what it remembers; whom it stops early."""

from __future__ import annotations

import csv
import json
import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from rpl.cli.main import run
from rpl.errors import RunError
from rpl.runs.files import write_config
from rpl.sweeps.progress import is_in_use
from rpl.sweeps.study import Plan, SweepRecord, Trial, count_of, draw, early_stopping, search_in
from small import RECORD, RUN, steps_in

pytest.importorskip("ray", reason="the extra [cluster] is not installed")
pytest.importorskip("optuna", reason="the extra [cluster] is not installed")

STEPS = 1400
OVER = ("residual.scale=0.25,0.5", "seed=0,1")
WORDS = ["sweep", "push", *RUN, "--steps", str(STEPS), "--over", OVER[0], "--over", OVER[1]]


def commands_below(pid: int) -> list[str]:
    """The command lines of a process' descendants."""
    listed = subprocess.run(
        ["ps", "-e", "-ww", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    )
    children: dict[int, list[tuple[int, str]]] = {}
    for line in listed.stdout.splitlines():
        child, parent, command = line.split(maxsplit=2)
        children.setdefault(int(parent), []).append((int(child), command))
    below = children.get(pid, [])
    return [words for child, command in below for words in (command, *commands_below(child))]


def lose(cluster, node, folders, lost) -> threading.Thread:
    """Loses a node as soon as a run on it is under way, and says which."""
    (raylet,) = node.all_processes["raylet"]

    def under_way() -> list[str]:
        begun = [f for f in folders() if (f / "metrics.csv").exists() and len(steps_in(f)) >= 3]
        here = "\n".join(commands_below(raylet.process.pid)) if begun else ""
        return [f.name for f in begun if f"/{f.name} " in f"{here} " and is_in_use(f)]

    def wait_and_lose() -> None:
        while not (now := under_way()):
            time.sleep(0.02)
        cluster.remove_node(node, allow_graceful=False)
        lost.extend(now)

    loser = threading.Thread(target=wait_and_lose, daemon=True)
    loser.start()
    return loser


def test_a_sweep_that_loses_a_node_ends_every_trial_and_none_twice(cluster, workplace, capfd):
    second = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    lost: list[str] = []
    loser = lose(cluster, second, lambda: sorted(Path("swept").glob("trial-*/")), lost)
    words = [*WORDS, "--ray", cluster.address, "--out", "swept"]
    assert run(words) == 0
    loser.join(timeout=60)
    assert len(lost) == 1, "the node was never lost"

    trials = json.loads(Path("swept/sweep.json").read_text())["trials"]
    assert len(trials) == 4
    assert {trial["state"] for trial in trials.values()} <= {"done", "stopped early"}
    for name, trial in trials.items():
        steps = steps_in(Path("swept") / name)
        assert steps == sorted(set(steps)), "it was made twice"
        assert steps[-1] == trial["steps"]
        assert trial["state"] == "stopped early" or steps[-1] == STEPS
    # A process prints its first line before it knows its speed; the lost one began again.
    logs = {name: Path(f"swept/{name}.log").read_text() for name in trials}
    begun = {name: log.count("-:--:-- left") for name, log in logs.items()}
    assert begun == {name: 2 if name in lost else 1 for name in trials}
    with open("swept/trials.csv") as file:
        rows = list(csv.DictReader(file))
    assert sorted((row["residual.scale"], row["seed"]) for row in rows) == [
        *(("0.25", "0"), ("0.25", "1")),
        *(("0.5", "0"), ("0.5", "1")),
    ]
    assert Path("swept/trials.png").read_bytes().startswith(b"\x89PNG")

    assert run([*words, "--resume"]) == 0
    assert {name: Path(f"swept/{name}.log").read_text() for name in trials} == logs
    capfd.readouterr()
    assert run([*words, "--over", "burn-in.threshold=1,2", "--resume"]) == 1
    assert "was started with other settings" in capfd.readouterr().err


def plan(folder: Path, *over: str) -> Plan:
    return Plan(("train", "push"), over or OVER, folder, folder, 100)


def test_a_sweep_goes_on_with_what_was_begun_and_knows_what_has_ended(tmp_path):
    record = SweepRecord(plan(tmp_path), "rpl sweep", resume=False)
    begun, done = ({"residual.scale": "0.5", "seed": seed} for seed in "01")
    record.begin(done)
    job = record.plan.job(done)
    job.folder.mkdir()
    write_config(job.folder, RECORD)
    metrics = job.folder / "metrics.csv"
    metrics.write_text("environment_steps,policy_success\n50,0.5\n100,0.7\n")
    record.end(job, None)
    record.begin(begun)

    again = SweepRecord(plan(tmp_path), "rpl sweep", resume=True)
    assert again.trials == {
        job.name: Trial(done, "done", 100, 0.6),
        record.plan.job(begun).name: Trial(begun),
    }
    assert [trial.values for trial in again.ended] == [done]
    space = again.space
    search = search_in(space, again, [{"residual.scale": "0.25", "seed": "1"}, done])
    assert search.suggest("first") == begun
    assert search.suggest("second") == {"residual.scale": "0.25", "seed": "1"}
    assert [trial.value for trial in search._ot_study.trials if trial.value is not None] == [0.6]


def test_a_record_of_something_else_is_not_taken_up(tmp_path):
    SweepRecord(plan(tmp_path), "rpl sweep a", resume=False)
    with pytest.raises(RunError, match=r"started with other settings: .* \(rpl sweep a\)"):
        SweepRecord(plan(tmp_path, "seed=1,2"), "rpl sweep b", resume=True)
    (tmp_path / "sweep.json").write_text("[]")
    with pytest.raises(RunError, match="not a sweep's: choose another folder"):
        SweepRecord(plan(tmp_path), "rpl sweep a", resume=True)


def test_what_has_a_level_is_drawn_and_listed_best_first(tmp_path):
    record = SweepRecord(
        plan(tmp_path, "learner.polyak=log:0.01..0.5", "x=a,b"), "rpl sweep", False
    )
    assert not draw(record, tmp_path / "none.png")
    for polyak, level in ((0.1, 0.5), (0.02, 0.9), (0.3, None)):
        values = {"learner.polyak": polyak, "x": "a"}
        name = record.plan.job(values).name
        record.trials[name] = Trial(values, "done", 100, level)
    assert draw(record, tmp_path / "trials.png")
    assert (tmp_path / "trials.png").read_bytes().startswith(b"\x89PNG")
    record.write_table(tmp_path / "trials.csv")
    with open(tmp_path / "trials.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["learner.polyak"] for row in rows] == ["0.02", "0.1", "0.3"]
    assert [row["level"] for row in rows] == ["0.9", "0.5", ""]


def test_a_trial_that_fails_or_stops_early_says_so(tmp_path):
    record = SweepRecord(plan(tmp_path), "rpl sweep", resume=False)
    for seed, error in (("0", "no luck"), ("1", None)):
        values = {"residual.scale": "0.5", "seed": seed}
        record.begin(values)
        record.end(record.plan.job(values), error)
    assert [t.state for t in record.trials.values()] == ["failed: no luck", "stopped early"]
    assert len(record.ended) == 1


def test_values_are_tried_once_each_and_ranges_twenty_times(tmp_path):
    values = SweepRecord(plan(tmp_path), "rpl sweep", resume=False).space
    assert [count_of(values, samples) for samples in (None, 3, 9)] == [4, 3, 4]
    ranges = SweepRecord(plan(tmp_path, "x=0.5..1"), "rpl sweep", resume=False).space
    assert [count_of(ranges, samples) for samples in (None, 3)] == [20, 3]
    whole = SweepRecord(plan(tmp_path, "x=1..3"), "rpl sweep", resume=False).space
    assert [count_of(whole, samples) for samples in (None, 2, 5)] == [3, 2, 3]
    many = SweepRecord(plan(tmp_path, "x=1..300"), "rpl sweep", resume=False).space
    assert count_of(many, None) == 20


def test_a_trial_is_whole_by_its_own_length(tmp_path):
    record = SweepRecord(replace(plan(tmp_path, "steps=100,200"), steps=None), "rpl sweep", False)
    for steps in (100, 200):
        values = {"steps": str(steps)}
        job = record.plan.job(values)
        (job.folder / "checkpoint").mkdir(parents=True)
        write_config(job.folder, {"task": "push", "config": {"steps": steps}})
        (job.folder / "metrics.csv").write_text("environment_steps\n100\n")
        record.begin(values)
        record.end(job, None)
    assert [trial.state for trial in record.trials.values()] == ["done", "stopped early"]


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"], ["--resume"]])
@pytest.mark.parametrize("text", [None, "[]", '{"learning_rate": 0.1}', '{"trials": {}}'])
def test_a_folder_of_somebody_else_is_left_alone(workplace, capfd, overwrite, text):
    """Whether it has runs that no sweep made, or a sweep.json of another program."""
    Path("runs/mine").mkdir(parents=True)
    write_config(Path("runs/mine"), {"task": "push", "config": {}})
    Path("runs/mine/metrics.csv").write_text("environment_steps\n100\n")
    if text is not None:
        Path("runs/sweep.json").write_text(text)
    before = {file: file.read_bytes() for file in Path("runs").rglob("*") if file.is_file()}
    assert run(["sweep", "push", "--over", "seed=0,1", "--out", "runs", *overwrite]) == 1
    said = capfd.readouterr().err
    assert "choose another folder with --out" in said
    assert "overwrite" not in said
    assert {f: f.read_bytes() for f in Path("runs").rglob("*") if f.is_file()} == before


def test_who_is_behind_at_the_grace_is_stopped_and_who_is_at_the_end_is_not(tmp_path):
    scheduler = early_stopping(plan(tmp_path), grace=0.25)

    def decision(name: str, steps: int, level: float) -> str:
        trial = SimpleNamespace(trial_id=name)
        if steps < 25:
            scheduler.on_trial_add(None, trial)
        result = {"environment_steps": steps, "level": level}
        return scheduler.on_trial_result(None, trial, result)

    assert decision("good", 20, 0.9) == "CONTINUE"
    assert decision("bad", 20, 0.1) == "CONTINUE"
    assert decision("good", 25, 0.9) == "CONTINUE"
    assert decision("bad", 25, 0.1) == "STOP"
    assert decision("good", 100, 0.9) == "CONTINUE"
    assert early_stopping(plan(tmp_path), grace=1.0) is None


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "a sweep needs --over"),
        (["--over", "residual.scale=0.25,none"], "none"),
        (["--over", "residual.scail=0.25"], "residual.scail"),
        (["--over", "learner.polyak=0..2"], "between 0 and 1"),
        (["--over", "seed=0,1", "--samples", "0"], "--samples must be at least 1"),
        (["--over", "seed=0,1", "--grace", "2"], "--grace must be above 0, at most 1"),
        (["--over", "seed=0,1", "--resume"], "holds no run to resume"),
        (["--over", "seeds=2,3"], "--seeds is no setting of a run"),
        (["--over", "num_threads=1,2"], "--num_threads is no setting of a run"),
    ],
)
def test_what_cannot_be_tried_is_said_before_anything_begins(workplace, capfd, words, sentence):
    try:
        code = run(["sweep", "push", *words])
    except SystemExit as ended:
        code = ended.code
    assert code in (1, 2)
    assert sentence in capfd.readouterr().err
    assert not Path("runs").exists()
