"""The one training loop: collect, store, update, evaluate, save."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rpl import learner
from rpl.config import Config, LearnerConfig
from rpl.errors import Failure
from rpl.learner import LearnerState
from rpl.problem import Problem
from rpl.replay.buffer import Replay
from rpl.replay.episodes import Episodes, join
from rpl.rollout.collect import collect
from rpl.rollout.policies import ExploringPolicy, quiet_exploration
from rpl.rollout.seeds import training_seeds
from rpl.training.burn_in import is_burning_in, is_quiet
from rpl.training.epoch import EpochEnd, Keeper, Observer
from rpl.training.metrics import exploring_metrics
from rpl.training.progress import Progress
from rpl.training.standing import acts_alone, remember
from rpl.training.trust import pessimism_of

DROPPED_EPISODES = 10  # without a single sound one, before a run gives up
BAD_CYCLES = 3  # cycles in a row with a non-finite loss before a run gives up


class TrainingDiverged(Failure):
    """The loss or all that is observed stays non-finite; the last good checkpoint is kept."""


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
    end_epoch = EpochEnd(config, problem, replay, progress, keeper, observer)
    if progress.rows == 0:
        progress.burning_in = is_burning_in(config.burn_in, progress)
        end_epoch(state)
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
            end_epoch(state)
    return state


def run_cycle(
    config: Config, problem: Problem, state: LearnerState, replay: Replay, progress: Progress
) -> tuple[LearnerState, dict[str, float], int]:
    """Collects episodes, then learns from the replay; returns the cycle's metrics and steps.

    All randomness comes from (seed, cycle) alone, so that nothing of it needs saving.
    """
    state = learner.with_pessimism(state, pessimism_of(config.learner, progress))
    progress.burning_in = is_burning_in(config.burn_in, progress)
    alone = acts_alone(config, problem, progress)
    episodes = explore(config, problem, state, progress, alone)
    progress.cycle += 1
    progress.unlearned_cycles += 1
    progress.unlearned_episodes += len(episodes)
    progress.dropped_episodes += episodes.dropped
    steps = _steps_of(episodes, problem)
    progress.environment_steps += steps
    replay.store(episodes)
    progress.stored_episodes = replay.stored
    at_its_end = progress.environment_steps >= config.steps
    if not replay.stored and (at_its_end or progress.episodes >= DROPPED_EPISODES):
        raise TrainingDiverged(
            f"all {progress.episodes} episodes were dropped, since each had an observation or a "
            "reward that was not a finite number; `rpl check` tells which"
        )
    if alone:
        remember(progress, problem, episodes)
        return state, {}, steps
    state, losses = catch_up(config, problem, state, replay, progress)
    return state, exploring_metrics(problem, episodes) | losses, steps


def catch_up(
    config: Config, problem: Problem, state: LearnerState, replay: Replay, progress: Progress
) -> tuple[LearnerState, dict[str, float]]:
    """Learns once for each cycle that nothing was learned for yet; returns the last one's losses.

    Raises:
        TrainingDiverged: when the loss stays non-finite.
    """
    newest, losses = min(progress.unlearned_episodes, len(replay)), {}
    owed = progress.unlearned_cycles if len(replay) else 0
    for cycle in range(progress.cycle - owed, progress.cycle):
        learned, said = learn(config, problem, state, replay, newest, progress, cycle)
        # The losses are of before the last gradient step.
        if np.isfinite(list(said.values())).all() and learner.is_finite(learned):
            state, losses, progress.bad_cycles = learned, said, 0
            progress.actor_has_learned = not progress.is_untrained or not progress.burning_in
        else:
            progress.bad_cycles += 1
            if progress.bad_cycles >= BAD_CYCLES:
                raise TrainingDiverged(
                    f"the loss was not finite for {BAD_CYCLES} cycles, at "
                    f"{progress.environment_steps} steps; the last good checkpoint is kept. "
                    "Lower the learning rates, or look for extreme observations or rewards"
                )
    progress.unlearned_cycles = progress.unlearned_episodes = 0
    return state, losses


def explore(
    config: Config,
    problem: Problem,
    state: LearnerState,
    progress: Progress,
    alone: bool = False,
) -> Episodes:
    """Collects a cycle's episodes; where they end early, as many more as make up for the steps.

    So the gradient steps for each environment step stay what they are meant to be. No more
    episodes begin than would be needed if each were of full length. Where the policy acts
    ``alone``, nothing disturbs it.
    """
    generator = np.random.default_rng((config.seed, 2, progress.cycle))
    quiet = alone or is_quiet(config.burn_in, progress)
    exploration = quiet_exploration() if quiet else config.exploration
    rounds, missing = [], config.steps_per_cycle(problem.horizon)
    while missing > 0:
        count = math.ceil(missing / problem.horizon)
        seeds = training_seeds(config.seed, progress.episodes, count)
        policy = ExploringPolicy(state, problem, exploration, generator, count)
        base = problem.exploring_base()
        rounds.append(collect(problem.task, policy, seeds, problem.horizon, base))
        progress.episodes += count
        missing -= _steps_of(rounds[-1], problem)
    return join(rounds)


def _steps_of(episodes: Episodes, problem: Problem) -> int:
    """Environment steps taken; a dropped episode may have had any number, and counts as full."""
    return episodes.steps + episodes.dropped * problem.horizon


def learn(
    config: Config,
    problem: Problem,
    state: LearnerState,
    replay: Replay,
    newest: int,
    progress: Progress,
    cycle: int,
) -> tuple[LearnerState, dict[str, float]]:
    """Updates normalisers with the newest episodes, then actor and critic from the replay."""
    generator = np.random.default_rng((config.seed, 3, cycle))
    steps = config.steps_per_cycle(problem.horizon)
    discount = config.learner.discount_over(problem.horizon)

    ask = problem.base_of_stored() if config.replay.ask_controller else None

    def sample(shape: tuple[int, ...], **keywords: Any) -> learner.Batch[np.ndarray]:
        return replay.sample(
            shape, generator, config.replay.hindsight, problem.rules, ask=ask, **keywords
        )

    bounds = problem.value_bounds or (-1.0 / (1.0 - discount), 0.0)
    if newest:
        fresh = sample((steps,), newest=newest)
        state = _with_observed(config.learner, state, fresh, bounds, discount)
    shape = (config.learner.updates(steps), config.learner.batch_size)
    batches = sample(shape, n_step=config.replay.n_step, discount=discount)
    scale = np.asarray(problem.scale, np.float32)
    judges_sums = config.residual.critic_input == "sum"
    setting = learner.Setting(discount, bounds, scale, judges_sums, problem.two_valued)
    state, losses = learner.update(
        _settings_of_now(config, progress),
        state,
        jax.tree.map(jnp.asarray, batches),
        setting,
        not progress.burning_in,
        jax.random.fold_in(jax.random.fold_in(jax.random.key(config.seed), 4), cycle),
    )
    return state, {name: float(value) for name, value in losses.items()}


def _with_observed(
    config: LearnerConfig,
    state: LearnerState,
    fresh: learner.Batch[np.ndarray],
    bounds: tuple[float, float],
    discount: float,
) -> LearnerState:
    """The normaliser with new transitions; the critics begin at the mean of the first ones."""
    if config.start_at_mean and not state.normalizer.count:
        value = np.clip(mean_value(fresh, discount), *bounds)
        state = learner.start_critics_at(state, np.float32(value))
    return learner.observe(state, fresh.observation)


def mean_value(transitions: learner.Batch[np.ndarray], discount: float) -> float:
    """The discounted sum of rewards that are always their mean, and go on as often as these do."""
    goes_on = 1.0 - transitions.terminated.mean(dtype=np.float64)
    return float(transitions.reward.mean(dtype=np.float64) / (1.0 - discount * goes_on))


def _settings_of_now(config: Config, progress: Progress) -> LearnerConfig:
    """The learner's settings, with the pace of the target networks while burning in."""
    if progress.burning_in and config.burn_in.polyak is not None:
        return replace(config.learner, polyak=config.burn_in.polyak)
    return config.learner
