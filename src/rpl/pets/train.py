"""Training PETS: act, learn the model from everything seen, act again (paper, appendix A.5).

The first trial is random. A trial is one episode; after each the model is trained on all
transitions so far, and the next trial plans with it.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import equinox as eqx
import jax
import numpy as np
from gymnasium.vector import VectorEnv

from rpl.controllers.contract import ControllerPolicy
from rpl.observations import OBSERVATION, Seen, width_of
from rpl.pets import dynamics
from rpl.pets.config import PETSConfig
from rpl.pets.dynamics import Model
from rpl.pets.planner import PETS, Cost
from rpl.replay.episodes import Episodes
from rpl.rollout.collect import collect
from rpl.rollout.seeds import training_seeds
from rpl.settings import Record


@dataclass(frozen=True)
class PETSProblem:
    """What is to be controlled."""

    task: VectorEnv
    """One environment with actions in [-1, 1]."""
    cost: Cost
    """The task's reward as a cost, in JAX."""
    horizon: int
    """T, the most steps of an episode."""

    @property
    def action_size(self) -> int:
        """Numbers of an action."""
        return width_of(self.task.single_action_space)


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

    def append(self, row: Record) -> None: ...

    def save(self, state: Any, progress: Any, best: bool) -> None: ...


class TrialObserver(Protocol):
    """Somebody who watches a run."""

    def on_step(self, environment_steps: int) -> None: ...

    def on_trial(self, row: Record) -> None: ...


def create_state(config: PETSConfig, problem: PETSProblem) -> PETSState:
    """The state before the first trial; also what a checkpoint is read into."""
    observation_size = Seen.of(problem.task.single_observation_space).sizes[OBSERVATION]
    action_size, episodes = problem.action_size, config.trials + 1
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
    had not been stopped. ``state`` is from ``create_state`` or a checkpoint; ``progress`` is
    updated on the way, and ``interrupted`` is asked between trials.
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
        row = _row(progress, trial, whole) | {"trial_return": earned, "model_error": error}
        keeper.append(row)
        # The newest model is the best: it knows all data, and one episode's return tells little.
        keeper.save(state, progress, best=True)
        observer.on_trial(row)
    return state


def _row(progress: PETSProgress, trial: int, whole: float | None) -> Record:
    """What a row says beside the trial's own; ``whole`` is the return of one that was not cut."""
    return {
        "environment_steps": progress.environment_steps,
        "wall_seconds": round(progress.wall_seconds, 1),
        "epoch": trial,
        "policy_return": whole,
        "best_return": progress.best_return if np.isfinite(progress.best_return) else None,
        "dropped_episodes": progress.dropped_episodes,
    }


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
    size = problem.action_size
    return ControllerPolicy(lambda observation: generator.uniform(-1.0, 1.0, shape), size)


def make_pets(config: PETSConfig, problem: PETSProblem, state: PETSState, seed: int) -> PETS:
    """The controller that was learned, for any number of environments."""
    ensemble, size = state.model.ensemble, problem.action_size
    return PETS(ensemble, problem.cost, size, config.planner, seed)
