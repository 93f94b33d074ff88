"""What is to be learned: a task, and what acts in it beside the learner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from gymnasium.vector import VectorEnv

from rpl.config import ResidualConfig
from rpl.controllers.contract import Controller, controller_action
from rpl.errors import InvalidValue
from rpl.observations import GOAL_PARTS
from rpl.replay.hindsight import GoalRules
from rpl.residual import Residual, combine

JudgedBy = Literal["success", "return"]


def with_residual(task: VectorEnv, controller: Controller, config: ResidualConfig) -> Residual:
    """The task of learning what to add to a controller's actions."""
    return Residual(
        task,
        controller,
        scale=config.scale,
        clip_controller=config.clip_controller,
        observe_controller=config.observe_controller,
    )


@dataclass
class Problem:
    """What is to be learned: a task in two copies, and what acts in it beside the learner."""

    task: VectorEnv
    """Where training episodes are collected; a Residual for RPL."""
    evaluation_task: VectorEnv
    """The same task, with as many environments as evaluations want."""
    controller_task: VectorEnv
    """The bare task beneath ``evaluation_task``, for the controller alone."""
    controller: Controller
    """The controller: under the residual, exploring, or only the level to compare with."""
    horizon: int
    """T, the most steps of an episode."""
    rules: GoalRules
    """What hindsight asks about relabelled transitions."""
    value_bounds: tuple[float, float] | None = None
    """What discounted returns can be; None derives it from rewards of -1 and 0."""
    judged_by: JudgedBy = "success"
    """What makes one policy better than another."""
    compared_with: str = "controller"
    """Whose level stands beside the policy's; ``"doing nothing"`` where there is no controller."""
    exploring_controller: Controller | None = None
    """The controller of ``task``, where each task has one of its own; None is ``controller``."""
    beneath: ObservedSum | AskedSum | None = None
    """Says what the controller proposed in the past, where the critic judges sums."""

    @property
    def charged_steps(self) -> int:
        """Environment steps that the controller itself was learned from; 0 if it was written."""
        return getattr(self.controller, "charged_steps", 0)

    @property
    def frames(self) -> int:
        """Observations that the task's history puts side by side."""
        return getattr(self.controller_task, "frames", 1)

    @property
    def proposal_size(self) -> int:
        """Numbers at an observation's end that are the controller's action."""
        shown = isinstance(self.task, Residual) and self.task.observe_controller
        return self.sizes[2] if shown else 0

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Widths of observation, goal and action."""
        space = self.task.single_observation_space
        (action_size,) = self.task.single_action_space.shape  # type: ignore[misc]
        if hasattr(space, "spaces"):
            spaces = space.spaces  # type: ignore[attr-defined]
            return spaces["observation"].shape[0], spaces["desired_goal"].shape[0], action_size
        return space.shape[0], 0, action_size  # type: ignore[index]


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
