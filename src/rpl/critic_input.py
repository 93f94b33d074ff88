"""What the critic judges: the residual, or its sum with the controller's action."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from gymnasium.vector import VectorEnv

from rpl.config import ResidualConfig
from rpl.errors import InvalidValue
from rpl.observations import GOAL_PARTS
from rpl.residual import Controller, Residual, combine, controller_action


@dataclass(frozen=True)
class _Sum:
    scale: np.ndarray
    action_size: int

    def executed(self, proposed: np.ndarray, residual: np.ndarray) -> np.ndarray:
        """What was executed, (n, action_size) float32."""
        return combine(proposed, residual, self.scale)[0].astype(np.float32)


@dataclass(frozen=True)
class ObservedSum(_Sum):
    """Q(s, g, pi + f), where each observation holds what its controller proposed."""

    def proposed(
        self, observation: np.ndarray, achieved_goal: np.ndarray, desired_goal: np.ndarray
    ) -> np.ndarray:
        """pi, (n, action_size) float32; for the episode's own goal, whatever is asked."""
        return observation[:, -self.action_size :]


@dataclass(frozen=True)
class AskedSum(_Sum):
    """Q(s, g, pi(s, g) + f(s, g)), where the controller is asked about stored observations."""

    controller: Controller
    clip_controller: bool

    def proposed(
        self, observation: np.ndarray, achieved_goal: np.ndarray, desired_goal: np.ndarray
    ) -> np.ndarray:
        """pi(s, g), (n, action_size) float32, for observations and goals of n rows."""
        seen = {
            "observation": observation,
            "achieved_goal": achieved_goal,
            "desired_goal": desired_goal,
        }
        shape = (len(observation), self.action_size)
        whole = seen if desired_goal.shape[1] else observation
        action = controller_action(self.controller, whole, shape, self.clip_controller)
        return action.astype(np.float32)


def critic_input(config: ResidualConfig, task: VectorEnv) -> ObservedSum | AskedSum | None:
    """The sum, if it is to be judged; None for the residual, or where there is no residual.

    Args:
        config: says which.
        task: where episodes are collected.

    Raises:
        ValueError: if the controller is not observed, and cannot say again what it would have
            done.
    """
    if config.critic_input == "residual" or not isinstance(task, Residual):
        return None
    (size,) = task.single_action_space.shape  # type: ignore[misc]
    if task.observe_controller:
        return ObservedSum(task.scale, size)
    needs = "--residual.critic-input sum asks the controller about observations of the past"
    instead = "add --residual.observe-controller, which keeps what it said"
    if hasattr(task.controller, "reset"):
        raise InvalidValue(
            f"{needs}, and this one has a memory, or is one for each environment: {instead}"
        )
    parts = getattr(task.single_observation_space, "spaces", {})
    if "simulator_state" in parts:
        raise InvalidValue(
            f"{needs}, and this one plans from the simulator's state, which is not kept: {instead}"
        )
    if others := sorted(parts.keys() - GOAL_PARTS):
        raise InvalidValue(f"{needs}, of which {', '.join(others)} is not kept: {instead}")
    return AskedSum(task.scale, size, task.controller, task.clip_controller)
