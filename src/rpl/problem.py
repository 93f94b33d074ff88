"""What is to be learned: a task, and what acts in it beside the learner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gymnasium.vector import VectorEnv

from rpl.config import ResidualConfig
from rpl.critic_input import AskedSum, ObservedSum
from rpl.goal_rules import GoalRules
from rpl.residual import Controller, Residual

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
