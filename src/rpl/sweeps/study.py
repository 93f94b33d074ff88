"""A sweep: which settings were tried in its folder, what came of them, and what is tried next."""

from __future__ import annotations

import csv
import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rpl.errors import RunError, whole_file
from rpl.runs.files import read_config, read_rows, write_durably
from rpl.settings import Record
from rpl.sweeps.cluster import connected, fit
from rpl.sweeps.local import Observer
from rpl.sweeps.progress import level_of
from rpl.sweeps.space import Values, has_range, points_of, space_of, words_of
from rpl.sweeps.worker import Job

if TYPE_CHECKING:
    from rpl.sweeps.space import Distribution

ENDED = ("done", "stopped early")
HALVING = 2  # of the runs that have come as far, the better half goes on
COLUMNS = ("trial", "state", "environment_steps", "level")


@dataclass(frozen=True)
class Plan:
    """What a sweep tries; it is sent to the machines."""

    words: tuple[str, ...]
    """Of ``rpl train``, the same for all trials."""
    over: tuple[str, ...]
    """See ``space_of``."""
    folder: Path
    """Of the trials' run folders, an absolute path on a disk that all machines share."""
    place: Path
    """Where the command is given."""
    steps: int | None
    """Of a whole run; None for runs that are never stopped early."""

    def job(self, values: Values) -> Job:
        """The run with these values: the same folder for the same values, whenever they come."""
        said = json.dumps(values, sort_keys=True).encode()
        name = f"trial-{hashlib.sha256(said).hexdigest()[:8]}"
        return Job(name, (*self.words, *words_of(values)), self.folder / name, self.place)


@dataclass
class Trial:
    """One setting that was tried."""

    values: Values
    state: str = "running"
    """Or one of ENDED, or why it failed."""
    steps: int = 0
    level: float | None = None
    """See ``level_of``."""


def read_sweep(folder: Path) -> tuple[Record, dict[str, Trial]]:
    """What a sweep has written of itself, and its trials by the names of their run folders.

    Raises:
        RunError: if there is none, or the file is not a sweep's.
    """
    file = folder / "sweep.json"
    try:
        found = json.loads(file.read_text())
        trials = {name: Trial(**trial) for name, trial in found["trials"].items()}
        if missing := {"words", "over", "command"} - found.keys():
            raise KeyError(*missing)
    except OSError as error:
        raise RunError(
            f"{folder} holds no sweep ({error.strerror or error}): choose another with --out"
        ) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RunError(f"{file} is not a sweep's: choose another folder with --out") from error
    return found, trials


def _length_of(folder: Path) -> int | None:
    """Environment steps of a whole run, as it was asked for; None where nobody knows."""
    if not (folder / "config.json").exists():
        return None
    return read_config(folder)["config"].get("steps")


class SweepRecord:
    """What ``sweep.json`` says: the plan, and each trial by its run folder's name.

    Args:
        resume: take up what the folder holds.

    Raises:
        RunError: if what it holds is another sweep's.
    """

    def __init__(self, plan: Plan, command: str, resume: bool) -> None:
        self.plan, self.space = plan, space_of(plan.over)
        self.trials: dict[str, Trial] = {}
        self._file = plan.folder / "sweep.json"
        self._head = {"words": list(plan.words), "over": list(plan.over), "command": command}
        if resume:
            self._take_up()
        self._write()

    def _take_up(self) -> None:
        found, trials = read_sweep(self.plan.folder)
        for part in ("words", "over"):
            if found.get(part) != self._head[part]:
                raise RunError(
                    f"the sweep in {self.plan.folder} was started with other settings: repeat its "
                    f"command with --resume ({found.get('command')}), or name another with --out"
                )
        self.trials = trials

    def _write(self) -> None:
        trials = {name: asdict(trial) for name, trial in self.trials.items()}
        text = json.dumps(self._head | {"trials": trials}, indent=2) + "\n"
        write_durably(self._file, text.encode())

    def begin(self, values: Values) -> None:
        """Takes note of a trial, so that a sweep that is killed goes on with it."""
        name = self.plan.job(values).name
        self.trials.setdefault(name, Trial(values)).state = "running"
        self._write()

    def end(self, job: Job, error: str | None) -> None:
        """Takes note of how a trial ended."""
        trial = self.trials[job.name]
        self.look(trial, job.folder)
        whole = trial.steps >= (_length_of(job.folder) or self.plan.steps or 0)
        trial.state = f"failed: {error}" if error else ENDED[0] if whole else ENDED[1]
        self._write()

    def look_again(self) -> None:
        """Sees how far the trials are that run."""
        for name, trial in self.trials.items():
            if trial.state == "running":
                self.look(trial, self.plan.folder / name)

    def look(self, trial: Trial, folder: Path) -> None:
        """Sees how far a trial is."""
        if rows := read_rows(folder / "metrics.csv"):
            trial.steps, trial.level = int(rows[-1]["environment_steps"]), level_of(folder, rows)

    @property
    def ended(self) -> list[Trial]:
        """The trials that need not be made again."""
        return [trial for trial in self.trials.values() if trial.state in ENDED]

    def best_first(self) -> list[tuple[str, Trial]]:
        """The trials by name; those of which nothing is known come last."""
        return sorted(
            self.trials.items(),
            key=lambda item: (item[1].level is None, -(item[1].level or 0.0), -item[1].steps),
        )

    def write_table(self, path: Path) -> None:
        """Writes the trials, best first, as CSV."""
        names = list(self.space)
        with whole_file(path) as beside, open(beside, "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([*COLUMNS, *names])
            for name, t in self.best_first():
                writer.writerow([name, t.state, t.steps, t.level, *map(t.values.get, names)])


def search(
    record: SweepRecord,
    samples: int | None,
    address: str,
    threads: int,
    grace: float,
    watch: Observer,
) -> bool:
    """Tries settings with Ray Tune, Optuna's search and early stopping, up to ``samples`` in all.

    Args:
        record: of the sweep; what has ended in it is not made again, what has not is first.
        samples: how many; None for every combination, or ``SAMPLES`` where there is a range.
        address: of a cluster, or ``local``.
        threads: cores of a run.
        grace: the share of a run's steps before which it is not stopped.
        watch: is told of every trial's end, and may have the sweep stopped.

    Returns:
        Whether it came to the end, and was not stopped.

    Raises:
        RunError: if Ray is not installed, or nobody answers.
    """
    with connected(address):
        space = record.space
        count, every = count_of(space, samples), points_of(space) or []
        left = count - len(record.ended)
        if left <= 0:
            return True
        search = search_in(space, record, every if count == len(every) else [])
        # Of a trial that has gone on elsewhere Optuna hears the first levels again.
        warnings.filterwarnings("ignore", "The reported value is ignored")
        how = {"search_alg": search, "scheduler": early_stopping(record.plan, grace)}
        return fit(record.plan.job, None, threads, watch, record.begin, num_samples=left, **how)


SAMPLES = 20


def count_of(space: Mapping[str, Distribution], samples: int | None) -> int:
    """How many settings are tried in all: no combination of values twice."""
    points = points_of(space)
    if points is None:
        return samples or SAMPLES
    return min(samples or (SAMPLES if has_range(space) else len(points)), len(points))


def search_in(
    space: Mapping[str, Distribution], record: SweepRecord, points: Sequence[Values]
) -> Any:
    """Optuna's search, which knows what has ended; what was begun is first, and then ``points``."""
    from ray.tune.search.optuna import OptunaSearch

    known = [trial.values for trial in record.trials.values()]
    begun = [t.values for t in record.trials.values() if t.state not in ENDED]
    new = [point for point in points if point not in known]
    search = OptunaSearch(
        dict(space), metric="level", mode="max", points_to_evaluate=begun + new, seed=0
    )
    for trial in record.ended:
        if trial.level is not None:
            search.add_evaluated_point(trial.values, trial.level)
    return search


def early_stopping(plan: Plan, grace: float) -> Any:
    """The scheduler that stops runs which are behind others at the same number of steps."""
    from ray.tune.schedulers import ASHAScheduler

    if plan.steps is None or grace >= 1.0:
        return None
    return ASHAScheduler(
        time_attr="environment_steps",
        metric="level",
        mode="max",
        max_t=plan.steps,
        grace_period=max(int(grace * plan.steps), 1),
        reduction_factor=HALVING,
        stop_last_trials=False,  # whose verdict is still out
    )


def draw(record: SweepRecord, out: Path) -> bool:
    """Draws the settings that were tried as parallel coordinates; whether there was enough to."""
    import optuna
    from matplotlib import pyplot

    trials = [
        optuna.trial.create_trial(params=t.values, distributions={**record.space}, value=t.level)
        for t in record.ended
        if t.level is not None
    ]
    if not trials:
        return False
    study = optuna.create_study(direction="maximize")
    study.add_trials(trials)
    pyplot.switch_backend("Agg")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is experimental, and that an axis has one value
        optuna.visualization.matplotlib.plot_parallel_coordinate(study, target_name="level")
    with whole_file(out) as beside:
        pyplot.savefig(beside, dpi=160, bbox_inches="tight")
    pyplot.close()
    return True
