"""The one training loop: collect, store, update, evaluate, save."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from rpl import learner
from rpl.acting import controller_policy, exploring_policy, greedy_policy, quiet_exploration
from rpl.config import BurnInConfig, Config
from rpl.evaluate import Outcome, evaluate, evaluation_seeds, training_seeds
from rpl.learner import LearnerState
from rpl.learner.replay import Replay
from rpl.metrics import exploring_metrics, is_best, metrics_row
from rpl.problem import Problem
from rpl.progress import Progress
from rpl.rollout import Episodes, collect

BAD_CYCLES = 3  # cycles in a row with a non-finite loss before a run gives up


class TrainingDiverged(RuntimeError):
    """The loss stays non-finite; the last good checkpoint is kept."""


class Observer(Protocol):
    """Somebody who watches a run: a progress display, a logger."""

    def on_cycle(self, progress: Progress, metrics: dict[str, float]) -> None: ...

    def on_evaluation(self, row: dict[str, Any]) -> None: ...


class Keeper(Protocol):
    """Where a run's results go; see :class:`rpl.runs.RunFolder`."""

    def append(self, row: dict[str, Any]) -> None: ...

    def save(self, state: LearnerState, progress: Progress, best: bool) -> None: ...


def train(
    config: Config,
    problem: Problem,
    state: LearnerState,
    replay: Replay,
    progress: Progress,
    keeper: Keeper,
    observer: Observer,
    interrupted: Callable[[], bool] = lambda: False,
) -> LearnerState:
    """Trains until ``config.steps``, or until ``interrupted`` after the running cycle.

    Raises:
        TrainingDiverged: when the loss stays non-finite.
    """
    levels = ControllerLevels(problem)
    if progress.rows == 0:
        progress.burning_in = is_burning_in(config.burn_in, progress)
        _evaluate_and_save(config, problem, state, replay, progress, keeper, observer, levels)
    while progress.environment_steps < config.steps:
        if interrupted():
            replay.flush()
            keeper.save(state, progress, best=False)
            return state
        started = time.perf_counter()
        state, metrics, steps = run_cycle(config, problem, state, replay, progress)
        progress.add_cycle(metrics, steps, time.perf_counter() - started)
        progress.wall_seconds += time.perf_counter() - started
        observer.on_cycle(progress, metrics)
        finished = progress.environment_steps >= config.steps
        if finished or progress.epoch_cycles == config.cycles_per_epoch:
            _evaluate_and_save(config, problem, state, replay, progress, keeper, observer, levels)
    return state


def run_cycle(
    config: Config, problem: Problem, state: LearnerState, replay: Replay, progress: Progress
) -> tuple[LearnerState, dict[str, float], int]:
    """Collects episodes, then learns from the replay; returns the cycle's metrics and steps.

    All randomness comes from (seed, cycle) alone, so that nothing of it needs saving.
    """
    cycle, count = progress.cycle, config.episodes_per_cycle
    progress.burning_in = is_burning_in(config.burn_in, progress)
    seeds = training_seeds(config.seed, progress.episodes, count)
    policy = exploring_policy(
        state,
        problem,
        quiet_exploration() if _is_quiet(config.burn_in, progress) else config.exploration,
        np.random.default_rng((config.seed, 2, cycle)),
        count,
    )
    episodes = collect(problem.task, policy, seeds, problem.horizon)
    progress.cycle += 1
    progress.episodes += count
    progress.dropped_episodes += episodes.dropped
    steps = episodes.steps + episodes.dropped * problem.horizon
    progress.environment_steps += steps
    replay.store(episodes)
    progress.stored_episodes = replay.stored
    metrics = exploring_metrics(problem, episodes)
    if len(replay):
        learned, losses = learn(config, problem, state, replay, episodes, progress, cycle)
        metrics |= losses
        if np.isfinite(list(losses.values())).all():
            state, progress.bad_cycles = learned, 0
        else:
            progress.bad_cycles += 1
            if progress.bad_cycles >= BAD_CYCLES:
                raise TrainingDiverged(
                    f"the loss was not finite for {BAD_CYCLES} cycles, at "
                    f"{progress.environment_steps} steps; the last good checkpoint is kept. "
                    "Lower the learning rates, or look for extreme observations or rewards"
                )
    return state, metrics, steps


def learn(
    config: Config,
    problem: Problem,
    state: LearnerState,
    replay: Replay,
    episodes: Episodes,
    progress: Progress,
    cycle: int,
) -> tuple[LearnerState, dict[str, float]]:
    """Updates normalisers with the new episodes, then actor and critic from the replay."""
    generator = np.random.default_rng((config.seed, 3, cycle))
    hindsight = config.replay.hindsight
    steps = config.episodes_per_cycle * problem.horizon
    discount = config.learner.discount_over(problem.horizon)

    def sample(shape: tuple[int, ...], **keywords: Any) -> learner.Batch:
        return replay.sample(shape, generator, hindsight, problem.rules, **keywords)

    if len(episodes):
        fresh = sample((steps,), newest=len(episodes))
        state = learner.observe(state, fresh.observation, fresh.goal)
    batches = sample(
        (config.learner.updates(steps), config.learner.batch_size),
        n_step=config.replay.n_step,
        discount=discount,
        beneath=problem.beneath,
    )
    state, losses = learner.update(
        config.learner,
        state,
        jax.tree.map(jnp.asarray, batches),
        problem.value_bounds or (-1.0 / (1.0 - discount), 0.0),
        not progress.burning_in,
        jax.random.fold_in(jax.random.fold_in(jax.random.key(config.seed), 4), cycle),
        np.asarray(config.residual.scale, np.float32),
    )
    return state, {name: float(value) for name, value in losses.items()}


def is_burning_in(config: BurnInConfig, progress: Progress) -> bool:
    """Whether only the critic learns now; once over, burn-in stays over.

    The rules that watch the critic decide at the end of an epoch; see
    :func:`ends_burn_in`.
    """
    if config.rule == "steps":
        return progress.environment_steps < config.minimum_steps
    return progress.burning_in


def ends_burn_in(config: BurnInConfig, progress: Progress, means: dict[str, float]) -> bool:
    """The end-of-epoch verdict of the rules that watch the critic (paper, IV-B)."""
    if config.rule == "steps" or progress.environment_steps < config.minimum_steps:
        return False
    if config.rule == "critic-loss":
        return means.get("critic_loss", np.inf) < config.threshold
    if progress.last_mean_q is None:
        return False
    return abs(means["mean_q"] - progress.last_mean_q) < config.threshold


def _is_quiet(config: BurnInConfig, progress: Progress) -> bool:
    """Spreads the quiet cycles evenly over burn-in."""
    share, cycle = config.quiet_share, progress.cycle
    return progress.burning_in and int((cycle + 1) * share) > int(cycle * share)


class ControllerLevels:
    """The controller's outcome on the evaluation episodes, run once per episode list."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._outcomes: dict[tuple[int, int], Outcome] = {}

    def __call__(self, seed: int, count: int) -> Outcome:
        """The controller on the first ``count`` evaluation episodes of ``seed``."""
        if (seed, count) not in self._outcomes:
            self._outcomes[seed, count] = evaluate(
                self._problem.controller_task,
                controller_policy(self._problem),
                evaluation_seeds(seed, count),
                self._problem.horizon,
            )
        return self._outcomes[seed, count]


def _evaluate_and_save(
    config: Config,
    problem: Problem,
    state: LearnerState,
    replay: Replay,
    progress: Progress,
    keeper: Keeper,
    observer: Observer,
    levels: ControllerLevels,
) -> None:
    """Ends an epoch: judge, write a row, checkpoint."""
    started = time.perf_counter()
    progress.finished = progress.environment_steps >= config.steps
    count = config.final_evaluation_episodes if progress.finished else config.evaluation_episodes
    seeds = evaluation_seeds(config.seed, count)
    policy = evaluate(problem.evaluation_task, greedy_policy(state), seeds, problem.horizon)
    controller = levels(config.seed, count)
    row = metrics_row(problem, progress, policy, controller)
    if state.stochastic:
        row |= {name: progress.epoch_means().get(name) for name in ("entropy", "temperature")}
    if progress.burning_in and progress.rows > 0:
        means = progress.epoch_means()
        progress.burning_in = not ends_burn_in(config.burn_in, progress, means)
        progress.last_mean_q = means.get("mean_q")
    best = is_best(problem, progress, policy)
    if best:
        progress.best_success, progress.best_return = policy.success_rate, policy.mean_return
    progress.wall_seconds += time.perf_counter() - started
    progress.epoch += 1
    progress.rows += 1
    progress.start_epoch()
    keeper.append(row)
    replay.flush()
    keeper.save(state, progress, best)
    observer.on_evaluation(row)
