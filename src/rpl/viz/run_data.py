"""Run folders as the pictures need them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from rpl.config import Config
from rpl.errors import UnreadableFile
from rpl.registry.catalog import METHODS
from rpl.runs.checkpoint import check_against_checkpoint
from rpl.runs.files import read_config, read_rows
from rpl.runs.settings import FREE, RETIRED, flat
from rpl.settings import Record

"""A run's ``config.json``."""
LEVEL = 0.9
"""The success rate whose first reaching is reported, as in the paper's figure 3."""
LAST_TRIALS = 10  # whose mean is a planner's level
COLUMNS = {"environment_steps", "burning_in", "policy_return", "controller_return"}
SUCCESSES = ("policy_success", "controller_success")  # blank where a task knows none
TRIAL_COLUMNS = {"environment_steps", "policy_return"}
SETTINGS = ("learner", "preset", "controller", "task_options", "controller_options", "config")
# What is learned does not depend on how often it is looked at, or by how many threads.
NO_DIFFERENCE = {
    *("config.seed", "config.evaluation_episodes", "config.final_evaluation_episodes"),
    *FREE,
    *RETIRED,
}
JUDGED = 3  # a level counts as reached when this many evaluations average it


@dataclass(frozen=True)
class RunData:
    """What the plots need of one run folder."""

    folder: Path
    task: str
    method: str
    controller: str
    seed: int
    columns: dict[str, np.ndarray]
    """The columns of metrics.csv, (rows,) float64; NaN where a field is blank."""
    charged_steps: int = 0
    """Environment steps that its controller was learned from."""
    metric: str | None = None
    """``"success"`` or ``"return"``; None if the run does not say."""
    settings: Mapping[str, object] = field(default_factory=dict)
    """What its ``config.json`` sets, by dotted names; equal where only the seeds differ."""

    @property
    def steps(self) -> np.ndarray:
        """(rows,) environment steps, those that its controller was learned from included."""
        return self.run_steps + self.charged_steps

    @property
    def run_steps(self) -> np.ndarray:
        """(rows,) environment steps of the run alone."""
        return self.columns["environment_steps"]

    @property
    def plans(self) -> bool:
        """Whether it is a planner's, which has trials in place of evaluations."""
        return _plans(self.method)

    @property
    def last_trials(self) -> float:
        """A planner's level: the mean return of its last whole trials; NaN before the first."""
        earned = self.columns["policy_return"]
        earned = earned[np.isfinite(earned)][-LAST_TRIALS:]
        return float(earned.mean()) if earned.size else float("nan")

    @property
    def burn_in_end(self) -> float:
        """Steps at the last evaluation of burn-in; 0 without one."""
        return float(self.steps[self.columns["burning_in"] > 0].max(initial=0.0))

    def steps_to(self, level: float, metric: str = "success") -> float | None:
        """Steps at which the last three evaluations first average ``level``; None if never.

        Evaluations in burn-in do not count: they show the controller alone.
        """
        learned = self.columns["burning_in"] == 0.0
        steps, values = self.steps[learned], self.columns[f"policy_{metric}"][learned]
        for end in range(JUDGED, len(values) + 1):
            if values[end - JUDGED : end].mean() >= level:
                return float(steps[end - 1])
        return None


def read_run(folder: Path) -> RunData:
    """Reads config.json and metrics.csv of a run folder.

    Raises:
        ValueError: if the folder is not a run or has no evaluation yet.
    """
    config_file, metrics = folder / "config.json", folder / "metrics.csv"
    if not config_file.is_file():
        raise UnreadableFile(f"{folder} is not a run: it has no config.json")
    if not metrics.is_file():
        raise UnreadableFile(f"{folder} has no evaluation yet: train for longer first")
    record = read_config(folder)
    if missing := [name for name in ("method", "seed") if name not in record]:
        raise UnreadableFile(f"{config_file} does not describe a run: it has no {missing[0]}")
    check_against_checkpoint(folder)
    method = record["method"]
    return RunData(
        folder,
        record["task"],
        method,
        record.get("controller", "controller") or "doing nothing",
        record["seed"],
        _read_columns(metrics, TRIAL_COLUMNS if _plans(method) else COLUMNS),
        record.get("charged_steps", 0),
        _metric(record, config_file),
        _settings(record),
    )


def _metric(record: Record, file: Path) -> str | None:
    metric = record.get("metric")
    if metric not in (None, "success", "return"):
        raise UnreadableFile(f"{file} is damaged: its metric is {metric!r}")
    return metric


def _plans(method: str) -> bool:
    return method in METHODS and METHODS[method].plans


def _settings(record: Record) -> dict[str, object]:
    """What was set; what an older record does not know yet has its default."""
    defaults = flat({"learner": "ddpg", "config": asdict(Config())})
    values = defaults | flat({name: record[name] for name in SETTINGS if name in record})
    return {name: value for name, value in values.items() if name not in NO_DIFFERENCE}


def _read_columns(path: Path, needed: set[str]) -> dict[str, np.ndarray]:
    rows = read_rows(path)
    if not rows:
        raise UnreadableFile(f"{path.parent} has no evaluation yet: train for longer first")
    if missing := needed - rows[0].keys():
        raise UnreadableFile(f"{path} lacks the columns {', '.join(sorted(missing))}")
    try:
        read = {name: np.array([float(row[name] or "nan") for row in rows]) for name in rows[0]}
    except (TypeError, ValueError) as error:
        raise UnreadableFile(f"{path} has a field that is not a number: {error}") from error
    steps = read["environment_steps"]
    if not (np.isfinite(steps).all() and (np.diff(steps, prepend=0.0) >= 0.0).all()):
        raise UnreadableFile(f"{path} is damaged: its environment_steps do not rise")
    if any(np.isinf(column).any() for column in read.values()):
        raise UnreadableFile(f"{path} is damaged: it has a number that is infinite")
    unknown = np.full(len(steps), np.nan)
    return {name: unknown for name in SUCCESSES if name not in read} | read


def metric_of_runs(runs: Sequence[RunData]) -> str:
    """What a task is judged by: its return if it says so or knows no success."""
    if any(run.metric == "return" or run.plans for run in runs):
        return "return"
    judged = [np.isfinite(run.columns.get("policy_success", np.nan)).any() for run in runs]
    return "success" if any(judged) else "return"


def format_steps(steps: float, position: object = None) -> str:
    """1500000 -> 1.5M, 40000 -> 40k, 0 -> 0."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if abs(steps) >= size:
            return f"{steps / size:g}{letter}"
    return f"{steps:g}"
