"""Policies to collect episodes with: exploring, greedy, and what they execute."""

from __future__ import annotations

import jax
import numpy as np

from rpl import learner
from rpl.config import ExplorationConfig
from rpl.controllers.contract import ControllerPolicy, Policy
from rpl.learner import LearnerState
from rpl.observations import Observation, Seen
from rpl.problem import Problem
from rpl.residual import combine, deviation


def quiet_exploration() -> ExplorationConfig:
    """No exploration at all."""
    return ExplorationConfig(noise=0.0, random=0.0, expert=0.0)


class GreedyPolicy:
    """The learned policy as it is deployed: execute(s) = clip(b + scale f(s)), or f(s) alone."""

    has_memory = False

    def __init__(self, state: LearnerState, problem: Problem) -> None:
        self.state = state
        self.seen: Seen = problem.seen
        self._adds, self._adding = problem.adds, (problem.scale, problem.two_valued)

    def reset(self, mask: np.ndarray) -> None:
        """Remembers nothing."""

    def learned(self, observation: Observation, base_action: np.ndarray | None) -> np.ndarray:
        """f(s), (num_envs, action_dim) float32: the residual, or the whole action."""
        return np.array(learner.act(self.state, self.seen(observation, base_action)))

    def __call__(self, observation: Observation, base_action: np.ndarray | None) -> np.ndarray:
        """What is executed."""
        return self.executed(self.learned(observation, base_action), base_action)

    def executed(self, learned: np.ndarray, base_action: np.ndarray | None) -> np.ndarray:
        """What is executed where the learner says ``learned``."""
        if not self._adds or base_action is None:
            return learned
        return combine(base_action, learned, *self._adding)[0]


class ExploringPolicy(GreedyPolicy):
    """The learner's actions, disturbed: a ~ clip(f(s) + noise), or random, or the controller's.

    With z uniform in [0, 1]: the controller where z < expert, a uniform action where
    z < expert + random, else f(s) with Gaussian noise (paper, V-D and appendix B), or SAC's
    own distribution. The disturbances are drawn per episode beforehand, so they do not depend
    on how many environments run at once.

    Args:
        generator: of the disturbances.
        count: how many episodes there will be.
    """

    has_memory = True  # it knows which episodes run, and for how long

    def __init__(
        self,
        state: LearnerState,
        problem: Problem,
        exploration: ExplorationConfig,
        generator: np.random.Generator,
        count: int,
    ) -> None:
        super().__init__(state, problem)
        self._exploration, self._count = exploration, count
        shape = (count, problem.horizon, problem.action_size)
        # SAC's own spread takes the place of the noise's size.
        size = float(exploration.noise > 0) if state.stochastic else exploration.noise
        drawn = generator.standard_normal(shape, np.float32)
        self._noise = size * held(drawn, exploration.hold, generator)
        self._uniform = generator.uniform(-1.0, 1.0, shape).astype(np.float32)
        self._z = generator.random(shape[:2])
        if exploration.ladder:
            rungs = 2.0 * (generator.permutation(count) + generator.random(count)) / count
            self._noise *= rungs[:, None, None].astype(np.float32)
            # z below a share is what disturbs: a share times the rung is z over the rung.
            self._z /= np.maximum(rungs[:, None], 1e-9)
        self._expert = None
        if exploration.expert > 0.0 and not self._adds:
            controller = problem.exploring_controller or problem.controller
            self._expert = ControllerPolicy(controller, problem.action_size)
        self._episodes, self._next, self._step = np.zeros(0, int), 0, 0

    def reset(self, mask: np.ndarray) -> None:
        """The next episodes begin, in all environments; those that are too many repeat some."""
        end = min(self._next + len(mask), self._count)
        self._episodes = np.resize(np.arange(self._next, end), len(mask))
        self._next, self._step = end, 0
        if self._expert is not None:
            self._expert.reset(mask)

    def __call__(self, observation: Observation, base_action: np.ndarray | None) -> np.ndarray:
        """What is executed."""
        at, exploration = (self._episodes, self._step), self._exploration
        self._step += 1
        seen = self.seen(observation, base_action)
        learned = np.array(learner.act(self.state, seen, self._noise[at]))
        choice = self._z[at]
        is_random = choice < exploration.expert + exploration.random
        learned = np.where(is_random[:, None], self._uniform[at], learned)
        by_expert = np.flatnonzero(choice < exploration.expert)
        # The base policy acts by itself where nothing is added to it.
        learned[by_expert] = 0.0
        if self._expert is not None:
            learned[by_expert] = self._asked(self._expert, observation, by_expert)
        return self.executed(np.clip(learned, -1.0, 1.0), base_action)

    @staticmethod
    def _asked(
        expert: ControllerPolicy, observation: Observation, rows: np.ndarray
    ) -> np.ndarray | float:
        """The expert's actions in some environments; with a memory it must see every step."""
        if expert.has_memory:
            return expert(observation)[rows]
        return expert(jax.tree.map(lambda part: part[rows], observation)) if rows.size else 0.0


def held(noise: np.ndarray, steps: float, generator: np.random.Generator) -> np.ndarray:
    """The noise, (episodes, time, size), where each draw stays for ``steps`` steps on average.

    A draw gives way to a new one with the same chance in every step.
    """
    if steps <= 1.0:
        return noise
    is_new = generator.random(noise.shape[:2]) < 1.0 / steps
    since = np.maximum.accumulate(np.where(is_new, np.arange(noise.shape[1]), 0), axis=1)
    return np.take_along_axis(noise, since[:, :, None], axis=1)


class WholePolicy:
    """A policy with its base policy inside, for whoever plays without one beside."""

    def __init__(self, policy: Policy, base: Policy | None) -> None:
        self._policy, self._base = policy, base
        self.acted: np.ndarray = np.zeros(0, bool)
        """Where what was executed last differs from the base action, (num_envs,)."""
        self.has_memory = policy.has_memory or (base is not None and base.has_memory)

    def reset(self, mask: np.ndarray) -> None:
        """Passes on where episodes begin."""
        for acting in (self._base, self._policy):
            if acting is not None:
                acting.reset(mask)

    def __call__(
        self, observation: Observation, base_action: np.ndarray | None = None
    ) -> np.ndarray:
        """What is executed."""
        base = None if self._base is None else self._base(observation, None)
        executed = self._policy(observation, base)
        if base is not None:
            self.acted = np.any(deviation(executed, base) > 0.0, axis=-1)
        return executed
