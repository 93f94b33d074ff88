"""What the planner's search costs and buys: `python benchmarks/planner.py`.

Success and time per action of discrete-mpc-push on push against the expansions and the
model, on the same episodes; the planning time against the bare physics of the predictions
it makes; and the speed of the cheaper models. Times are CPU milliseconds on one thread.
Rows that results/planner.csv already has, for as many episodes, are not measured again.
"""

# MuJoCo ships no type stubs for its compiled names.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import mujoco
import numpy as np
from matplotlib.figure import Figure

from rpl.controllers.contract import ControllerPolicy
from rpl.controllers.discrete_mpc import DiscreteMPCPush
from rpl.rollout.evaluate import evaluate
from rpl.rollout.seeds import evaluation_seeds
from rpl.tasks import PUSH, FetchTask

ROOT = Path(__file__).parents[1]
HORIZON = 50
SIMULATIONS = 20  # episodes side by side
PAPER_EXPANSIONS = 10
COST_BAR, SPEED_BAR = 1.25, 4.0
TURNS = 5
# What the planner imagines with; the task itself always has exact physics.
MODELS = {
    "exact": {"physics": "exact", "substeps": 20},
    "lean": {"physics": "lean", "substeps": 20},
    "exact, 5 ms": {"physics": "exact", "substeps": 8},
    "lean, 5 ms": {"physics": "lean", "substeps": 8},
    "lean, 8 ms": {"physics": "lean", "substeps": 5},
    "lean, 10 ms": {"physics": "lean", "substeps": 4},
}


@dataclass(frozen=True)
class Level:
    """How well one planner does."""

    model: str
    expansions: int
    episodes: int
    success: float
    low: float
    high: float
    model_steps_per_action: float
    milliseconds_per_action: float
    mujoco: str


class Counted:
    """A planner's model that counts and keeps what it is asked."""

    def __init__(self, planner: DiscreteMPCPush) -> None:
        self._predict: Callable = planner.planner.model.predict
        self.count = 0
        self.asked: list[tuple[np.ndarray, np.ndarray]] | None = None
        planner.planner.model.predict = self  # type: ignore[method-assign]

    def __call__(self, states: np.ndarray, actions: np.ndarray):
        self.count += len(states)
        if self.asked is not None:
            self.asked.append((states, actions))
        return self._predict(states, actions)


def make_task() -> FetchTask:
    return FetchTask(SIMULATIONS, PUSH, num_threads=1, simulator_state=True)


def make_planner(task: FetchTask, model: str, expansions: int) -> DiscreteMPCPush:
    return DiscreteMPCPush(task, expansions=expansions, **MODELS[model])  # type: ignore[arg-type]


def measure_level(model: str, expansions: int, count: int) -> Level:
    """Runs a planner on the evaluation episodes."""
    task = make_task()
    planner = make_planner(task, model, expansions)
    counted = Counted(planner)
    seconds, actions = 0.0, 0

    def timed(observation) -> np.ndarray:
        nonlocal seconds, actions
        begin = time.process_time()
        action = planner(observation)
        seconds += time.process_time() - begin
        actions += len(action)
        return action

    policy = ControllerPolicy(timed, 4)
    outcome = evaluate(task, policy, evaluation_seeds(0, count), HORIZON)
    task.close()
    low, high = outcome.success_interval
    return Level(
        model,
        expansions,
        count,
        outcome.success_rate,
        round(low, 3),
        round(high, 3),
        round(counted.count / actions, 1),
        round(1e3 * seconds / actions, 3),
        mujoco.__version__,
    )


def best_seconds(contenders: dict[str, Callable[[], float]]) -> dict[str, float]:
    """Each contender's best CPU seconds, with the contenders taking turns."""
    best = dict.fromkeys(contenders, np.inf)
    for _ in range(TURNS):
        for name, run in contenders.items():
            best[name] = min(best[name], run())
    return best


def cpu_seconds(function: Callable[[], object]) -> float:
    begin = time.process_time()
    function()
    return time.process_time() - begin


def bare_physics(asked: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """CPU seconds of nothing but the exact physics of recorded predictions."""
    task = FetchTask(max(len(states) for states, _ in asked), PUSH, num_threads=1)
    batch, total = task.batch, 0.0
    fingers = [task.model.joint(f"robot0:{s}_gripper_finger_joint").qposadr[0] for s in "rl"]
    gripper = task.model.body("robot0:gripper_link").id
    for states, actions in asked:
        ids = np.arange(len(states))
        task.set_simulator_state(states, ids)
        batch.mocap_pos[ids, 0] = batch.xpos[ids, gripper] + 0.05 * actions[:, :3]
        batch.mocap_quat[ids, 0] = batch.xquat[ids, gripper] + (1.0, 0.0, 1.0, 0.0)
        begin = time.process_time()
        batch.step(ids, nstep=task.substeps)
        batch.qpos[:, fingers] = 0.0
        batch.forward(ids, stage=int(mujoco.mjtStage.mjSTAGE_POS))
        total += time.process_time() - begin
    task.close()
    return total


def situations() -> tuple[FetchTask, list[dict[str, np.ndarray]]]:
    """A few rounds of observations on the way, gripper at the block or not yet."""
    task = make_task()
    observation, _ = task.reset(seed=0)
    on_the_way = make_planner(task, "lean, 5 ms", PAPER_EXPANSIONS)
    seen = []
    for step in range(11):
        if step % 5 == 0:
            seen.append(observation)
        observation, *_ = task.step(on_the_way(observation))
    return task, seen


def measure_speeds() -> tuple[float, dict[str, float]]:
    """Planning time over bare physics, and every model's seconds on the same observations."""
    task, seen = situations()
    planners = {name: make_planner(task, name, PAPER_EXPANSIONS) for name in MODELS}
    counted = Counted(planners["exact"])
    counted.asked = []
    for observation in seen:
        planners["exact"](observation)
    asked, counted.asked = counted.asked, None
    contenders: dict[str, Callable[[], float]] = {
        name: lambda planner=planner: cpu_seconds(lambda: [planner(o) for o in seen])
        for name, planner in planners.items()
    }
    best = best_seconds({**contenders, "bare": lambda: bare_physics(asked)})
    bare = best.pop("bare")
    return best["exact"] / bare, best


def judge(levels: list[Level], cost: float, seconds: dict[str, float]) -> list[dict[str, object]]:
    """The numbers that have bars: of the models, the fastest that succeeds as often as the exact.

    More success than the exact model's interval holds does not speak against a model.
    """
    success = {x.model: x.success for x in levels if x.expansions == PAPER_EXPANSIONS}
    exact = next(x for x in levels if (x.model, x.expansions) == ("exact", PAPER_EXPANSIONS))
    as_good = [model for model, share in success.items() if share >= exact.low]
    fastest = min(as_good, key=lambda model: seconds[model])
    rows = [row("planning / bare physics of its predictions", cost, COST_BAR, cost <= COST_BAR)]
    for model in success:
        what, speed = f"speed of '{model}' / exact", seconds["exact"] / seconds[model]
        bar, passed = (SPEED_BAR, speed >= SPEED_BAR) if model == fastest else ("", "")
        rows.append(row(f"{what} (success {success[model]:.3f})", speed, bar, passed))
    return rows


def row(
    what: str, value: float, bar: float | str = "", passed: bool | str = ""
) -> dict[str, object]:
    return {"what": what, "value": round(value, 3), "bar": bar, "passed": passed}


def write(path: Path, rows: list[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read(path: Path, episodes: int) -> list[Level]:
    """Levels of an earlier run with as many episodes and this MuJoCo."""
    if not path.exists():
        return []
    kinds = {"str": str, "int": int, "float": float}
    with path.open(newline="") as file:
        rows = [
            Level(**{f.name: kinds[str(f.type)](row[f.name]) for f in fields(Level)})
            for row in csv.DictReader(file)
        ]
    return [r for r in rows if r.episodes == episodes and r.mujoco == mujoco.__version__]


def plot(levels: list[Level], path: Path) -> None:
    """Success and time against expansions, a line per model."""
    figure = Figure(figsize=(10.2, 3.8), layout="constrained")
    success, seconds = figure.subplots(1, 2)
    for i, model in enumerate(MODELS):
        mine = sorted((x for x in levels if x.model == model), key=lambda x: x.expansions)
        if not mine:
            continue
        x = np.array([level.expansions for level in mine])
        y = np.array([level.success for level in mine])
        bars = [[level.success - level.low for level in mine]]
        bars += [[level.high - level.success for level in mine]]
        # Shifted a little, so that the intervals do not hide each other.
        success.errorbar(x * 1.04**i, y, bars, marker="o", capsize=3, label=model)
        seconds.plot(x, [level.milliseconds_per_action for level in mine], marker="o")
    success.set(ylim=(0, 1), ylabel="success, with 95 % intervals")
    figure.legend(title="planner's model", loc="outside right center")
    seconds.set(yscale="log", ylabel="CPU ms per action, one thread")
    ticks = sorted({level.expansions for level in levels})
    for axes in (success, seconds):
        axes.set(
            xscale="log", xlabel="expansions per action", xlim=(0.8 * ticks[0], 1.4 * ticks[-1])
        )
        axes.set_xticks(ticks, map(str, ticks))
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    figure.suptitle(f"discrete-mpc-push on push, {levels[0].episodes} episodes")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--episodes", type=int, default=200)
    parser.add_argument("--expansions", type=int, nargs="+", default=[1, 3, 10, 30, 100])
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--results", type=Path, default=ROOT / "results" / "planner.csv")
    parser.add_argument("--image", type=Path, default=ROOT / "docs" / "images" / "planner.svg")
    options = parser.parse_args()
    levels = read(options.results, options.episodes)
    for expansions in options.expansions:
        for model in options.models:
            if (model, expansions) in {(x.model, x.expansions) for x in levels}:
                continue
            levels.append(measure_level(model, expansions, options.episodes))
            print(levels[-1], flush=True)
            write(options.results, [asdict(level) for level in levels])
    plot(levels, options.image)
    if any(x.model == "exact" and x.expansions == PAPER_EXPANSIONS for x in levels):
        rows = judge(levels, *measure_speeds())
        write(options.results.with_name(options.results.stem + "-speed.csv"), rows)
        for row in rows:
            print(*row.values(), sep=" | ")


if __name__ == "__main__":
    main()
