"""Short runs of every kind, and digests of their metrics: what a change may not change.

    python tests/golden_runs.py            # compares with golden_runs.json
    python tests/golden_runs.py --write    # after a change that is meant to change numbers

A digest belongs to a machine: another processor or another version of MuJoCo or XLA rounds
otherwise. Elsewhere the runs are compared by their columns and by the steps of their rows.
"""

from __future__ import annotations

import csv
import hashlib
import importlib.metadata
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import compiling  # noqa: F401
from rpl.cli.main import run

GOLDEN = Path(__file__).with_suffix(".json")
WALL_CLOCK = {"wall_seconds", "steps_per_second"}
LIBRARIES = ("jaxlib", "mujoco", "numpy")
LEARNING = (
    "--cycles-per-epoch 2 --evaluation-episodes 3 --final-evaluation-episodes 4 "
    "--learner.batch-size 16 --learner.hidden 16 16 --learner.actor-learning-rate 0.01 "
    "--num-threads 1"
)
UNGATED = (
    f"--preset ungated --steps 800 --episodes-per-cycle 2 --learner.updates-per-cycle 4 {LEARNING}"
)
USERS = (
    f"--preset ungated --steps 300 --episodes-per-cycle 4 --learner.updates-per-cycle 8 {LEARNING}"
)
SUM = "--residual.observe-controller --residual.critic-input sum"
GATED = (
    "--steps 1200 --episodes-per-cycle 2 --learner.updates-per-cycle 4 --learner.critic-hidden 16 "
    f"{LEARNING} --burn-in.minimum-steps 300 --learner.pessimism 0"
)
RUNS = {
    "gated": f"slippery-push {GATED}",
    "gated-sac": f"push --learner sac {GATED} --learner.critics-drawn 2",
    "user-gated": f"toys:Reach --controller toys:to_goal {GATED} --preset frugal --steps 300",
    "alone": f"slippery-push {GATED} --cycles-per-epoch 3 --exploration.alone-share 0.7",
    "ddpg": f"slippery-push {UNGATED} --burn-in.minimum-steps 300 --replay.capacity 300",
    "td3": f"slippery-push --learner td3 {UNGATED} --burn-in.minimum-steps 300",
    "sac": f"slippery-push --learner sac {UNGATED} --burn-in.minimum-steps 300",
    "paper": f"push {UNGATED} --preset paper --learner.hidden 8 --burn-in.minimum-steps 300",
    "scratch": f"push --method scratch {UNGATED}",
    "expert-explore": f"pick-and-place --method expert-explore {UNGATED}",
    "sum": f"push {SUM} {UNGATED} --burn-in.minimum-steps 300",
    "asked-sum": f"push --residual.critic-input sum {UNGATED} --burn-in.minimum-steps 300",
    "frames": f"noisy-hook --task.frames 2 {UNGATED} --burn-in.minimum-steps 300",
    "dense": f"mbrl-pusher {SUM} {UNGATED} --burn-in.minimum-steps 300",
    "planner": "push --controller discrete-mpc-push --controller.expansions 1 "
    f"{SUM} {UNGATED} --steps 200 --burn-in.minimum-steps 50",
    "user-plain": f"toys:Slide --controller toys:Summing {USERS} --burn-in.minimum-steps 50",
    "user-sum": f"toys:Slide --controller toys:Summing {SUM} {USERS} --burn-in.minimum-steps 50",
    "user-goals": "toys:Reach --controller toys:to_goal --learner sac --residual.scale 0.2 0.4 "
    f"{USERS} --burn-in.minimum-steps 50",
    "user-explore": "toys:Slide --controller toys:Summing --method expert-explore " + USERS,
    "pets": "mbrl-pusher --method pets --trials 2 --model.hidden 8 --planner.population 10 "
    "--planner.elites 2 --planner.iterations 2 --planner.horizon 3 --early-trials 1 "
    "--early-planner.population 10 --early-planner.elites 2 --early-planner.iterations 2 "
    "--early-planner.horizon 3 --model.weight-decay 0 0 --model.epochs 1",
}
"""The arguments of ``rpl train``, by a name for what they show."""
RESUMED = {
    "gated": "--steps 600",
    "alone": "--steps 700",
    "sum": "--steps 400",
    "user-goals": "--steps 150",
}
"""Where a run is made once more in two parts: how the first one ends."""


def machine() -> dict[str, str]:
    """What the last bits of numbers depend on."""
    versions = {name: importlib.metadata.version(name) for name in LIBRARIES}
    lines = Path("/proc/cpuinfo").read_text().splitlines() if os.name == "posix" else []
    about = ("model name", "flags", "Features")
    processor = sorted({line for line in lines if line.startswith(about)})
    digest = hashlib.sha256("\n".join(processor).encode()).hexdigest()[:16]
    return {**versions, "processor": digest}


def made(name: str, folder: Path) -> Path:
    """Makes a run; in two parts where RESUMED says how far the first goes."""
    words = ["train", *RUNS[name].split(), "--out", str(folder)]
    if name in RESUMED:
        assert run([*words, *RESUMED[name].split()]) == 0, f"{name}: the first part failed"
        words.append("--resume")
    assert run(words) == 0, f"{name} failed"
    return folder


def described(folder: Path) -> dict[str, Any]:
    """The steps of a run's rows, and for each column of its metrics.csv a digest."""
    with open(folder / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    columns = [name for name in rows[0] if name not in WALL_CLOCK]
    digests = {
        name: hashlib.sha256("\n".join(row[name] for row in rows).encode()).hexdigest()[:12]
        for name in columns
    }
    return {"steps": [int(row["environment_steps"]) for row in rows], "columns": digests}


def differences(name: str, folder: Path, golden: dict[str, Any]) -> list[str]:
    """In what a run differs from what is written of it, in sentences."""
    now, before = described(folder), golden["runs"][name]
    if now["steps"] != before["steps"]:
        return [f"{name}: rows at steps {now['steps']}, not {before['steps']}"]
    lost = before["columns"].keys() - now["columns"].keys()
    if lost or machine() != golden["machine"]:
        return [f"{name}: there is no column {column}" for column in sorted(lost)]
    changed = [c for c, digest in before["columns"].items() if now["columns"][c] != digest]
    return [f"{name}: other numbers in {', '.join(changed)}"] if changed else []


def main(arguments: list[str]) -> int:
    """Makes all runs, or those named, and says in what they differ."""
    names = [word for word in arguments if not word.startswith("-")] or list(RUNS)
    golden = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {"runs": {}}
    if "--write" in arguments and golden.get("machine") != machine():
        names = list(RUNS)  # digests of two machines have no place in one file
    folder = Path(tempfile.mkdtemp())
    try:
        for name in names:
            made(name, folder / name)
        if "--write" in arguments:
            golden["machine"] = machine()
            golden["runs"] |= {name: described(folder / name) for name in names}
            GOLDEN.write_text(json.dumps(golden, indent=1) + "\n")
            return 0
        found = [line for name in names for line in differences(name, folder / name, golden)]
    finally:
        shutil.rmtree(folder)
    print("\n".join(found) or f"{len(names)} runs as before")
    return int(bool(found))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    sys.exit(main(sys.argv[1:]))
