"""Training PETS: act, learn the model from everything seen, act again (paper, appendix A.5).

The first trial is random. A trial is one episode; after each the model is trained on all
transitions so far, and the next trial plans with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import equinox as eqx
import jax
import numpy as np
from gymnasium.vector import VectorEnv

from rpl.config import LARGEST_SEED, MOST_THREADS, Limits, PlainValues, check_limits, check_widths
from rpl.controllers.contract import ControllerPolicy
from rpl.errors import InvalidValue, above_0, at_least_0, check_settings
from rpl.pets import dynamics
from rpl.pets.dynamics import Model, ModelConfig
from rpl.pets.planner import (
    OFFICIAL,
    PETS,
    SMALL,
    SMALL_AND_WIDE,
    Cost,
    PlannerConfig,
    check_planner,
)
from rpl.replay.episodes import Episodes
from rpl.rollout.collect import collect
from rpl.rollout.seeds import training_seeds


@dataclass(frozen=True)
class PETSConfig(PlainValues):
    """A run of PETS; PRESETS has the published one."""

    trials: int = 100
    """Planned episodes, after one of random actions."""
    seed: int = 0
    """Decides everything random in the run."""
    num_threads: int = 1
    """Physics threads; one environment has work for one. Changes speed, never results."""
    model: ModelConfig = field(default_factory=ModelConfig)
    planner: PlannerConfig = SMALL
    early_planner: PlannerConfig = SMALL_AND_WIDE
    """Plans the first ``early_trials`` instead: for data to learn from."""
    early_trials: int = 0
    whole_trials: int | None = None
    """Trials at the end that are whole; those before, the random one too, are cut off after
    ``short_steps``: where an episode is decided at its beginning, more beginnings teach more.
    None: all are whole."""
    short_steps: int = 75
    """Steps of a short trial."""

    def __post_init__(self) -> None:
        """Refuses what would fail only hours later.

        Raises:
            InvalidValue: naming the option and what it may be.
        """
        super().__post_init__()
        check_limits(self, LIMITS)
        check_widths({"--model.hidden": self.model.hidden})
        layers, decays = len(self.model.hidden) + 1, len(self.model.weight_decay)
        if layers != decays:
            raise InvalidValue(
                f"--model.weight-decay has {decays} numbers: --model.hidden makes {layers} layers"
            )
        for decay in self.model.weight_decay:
            check_settings({"--model.weight-decay": decay}, at_least_0, "at least 0")
        for name in ("planner", "early_planner") if self.early_trials else ("planner",):
            check_planner(getattr(self, name), self.model.networks, f"--{name.replace('_', '-')}")

    def steps_in(self, trial: int, horizon: int) -> int:
        """The most steps of a trial, in episodes of ``horizon``."""
        whole = self.whole_trials is None or trial > self.trials - self.whole_trials
        return horizon if whole else min(self.short_steps, horizon)

    def steps(self, horizon: int) -> int:
        """The most steps of the whole run."""
        return sum(self.steps_in(trial, horizon) for trial in range(self.trials + 1))

    def planner_in(self, trial: int) -> PlannerConfig:
        """The planner of a trial."""
        return self.early_planner if trial <= self.early_trials else self.planner


LIMITS: Limits = {
    "at least 1": (
        lambda value: value >= 1,
        "short_steps whole_trials model.networks model.batch_size model.epochs "
        "planner.horizon planner.population planner.elites planner.particles "
        "early_planner.horizon early_planner.population "
        "early_planner.elites early_planner.particles",
    ),
    "above 0": (
        above_0,
        "model.learning_rate planner.variance early_planner.variance",
    ),
    "at least 0": (
        at_least_0,
        "trials early_trials model.bound_penalty planner.colour early_planner.colour "
        "planner.iterations early_planner.iterations",
    ),
    "between 0 and 1024": (lambda value: 0 <= value <= MOST_THREADS, "num_threads"),
    "between 0 and 1": (
        lambda value: 0.0 <= value <= 1.0,
        "planner.smoothing early_planner.smoothing",
    ),
    "at least 0 and below 2^63": (lambda value: 0 <= value < LARGEST_SEED, "seed"),
}
"""What settings can be; None stands for one that was left open."""


PRESETS = {
    "official": PETSConfig(planner=OFFICIAL),
    # 160 trials of 75 steps, then 20 of 150: as many steps as in the published hundred.
    "small": PETSConfig(
        trials=179,
        model=ModelConfig(decay=True),
        planner=SMALL,
        early_trials=60,
        whole_trials=20,
    ),
}


@dataclass(frozen=True)
class PETSProblem:
    """What is to be controlled."""

    task: VectorEnv
    """One environment with actions in [-1, 1]."""
    cost: Cost
    """The task's reward as a cost, in JAX."""
    horizon: int
    """T, the most steps of an episode."""


class PETSState(eqx.Module):
    """The model, and all episodes it was learned from; arrays of the size of the whole run."""

    model: Model
    observation: np.ndarray
    """(trials + 1, T + 1, observation_size) float32"""
    action: np.ndarray
    """(trials + 1, T, action_size) float32"""
    length: np.ndarray
    """(trials + 1,) int32: steps; 0 for episodes that are still to come, or diverged"""


@dataclass
class PETSProgress:
    """Where a run stands; with the state, all that resuming needs."""

    trial: int = 0
    """Trials done, the random one included."""
    environment_steps: int = 0
    wall_seconds: float = 0.0
    rows: int = 0
    best_return: float = -np.inf
    dropped_episodes: int = 0
    finished: bool = False


class TrialKeeper(Protocol):
    """Where a run's results go; ``rpl.runs.folder.RunFolder`` will do."""

    def append(self, row: dict[str, Any]) -> None: ...

    def save(self, state: Any, progress: Any, best: bool) -> None: ...


class TrialObserver(Protocol):
    """Somebody who watches a run."""

    def on_step(self, environment_steps: int) -> None: ...

    def on_trial(self, row: dict[str, Any]) -> None: ...


def create_state(config: PETSConfig, problem: PETSProblem) -> PETSState:
    """The state before the first trial; also what a checkpoint is read into."""
    observation_size, action_size = _sizes(problem.task)
    episodes = config.trials + 1
    return PETSState(
        dynamics.create(jax.random.key(config.seed), observation_size, action_size, config.model),
        np.zeros((episodes, problem.horizon + 1, observation_size), np.float32),
        np.zeros((episodes, problem.horizon, action_size), np.float32),
        np.zeros(episodes, np.int32),
    )


def train_pets(
    config: PETSConfig,
    problem: PETSProblem,
    state: PETSState,
    progress: PETSProgress,
    keeper: TrialKeeper,
    observer: TrialObserver,
    interrupted: Callable[[], bool] = lambda: False,
) -> PETSState:
    """Runs the trials that are left, or until ``interrupted``; each leaves a row and a checkpoint.

    All randomness comes from (seed, trial) alone, so that a resumed run goes on as if it
    had not been stopped.

    Args:
        config: the run's settings.
        problem: what is to be controlled.
        state: from ``create_state`` or a checkpoint.
        progress: updated on the way.
        keeper: where rows and checkpoints go.
        observer: told of every step and trial.
        interrupted: asked between trials.
    """
    while progress.trial <= config.trials and not interrupted():
        started = time.perf_counter()
        trial = progress.trial
        policy = trial_policy(config, problem, state, trial)
        seeds = training_seeds(config.seed, trial, 1)
        steps = config.steps_in(trial, problem.horizon)
        taken = progress.environment_steps

        def tell(share: float, taken: int = taken, steps: int = steps) -> None:
            observer.on_step(taken + round(share * steps))

        episodes = collect(problem.task, policy, seeds, steps, tell=tell)
        state = with_episode(state, trial, episodes)
        state, error = learn(config, state, trial)
        _advance(progress, config, steps, episodes, time.perf_counter() - started)
        earned = float(episodes.returns[0]) if len(episodes) else None
        whole = earned if steps == problem.horizon else None
        progress.best_return = max(progress.best_return, -np.inf if whole is None else whole)
        row = {
            "environment_steps": progress.environment_steps,
            "wall_seconds": round(progress.wall_seconds, 1),
            "epoch": trial,
            "policy_return": whole,
            "best_return": progress.best_return if np.isfinite(progress.best_return) else None,
            "trial_return": earned,
            "model_error": error,
            "dropped_episodes": progress.dropped_episodes,
        }
        keeper.append(row)
        # The newest model is the best: it knows all data, and one episode's return tells little.
        keeper.save(state, progress, best=True)
        observer.on_trial(row)
    return state


def _advance(
    progress: PETSProgress,
    config: PETSConfig,
    steps: int,
    episodes: Episodes,
    seconds: float,
) -> None:
    progress.trial += 1
    progress.rows += 1
    progress.environment_steps += episodes.steps + episodes.dropped * steps
    progress.dropped_episodes += episodes.dropped
    progress.wall_seconds += seconds
    progress.finished = progress.trial > config.trials


def with_episode(state: PETSState, trial: int, episodes: Episodes) -> PETSState:
    """With the trial's episode stored; one that diverged leaves its place empty."""
    if not len(episodes):
        return state
    observation, action, length = state.observation, state.action, state.length
    observation, action, length = observation.copy(), action.copy(), length.copy()
    steps = episodes.action.shape[1]
    observation[trial, : steps + 1] = episodes.observation["observation"][0]
    action[trial, :steps] = episodes.action[0]
    length[trial] = episodes.length[0]
    return PETSState(state.model, observation, action, length)


def learn(config: PETSConfig, state: PETSState, trial: int) -> tuple[PETSState, float | None]:
    """With the model trained on all transitions so far, and its mean squared error on them."""
    taken = np.arange(state.action.shape[1]) < state.length[:, None]
    if not taken.any():
        return state, None
    model, error = dynamics.fit(
        state.model,
        state.observation[:, :-1][taken],
        state.action[taken],
        state.observation[:, 1:][taken],
        np.random.default_rng((config.seed, 4, trial)),
        config.model,
    )
    return PETSState(model, state.observation, state.action, state.length), error


def trial_policy(
    config: PETSConfig, problem: PETSProblem, state: PETSState, trial: int
) -> ControllerPolicy:
    """Random actions in the first trial, or while nothing was learned; then plans."""
    generator = np.random.default_rng((config.seed, 5, trial))
    shape = problem.task.action_space.shape
    if state.length.any():
        seed = int(generator.integers(2**31))
        planner = config.planner_in(trial)
        pets = make_pets(replace(config, planner=planner), problem, state, seed)
        return ControllerPolicy(pets, pets.action_size)
    _, action_size = _sizes(problem.task)
    return ControllerPolicy(lambda observation: generator.uniform(-1.0, 1.0, shape), action_size)


def make_pets(config: PETSConfig, problem: PETSProblem, state: PETSState, seed: int) -> PETS:
    """The controller that was learned, for any number of environments."""
    _, action_size = _sizes(problem.task)
    return PETS(state.model.ensemble, problem.cost, action_size, config.planner, seed)


def _sizes(task: VectorEnv) -> tuple[int, int]:
    """Widths of observation and action."""
    space: Any = task.single_observation_space
    part = space["observation"] if hasattr(space, "spaces") else space
    return part.shape[0], task.single_action_space.shape[0]  # type: ignore[index]
