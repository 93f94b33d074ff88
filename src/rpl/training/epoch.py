"""The end of an epoch: judge the policy beside its controller, write a row, save."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from rpl import learner
from rpl.config import Config
from rpl.controllers.contract import Policy
from rpl.learner import LearnerState
from rpl.problem import Problem
from rpl.replay.buffer import Replay
from rpl.rollout.evaluate import Outcome, evaluate
from rpl.rollout.policies import GreedyPolicy
from rpl.rollout.seeds import evaluation_seeds
from rpl.settings import Record
from rpl.training.burn_in import ends_burn_in
from rpl.training.metrics import is_best, metrics_row
from rpl.training.progress import Progress
from rpl.training.standing import stands_below
from rpl.training.trust import weigh


class Observer(Protocol):
    """Somebody who watches a run: a progress display, a logger."""

    def on_cycle(self, progress: Progress, metrics: dict[str, float]) -> None: ...

    def on_evaluating(self, whose: str, share: float) -> None: ...

    def on_evaluation(self, row: Record) -> None: ...

    def on_note(self, sentence: str) -> None: ...


class Keeper(Protocol):
    """Where a run's results go; see ``rpl.runs.folder.RunFolder``."""

    def append(self, row: Record) -> None: ...

    def save(self, state: LearnerState, progress: Progress, best: bool) -> None: ...


@dataclass
class EpochEnd:
    """Ends the epochs of a run."""

    config: Config
    problem: Problem
    replay: Replay
    progress: Progress
    keeper: Keeper
    observer: Observer
    _levels: dict[int, Outcome] = field(default_factory=dict, init=False)
    """The controller's outcomes by the number of episodes: on each it is judged once."""

    def __call__(self, state: LearnerState) -> None:
        """Judges a learner, writes the row, and makes a checkpoint."""
        started = time.perf_counter()
        config, problem, progress = self.config, self.problem, self.progress
        progress.finished = progress.environment_steps >= config.steps
        count = (
            config.final_evaluation_episodes if progress.finished else config.evaluation_episodes
        )
        level = self._level(count)
        self._look_back(level)
        acting = learner.without_residual(state) if progress.stands_below else state
        policy = self._judged("policy", GreedyPolicy(acting, problem), count, problem.base())
        row = metrics_row(problem, progress, policy, level)
        if progress.rows == 0:
            self._doubt(policy, level)
        own = learner.algorithm_of(config.learner).METRICS
        own += learner.GATE_METRICS if state.gate is not None else ()
        row |= {name: progress.epoch_means().get(name) for name in own}
        if progress.burning_in and progress.rows > 0:
            means = progress.epoch_means()
            progress.burning_in = not ends_burn_in(config.burn_in, progress, means)
            progress.last_mean_q = means.get("mean_q", progress.last_mean_q)
        weigh(progress, problem, policy, level)
        best = not progress.stands_below and is_best(problem, progress, policy)
        if best:
            progress.best_success, progress.best_return = policy.success_rate, policy.mean_return
        progress.wall_seconds += time.perf_counter() - started
        progress.epoch += 1
        progress.rows += 1
        progress.start_epoch()
        self._keep(row, state, best)

    def _look_back(self, controller: Outcome) -> None:
        """Finds out whether the policy may act, and says so where that changes."""
        progress = self.progress
        before = progress.stands_below
        progress.stands_below = stands_below(progress, self.problem, controller)
        if progress.stands_below and not before:
            self.observer.on_note(
                f"note: in {len(progress.alone)} undisturbed episodes of training the policy did "
                "worse than its controller; until it does better, the controller is what is "
                "evaluated"
            )

    def _doubt(self, policy: Outcome, controller: Outcome) -> None:
        """A residual policy begins as its controller: on the same episodes both earn the same."""
        same = np.array_equal(policy.returns, controller.returns)
        if self.problem.adds and self.config.learner.zero_last and not same:
            self.observer.on_note(
                "note: the untrained policy is its controller, and yet the two earned different "
                "returns in the same episodes. The controller or the environment acts at random, "
                "or one of them remembers what was before a reset: differences from the "
                "controller then say less than they seem to; `rpl check` says more"
            )

    def _keep(self, row: Record, state: LearnerState, best: bool) -> None:
        self.keeper.append(row)
        self.replay.flush()
        self.keeper.save(state, self.progress, best)
        self.observer.on_evaluation(row)

    def _level(self, count: int) -> Outcome:
        """The controller on the same episodes."""
        if count not in self._levels:
            problem = self.problem
            self._levels[count] = self._judged(problem.baseline, problem.level(), count)
        return self._levels[count]

    def _judged(
        self, whose: str, policy: Policy, count: int, base: Policy | None = None
    ) -> Outcome:
        seeds = evaluation_seeds(self.config.seed, count)
        return judged(self.problem, self.observer, whose, policy, seeds, base)


def judged(
    problem: Problem,
    observer: Observer,
    whose: str,
    policy: Policy,
    seeds: Sequence[int],
    base: Policy | None = None,
) -> Outcome:
    """The outcome of a policy on episodes; the observer is told whose, and how far it is."""

    def tell(share: float) -> None:
        observer.on_evaluating(whose, share)

    return evaluate(problem.evaluation_task, policy, seeds, problem.horizon, tell, base)
