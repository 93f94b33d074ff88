"""Small configurations and the words that make them, for runs of seconds; and who watches runs."""

import csv
import dataclasses
from pathlib import Path
from typing import Any

import jax

from rpl import learner
from rpl.config import Config, LearnerConfig
from rpl.learner import LearnerState
from rpl.presets import FAST, WITHOUT_GATE
from rpl.registry.catalog import TASKS
from rpl.registry.resolve import config_for_horizon
from rpl.sweeps.worker import Job

RUN = tuple(
    "--episodes-per-cycle 2 --cycles-per-epoch 2 --evaluation-episodes 2 --learner.hidden 16 16 "  # noqa: SIM905
    "--final-evaluation-episodes 2 --learner.batch-size 16 --learner.updates-per-cycle 2 "
    "--learner.critic-hidden 16 --learner.critics 2 --replay.capacity 500".split()
)
"""Options of ``rpl train`` on the paper's tasks; of an option that is repeated the last counts."""

USER_RUN = tuple(
    "--steps 300 --episodes-per-cycle 4 --cycles-per-epoch 3 --evaluation-episodes 3 "  # noqa: SIM905
    "--final-evaluation-episodes 4 --learner.batch-size 16 --learner.updates-per-cycle 8 "
    "--learner.hidden 16 --learner.critic-hidden 16 --burn-in.minimum-steps 50 "
    "--learner.actor-learning-rate 0.01 --learner.no-gate --learner.critics 1".split()
)
"""Options of ``rpl train`` on the short episodes of ``toys``, learning enough to be seen, and
without a gate, which after so few steps is shut."""

PLANNED_RUN = tuple(
    "--method pets --trials 2 --planner.horizon 3 --planner.population 8 --planner.elites 2 "  # noqa: SIM905
    "--planner.iterations 1 --early-trials 1 --early-planner.horizon 3 "
    "--early-planner.population 8 --early-planner.elites 2 --early-planner.iterations 1 "
    "--model.hidden 8 --model.weight-decay 0 0 --model.epochs 1".split()
)
"""Options of ``rpl train`` for planners that are far too small to be any good."""

SHOWN = {
    "train": ("--steps", "400", *RUN, "--replay.capacity", "1000"),
    "eval": ("--episodes", "2"),
    "watch": ("--episodes", "1", "--no-contrast"),
    "report": ("--films", "0"),
    "cache": ("--states", "20"),
}
"""What makes a command that a page shows one of seconds, by the command's name."""

CONFIG = dataclasses.replace(
    WITHOUT_GATE,
    episodes_per_cycle=2,
    evaluation_episodes=2,
    final_evaluation_episodes=2,
    num_threads=1,
    learner=dataclasses.replace(
        WITHOUT_GATE.learner, hidden=(8,), batch_size=8, updates_per_cycle=2
    ),
)
"""WITHOUT_GATE with a tiny network and few episodes, on one thread."""


def user_config(horizon: int = 8) -> Config:
    """What USER_RUN says, as an object."""
    config = config_for_horizon(FAST, horizon)
    learner = dataclasses.replace(
        config.learner,
        hidden=(16,),
        critic_hidden=(16,),
        batch_size=16,
        updates_per_cycle=8,
        actor_learning_rate=1e-2,
        gate=False,
        critics=1,
    )
    return dataclasses.replace(
        config,
        episodes_per_cycle=4,
        cycles_per_epoch=3,
        evaluation_episodes=3,
        final_evaluation_episodes=4,
        learner=learner,
        burn_in=dataclasses.replace(config.burn_in, minimum_steps=50),
    )


def lean(task: str) -> Any:
    """The options of a task of the paper with the faster physics."""
    return dataclasses.replace(TASKS[task].options, physics="lean")


class Silent:
    """Keeps what it is told of how runs ended, and never stops them."""

    def __init__(self) -> None:
        self.ended: dict[str, str | None] = {}

    def on_tick(self) -> bool:
        return False

    def on_end(self, job: Job, error: str | None) -> None:
        self.ended[job.name] = error


def small_jobs(place: Path, steps: int, *methods: str) -> list[Job]:
    """A run of push for each method, in folders of their names."""
    words = "train", "push", *RUN, "--steps", str(steps), "--method"
    return [Job(name, (*words, name), place / name, place) for name in methods]


def without_clocks(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of metrics without those that no two runs have alike."""
    clocks = ("wall_seconds", "steps_per_second")
    return [{name: v for name, v in row.items() if name not in clocks} for row in rows]


def metrics(folder: Path) -> list[dict[str, str]]:
    """The rows of a run, without its wall-clock columns."""
    with open(folder / "metrics.csv", newline="") as file:
        return without_clocks(list(csv.DictReader(file)))


def steps_in(folder: Path) -> list[int]:
    """The steps at which a run was evaluated; none before its first row."""
    if not (folder / "metrics.csv").exists():
        return []
    return [int(row["environment_steps"]) for row in metrics(folder)]


RECORD = {"task": "push", "config": {"steps": 10, "seed": 0}, "command": "rpl train push"}
"""What a run that learns nothing would say of itself."""


def small_learner(seed: int = 0) -> LearnerState:
    """A learner of a few numbers."""
    config = LearnerConfig(hidden=(4,))
    return learner.create(jax.random.key(seed), {"observation": 3, "desired_goal": 2}, 1, config)
