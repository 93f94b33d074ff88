"""The search: Optuna proposes settings, and each plays until it is clearly worse than the best.

All play the same episodes, which makes two settings a pair in each: what is easy for one is easy
for the other. The shipped settings are the first to play, and to be beaten.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rpl.controllers.settings import Setting, Values
from rpl.errors import RunError
from rpl.rollout.evaluate import Outcome
from rpl.rollout.seeds import training_seeds
from rpl.settings import Record
from rpl.tuning.play import Play, Refused

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study
    from optuna.trial import FrozenTrial, Trial

# Episodes between two looks at whether settings are worse than the best: from 14 on the test needs
# no permutations, which take seconds.
ROUND = 15
MOST = 60  # episodes of settings that are not; beyond, more settings tell more than more episodes
SETTLED = 3  # settings that solve all of them: others could only be as good
REFUSED = 50  # settings in a row: the controller's bounds are wrong, and the search would not end
DIGITS = 3  # of a proposed number, so that people can read and repeat it


class Interrupted(Exception):
    """Somebody asked to stop; what was played is kept."""


@dataclass(frozen=True)
class Tried:
    """Settings and how they did in the episodes of the search that they played."""

    values: Values
    outcome: Outcome

    @property
    def whole(self) -> bool:
        """Whether they played all episodes: no look found them worse than the best so far."""
        return len(self.outcome.success) == MOST


class Journal:
    """What a search has played, in a file: whole settings, written once their episodes are over.

    Args:
        file: made if missing.

    Raises:
        RunError: if Optuna is not installed, or the file is damaged.
    """

    def __init__(self, file: Path) -> None:
        try:
            import optuna
            from optuna.storages import JournalStorage
            from optuna.storages.journal import JournalFileBackend
        except ImportError as error:
            raise RunError("tuning needs Optuna: pip install -e '.[tune]'") from error
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        _tidy(file)
        try:
            self._kept = optuna.create_study(
                storage=JournalStorage(JournalFileBackend(str(file))),
                study_name="tune",
                direction="maximize",
                load_if_exists=True,
            )
        except (ValueError, KeyError) as error:
            raise RunError(f"{file} is damaged: begin again with --overwrite ({error})") from error
        with warnings.catch_warnings(
            category=optuna.exceptions.ExperimentalWarning, action="ignore"
        ):
            pruner = optuna.pruners.WilcoxonPruner(p_threshold=0.1)
        # In memory, where the report of each episode waits for no disk.
        self.study = optuna.create_study(direction="maximize", pruner=pruner)
        self.study.add_trials(self._kept.trials)

    @property
    def tried(self) -> list[Tried]:
        """All settings whose episodes are over, in the order in which they were proposed."""
        return [
            Tried(trial.user_attrs["values"], outcome_from(trial.user_attrs))
            for trial in self._kept.trials
            if "refused" not in trial.user_attrs
        ]

    @property
    def refused(self) -> list[str | None]:
        """What the controller said of all that was proposed; None where it took it."""
        return [trial.user_attrs.get("refused") for trial in self._kept.trials]

    def keep(self, trial: FrozenTrial) -> None:
        """Adds settings whose episodes are over."""
        self._kept.add_trial(trial)

    def played(self, key: str) -> Outcome | None:
        """What was kept under a key."""
        stored = self._kept.user_attrs.get(key)
        return None if stored is None else outcome_from(stored)

    def keep_played(self, key: str, outcome: Outcome) -> None:
        """Keeps an outcome under a key."""
        self._kept.set_user_attr(key, as_json(outcome))


def _tidy(file: Path) -> None:
    """Takes away what a process leaves that is killed while it writes: half a line, and a lock."""
    file.with_name(f"{file.name}.lock").unlink(missing_ok=True)
    if file.exists():
        data = file.read_bytes()
        if not data.endswith(b"\n"):
            file.write_bytes(data[: data.rfind(b"\n") + 1])


def search(
    journal: Journal,
    settings: Mapping[str, Setting],
    play: Play,
    episodes: int,
    seed: int,
    on_tried: Callable[[Tried], None] = lambda tried: None,
    on_refused: Callable[[str], None] = lambda said: None,
    interrupted: Callable[[], bool] = lambda: False,
) -> None:
    """Tries settings until the episodes are spent or nothing is left to gain.

    What is proposed depends on the seed and on what was tried, so that a search that was killed
    goes on as if nothing had happened.

    Args:
        journal: what was tried before, and where it is kept.
        episodes: that may be spent.
        seed: decides what is proposed, and chooses the episodes, which are of training.
        on_tried: is told of settings whose episodes are over.
        on_refused: is told what the controller says of settings that it does not take.

    Raises:
        Interrupted: if it was.
        Refused: if the controller does not take the shipped settings, or any of many in a row.
    """
    before, refused = journal.tried, journal.refused
    spent = sum(len(one.outcome.success) for one in before)
    while spent + MOST <= episodes and not _is_settled(before, play.metric):
        if interrupted():
            raise Interrupted
        trial = _propose(journal.study, settings, seed, len(refused))
        values = {name: _readable(trial.params[name], one) for name, one in settings.items()}
        trial.set_user_attr("values", values)
        try:
            outcome = _play(trial, values, play, seed)
        except Refused as error:
            refused.append(_pass_over(trial, journal, error, refused))
            on_refused(str(error))
            continue
        refused.append(None)
        one = Tried(values, outcome)
        _keep(trial, journal, one, play.metric)
        before.append(one)
        spent += len(one.outcome.success)
        on_tried(one)


def _is_settled(before: list[Tried], metric: str) -> bool:
    solve_all = [one.whole and bool(one.outcome.success.all()) for one in before]
    return metric == "success" and sum(solve_all) >= SETTLED


def _propose(study: Study, settings: Mapping[str, Setting], seed: int, count: int) -> Trial:
    """The next settings; the first are those that are shipped."""
    from optuna.samplers import TPESampler

    draw = int(np.random.SeedSequence((seed, count)).generate_state(1)[0])
    study.sampler = TPESampler(seed=draw, multivariate=True, constant_liar=False)
    if count == 0:
        study.enqueue_trial({name: setting.default for name, setting in settings.items()})
    return study.ask({name: _distribution(setting) for name, setting in settings.items()})


def _play(trial: Trial, values: Values, play: Play, seed: int) -> Outcome:
    """Plays rounds of episodes until the settings are clearly worse than the best, or to the end.

    What was played in fewer episodes counts too: with a mean that is worse than the best one's.
    """
    outcomes: list[Outcome] = []
    for first in range(0, MOST, ROUND):
        outcomes.append(play(values, training_seeds(seed, first, ROUND)))
        for i, value in enumerate(outcomes[-1].measured(play.metric)):
            trial.report(float(value), first + i)
        if trial.should_prune():
            break
    return joined(outcomes)


def _keep(trial: Trial, journal: Journal, one: Tried, metric: str) -> None:
    for name, value in as_json(one.outcome).items():
        trial.set_user_attr(name, value)
    journal.keep(journal.study.tell(trial, one.outcome.level(metric)))


def _pass_over(trial: Trial, journal: Journal, error: Refused, before: Sequence[str | None]) -> str:
    """Keeps what the controller said of settings that it does not take.

    Raises:
        Refused: if it took none of those before either.
    """
    from optuna.trial import TrialState

    if not any(said is None for said in before[1 - REFUSED :]):
        advice = "declare bounds or values that leave out what it cannot take"
        raise Refused(f"{error}; {advice}") from error
    trial.set_user_attr("refused", str(error))
    journal.keep(journal.study.tell(trial, state=TrialState.FAIL))
    return str(error)


def _distribution(setting: Setting) -> BaseDistribution:
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if setting.choices:
        return CategoricalDistribution(setting.choices)
    if isinstance(setting.default, int):
        return IntDistribution(int(setting.low), int(setting.high), log=setting.by_factor)
    return FloatDistribution(setting.low, setting.high, log=setting.by_factor)


def _readable(value: object, setting: Setting) -> Any:
    """A number with few digits, within its bounds; the shipped one as it is."""
    if not isinstance(value, float) or value == setting.default:
        return value
    return min(max(float(f"{value:.{DIGITS}g}"), setting.low), setting.high)


def rank(outcome: Outcome, metric: str) -> tuple[float, float]:
    """What orders settings: their level, and of those that solve as much the return."""
    return outcome.level(metric), outcome.mean_return


def joined(outcomes: list[Outcome]) -> Outcome:
    """The episodes of several outcomes as one."""
    return Outcome(
        np.concatenate([one.success for one in outcomes]),
        np.concatenate([one.returns for one in outcomes]),
        diverged=sum(one.diverged for one in outcomes),
        steps=sum(one.steps for one in outcomes),
    )


def as_json(outcome: Outcome) -> Record:
    """An outcome for a file; what it says beside a base policy is left out."""
    return {
        "success": outcome.success.tolist(),
        "returns": outcome.returns.tolist(),
        "diverged": outcome.diverged,
        "starts": outcome.starts,
        "steps": outcome.steps,
    }


def outcome_from(stored: Record) -> Outcome:
    """The outcome that ``as_json`` wrote."""
    return Outcome(
        np.asarray(stored["success"], bool),
        np.asarray(stored["returns"], float),
        diverged=stored["diverged"],
        starts=stored["starts"],
        steps=stored["steps"],
    )
