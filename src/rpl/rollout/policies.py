"""Policies to collect episodes with: exploring, greedy, and the controller alone."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from rpl import learner
from rpl.config import ExplorationConfig
from rpl.controllers.contract import controller_action
from rpl.learner import LearnerState
from rpl.observations import as_goal_observation
from rpl.problem import Problem
from rpl.residual import Residual, beside, combine
from rpl.rollout.collect import ActingPolicy


def quiet_exploration() -> ExplorationConfig:
    """No exploration at all."""
    return ExplorationConfig(noise=0.0, random=0.0, expert=0.0)


def exploring_policy(
    state: LearnerState,
    problem: Problem,
    exploration: ExplorationConfig,
    generator: np.random.Generator,
    count: int,
) -> ActingPolicy:
    """The learner's actions, disturbed: a ~ clip(f(s) + noise), or random, or the controller's.

    With z uniform in [0, 1]: the controller where z < expert, a uniform action where
    z < expert + random, else f(s) with Gaussian noise (paper, V-D and appendix B), or SAC's
    own distribution. The disturbances are drawn per episode beforehand, so they do not depend
    on how many environments run at once.
    """
    size = problem.sizes[2]
    shape = (count, problem.horizon, size)
    # SAC's own spread takes the place of the noise's size.
    size_of_noise = float(exploration.noise > 0) if state.stochastic else exploration.noise
    noise = size_of_noise * generator.standard_normal(shape, np.float32)
    uniform = generator.uniform(-1.0, 1.0, shape).astype(np.float32)
    z = generator.random(shape[:2])
    controller = problem.exploring_controller or problem.controller
    # The residual's controller acts by itself, and must be asked once a step if it has a memory.
    adds = isinstance(problem.task, Residual)

    def policy(observation: Any, episodes: np.ndarray, step: int) -> np.ndarray:
        seen = _learner_input(observation)
        action = np.array(learner.act_with_noise(state, *seen, noise[episodes, step]))
        choice = z[episodes, step]
        is_random = choice < exploration.expert + exploration.random
        action = np.where(is_random[:, None], uniform[episodes, step], action)
        by_expert = np.flatnonzero(choice < exploration.expert)
        if adds:
            action[by_expert] = 0.0
        elif exploration.expert > 0.0 and hasattr(controller, "reset"):  # must see every step
            _reset_at_start(controller, step, len(episodes))
            proposed = controller_action(controller, observation, action.shape, clip=True)
            action[by_expert] = proposed[by_expert]
        elif by_expert.size:
            there = jax.tree.map(lambda part: part[by_expert], observation)
            action[by_expert] = controller_action(
                controller, there, (by_expert.size, size), clip=True
            )
        return np.clip(action, -1.0, 1.0)

    return policy


def greedy_action(state: LearnerState, observation: Any) -> np.ndarray:
    """f(s) without disturbance, (num_envs, action_size) float32."""
    return np.array(learner.act(state, *_learner_input(observation)))


def _learner_input(observation: Any) -> tuple[np.ndarray, np.ndarray]:
    parts = as_goal_observation(observation)
    return parts["observation"].astype(np.float32), parts["desired_goal"].astype(np.float32)


def greedy_policy(state: LearnerState) -> ActingPolicy:
    """The learned policy as it is deployed."""
    return lambda observation, episodes, step: greedy_action(state, observation)


def whole_policy(problem: Problem, policy: ActingPolicy) -> ActingPolicy:
    """The policy for the bare task: where ``policy`` says residuals, what is executed for them."""
    residual = problem.evaluation_task
    if not isinstance(residual, Residual):
        return policy

    def whole(observation: Any, episodes: np.ndarray, step: int) -> np.ndarray:
        _reset_at_start(residual.controller, step, len(episodes))
        shape = (len(episodes), *(residual.single_action_space.shape or ()))
        proposed = controller_action(
            residual.controller, observation, shape, residual.clip_controller
        )
        seen = beside(observation, proposed) if residual.observe_controller else observation
        added = policy(seen, episodes, step)
        return combine(proposed, added, residual.scale)[0]

    return whole


def controller_policy(problem: Problem) -> ActingPolicy:
    """The controller alone."""
    shape = (problem.controller_task.num_envs, problem.sizes[2])

    def policy(observation: Any, episodes: np.ndarray, step: int) -> np.ndarray:
        _reset_at_start(problem.controller, step, len(episodes))
        return controller_action(problem.controller, observation, shape, clip=True)

    return policy


def _reset_at_start(controller: Any, step: int, count: int) -> None:
    """Clears a controller's memory where a round of episodes begins."""
    if step == 0 and hasattr(controller, "reset"):
        controller.reset(np.ones(count, bool))
