"""Other people's environments, each with an imperfect controller: what the default makes of them.

    python -m benchmarks.pairs benchmarks.metaworld --seeds 0 --tune
    python -m benchmarks.pairs benchmarks.worlds --only pendulum --seeds 0 1 2

The module has PAIRS, a tuple of :class:`Pair`. Every pair is trained by ``rpl train`` with no
option but what names it, and judged by ``rpl eval`` on episodes that chose nothing; with
``--tune``, ``rpl tune`` plays as many steps. Runs that are there go on or are left as they are.
The rows go to ``results/pairs/MODULE.csv``, and a page's table is printed of it.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

EPISODES = 200
RPL = (sys.executable, "-c", "from rpl.cli.main import main; main()")


@dataclass(frozen=True)
class Pair:
    """An environment and a controller."""

    name: str
    fault: str
    """What is wrong with the controller, in a few words; empty where nothing is."""
    words: tuple[str, ...]
    """What names the two for ``rpl train``."""
    steps: int = 60_000
    tuned: int | None = None
    """Episodes for ``rpl tune``; None where the controller declares nothing to search."""


def rpl(*words: object, log: Path | None = None) -> str:
    """Runs a command of rpl; its output, which also goes to the end of ``log``.

    Raises:
        SystemExit: where it fails.
    """
    print("rpl", shlex.join(map(str, words)), file=sys.stderr, flush=True)
    done = subprocess.run([*RPL, *map(str, words)], capture_output=True, text=True)
    if log is not None:
        with open(log, "a") as file:
            file.write(done.stdout + done.stderr)
    if done.returncode:
        sys.exit(f"it failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def trained(pair: Pair, seed: int, folder: Path) -> dict[str, object]:
    """The row of a run, made or gone on with; ``dip`` is the lowest difference of all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    resume = ["--resume"] * (folder / "config.json").exists()
    words = (*pair.words, "--steps", pair.steps, "--seed", seed, "--num-threads", 1)
    rpl("train", *words, "--out", folder, *resume, log=folder.with_suffix(".log"))
    with open(folder / "metrics.csv") as file:
        rows = list(csv.DictReader(file))
    report = json.loads(rpl("eval", folder, "--episodes", EPISODES, "--json"))
    key = "success" if report["judged_by"] == "success" else "return"
    return {
        "pair": pair.name,
        "fault": pair.fault,
        "seed": seed,
        "steps": pair.steps,
        "seconds": round(float(rows[-1]["wall_seconds"])),
        "judged_by": key,
        "episodes": EPISODES,
        **levels("controller", report["controller"], key),
        **levels("policy", report["policy"], key),
        **levels("difference", report["difference"], key),
        "dip": min(float(r[f"policy_{key}"]) - float(r[f"controller_{key}"]) for r in rows),
        "verdict": report["verdict"],
    }


def levels(who: str, summary: dict, key: str) -> dict[str, float]:
    """The level and its interval."""
    mean, interval = ("success_rate" if key == "success" else "mean_return"), f"{key}_interval"
    low, high = summary[interval]
    return {who: summary[mean], f"{who}_low": low, f"{who}_high": high}


def tuned(pair: Pair, folder: Path) -> dict[str, object]:
    """What a search over the controller's settings comes to."""
    words = ("--episodes", pair.tuned, "--evaluation-episodes", EPISODES, "--out", folder)
    resume = ["--resume"] * (folder / "tuning.json").exists()
    rpl("tune", *pair.words, *words, *resume, log=folder.with_suffix(".log"))
    result = json.loads((folder / "tuning.json").read_text())["result"]
    return {
        **levels("tuned", result["evaluation"]["tuned"], result["metric"]),
        "tuned_steps": result["steps"],
        "settings": json.dumps(result["settings"]),
    }


def write(rows: Sequence[dict[str, object]], path: Path) -> None:
    """The rows as a table on disk, beside those of other pairs and seeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    before = list(csv.DictReader(path.read_text().splitlines())) if path.exists() else []
    new = {(row["pair"], str(row["seed"])) for row in rows}
    rows = [*(row for row in before if (row["pair"], row["seed"]) not in new), *rows]
    rows.sort(key=lambda row: (str(row["pair"]), int(str(row["seed"]))))
    with open(path, "w", newline="") as file:
        table = csv.DictWriter(file, {name: None for row in rows for name in row}, restval="")
        table.writeheader()
        table.writerows(rows)


def as_markdown(path: Path) -> str:
    """The table of a page."""
    lines = [
        "| pair | fault | seed | steps | controller | tuned | RPL | difference [95 %] | dip |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    with open(path) as file:
        for row in csv.DictReader(file):
            digits = 2 if row["judged_by"] == "success" else 1

            def number(name: str, sign: str = "", row=row, digits=digits) -> str:
                return f"{float(row[name]):{sign}.{digits}f}" if row.get(name) else ""

            change = ", ".join(number(f"difference_{end}", "+") for end in ("low", "high"))
            cells = (
                row["pair"], row["fault"], row["seed"], f"{int(row['steps']):,}",
                number("controller"), number("tuned"), number("policy"),
                f"{number('difference', '+')} [{change}]", number("dip", "+"),
            )  # fmt: skip
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("module", help="where PAIRS is, as in benchmarks.metaworld")
parser.add_argument("--only", nargs="+", default=[], metavar="PAIR")
parser.add_argument("--seeds", nargs="+", type=int, default=[0])
parser.add_argument("--tune", action="store_true", help="tune the controllers, too")
parser.add_argument("--runs", type=Path, default=Path("runs/pairs"))
parser.add_argument("--results", type=Path, default=Path("results/pairs"))

if __name__ == "__main__":
    options = parser.parse_args()
    short = options.module.rpartition(".")[2]
    path = options.results / f"{short}.csv"
    for pair in importlib.import_module(options.module).PAIRS:
        if options.only and pair.name not in options.only:
            continue
        for seed in options.seeds:
            place = options.runs / short / pair.name
            row = trained(pair, seed, place / f"seed{seed}")
            if options.tune and pair.tuned:
                row |= tuned(pair, place / "tuned")
            write([row], path)
    print(as_markdown(path))
