"""A trained policy in Python: from observations to actions, in the environment's units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from rpl import residual
from rpl.controllers.contract import controller_action
from rpl.observations import as_goal_observation, batch_of_one
from rpl.problem import Problem
from rpl.rollout.policies import greedy_action
from rpl.tasks.gym.task import GymnasiumTask


class Policy:
    """Controller plus learned residual, as it is deployed.

    ``policy(observation)`` takes what the task observes, one observation or a batch of
    them, and returns actions of the same number in the environment's units. Where the
    controller has a memory, call ``reset()`` where an episode begins.

    Args:
        state: the learner.
        problem: what it was learned on.
        record: the run's ``config.json``.
        untrained: whether its actor is still as it began.
    """

    def __init__(
        self, state: Any, problem: Problem, record: Mapping[str, Any], untrained: bool = False
    ) -> None:
        self.state = state
        self.untrained = untrained
        self.problem = problem
        self.task_name: str = record["task"]
        self.method: str = record["method"]
        self.controller_name: str = record["controller"]
        self.controller = problem.controller
        self.frames = problem.frames
        observation_size, goal_size, action_size = problem.sizes
        self.proposal_size = problem.proposal_size
        """How much of what the learner sees is the controller's action, at the end."""
        self.sizes = observation_size - self.proposal_size, goal_size, action_size
        """Widths of observation and goal, as the task gives them, and of the action."""
        wrapped = problem.evaluation_task
        self.is_residual = isinstance(wrapped, residual.Residual)
        """Whether the learner adds to the controller, or acts alone."""
        self.scale = getattr(wrapped, "scale", np.ones(()))
        """What a residual of 1 adds, in halves of the action range; () or (action_dim,)."""
        self.clip_controller: bool = getattr(wrapped, "clip_controller", False)
        bare = problem.controller_task.unwrapped
        ones = np.ones(self.sizes[2])
        own = isinstance(bare, GymnasiumTask)
        self.action_low = bare.action_low if own else -ones
        """(action_dim,) the environment's bounds."""
        self.action_high = bare.action_high if own else ones
        self.action_dtype = bare.action_dtype if own else np.dtype(np.float32)

    def __call__(self, observation: Any) -> np.ndarray:
        """Actions, (n, action_dim) for n observations or (action_dim,) for one.

        Raises:
            ValueError: if an observation is not as wide as those of the task.
        """
        if _is_single(observation):
            return self(batch_of_one(observation))[0]
        if not isinstance(observation, Mapping):
            observation = np.asarray(observation)
        self._check_widths(observation)
        if not self.is_residual:
            return self._from_unit(self.residual(observation))
        shape = (len(as_goal_observation(observation)["observation"]), self.sizes[2])
        proposed = controller_action(self.controller, observation, shape, self.clip_controller)
        said = self.residual(observation, proposed)
        return self._from_unit(residual.combine(proposed, said, self.scale)[0])

    def _check_widths(self, observation: Any) -> None:
        parts = as_goal_observation(observation)
        widths = parts["observation"].shape[1], parts["desired_goal"].shape[1]
        if widths != self.sizes[:2]:
            goal_missing = self.sizes[1] > 0 and not isinstance(observation, Mapping)
            raise ValueError(
                f"observation and goal have {widths} numbers, and the policy was learned on "
                f"{self.sizes[:2]}"
                + ("; give it the task's dict, with the desired_goal" if goal_missing else "")
            )

    def reset(self, mask: np.ndarray | None = None) -> None:
        """Clears the controller's memory, of the environments in ``mask`` or of all."""
        if hasattr(self.controller, "reset"):
            count = self.problem.controller_task.num_envs
            self.controller.reset(np.ones(count, bool) if mask is None else mask)  # type: ignore[attr-defined]

    def residual(self, observation: Any, proposed: np.ndarray | None = None) -> np.ndarray:
        """f(s, g), (n, action_dim) in [-1, 1], for n observations.

        Args:
            observation: what the task observes.
            proposed: the controller's actions in [-1, 1], (n, action_dim), where the policy
                observes them.

        Raises:
            ValueError: if they are missing.
        """
        if self.proposal_size:
            if proposed is None:
                raise ValueError("this policy observes the controller's action: give it too")
            observation = residual.beside(observation, proposed)
        return greedy_action(self.state, observation)

    def combine(self, proposed: np.ndarray, said: np.ndarray) -> np.ndarray:
        """Actions from the controller's, in the environment's units, and the residual's."""
        if not self.is_residual:
            return self._from_unit(said)
        return self._from_unit(residual.combine(self.to_unit(proposed), said, self.scale)[0])

    def to_unit(self, proposed: np.ndarray) -> np.ndarray:
        """The controller's actions in halves of the action range, as the learner sees them."""
        middle, reach = self._middle_and_reach
        base = (proposed - middle) / reach
        return np.clip(base, -1.0, 1.0) if self.clip_controller else base

    @property
    def _middle_and_reach(self) -> tuple[np.ndarray, np.ndarray]:
        low, high = self.action_low, self.action_high
        return (high + low) / 2.0, (high - low) / 2.0

    def _from_unit(self, action: np.ndarray) -> np.ndarray:
        middle, reach = self._middle_and_reach
        inside = np.clip(middle + reach * action, self.action_low, self.action_high)
        return inside.astype(self.action_dtype)

    def random_observations(self, count: int, generator: np.random.Generator) -> Any:
        """Observations as wide as those seen in training, and wider: (count, ...)."""
        parts = {}
        for name, normalizer in (
            ("observation", self.state.observation_normalizer),
            ("desired_goal", self.state.goal_normalizer),
        ):
            mean, std = np.asarray(normalizer.mean), np.asarray(normalizer.std)
            parts[name] = mean + 3.0 * std * generator.standard_normal((count, len(mean)))
        parts["observation"] = parts["observation"][:, : self.sizes[0]]
        if not self.sizes[1]:
            return parts["observation"]
        return {**parts, "achieved_goal": parts["desired_goal"]}

    def real_observations(self, steps: int = 20) -> Iterator[Any]:
        """Batched observations of the task, as the policy acts in it."""
        task = self.problem.evaluation_task
        seen, _ = task.reset(seed=0)
        for _ in range(steps):
            said = greedy_action(self.state, seen)
            yield self._bare(seen)
            seen = task.step(said)[0]

    def _bare(self, seen: Any) -> Any:
        if isinstance(seen, Mapping):
            return {**seen, "observation": self._bare(seen["observation"])}
        return seen[:, : self.sizes[0]]


def _is_single(observation: Any) -> bool:
    if isinstance(observation, Mapping):
        return np.ndim(as_goal_observation(observation)["observation"]) == 1
    return np.ndim(observation) == 1
