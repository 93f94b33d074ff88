"""What is to be learned: a task, and what acts in it beside the learner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import gymnasium
import numpy as np
from gymnasium.vector import VectorEnv

from rpl.config import ResidualConfig
from rpl.controllers.cached import CachedPolicy
from rpl.controllers.contract import Controller, ControllerPolicy
from rpl.observations import GOAL_PARTS, OBSERVATION, Seen, width_of
from rpl.replay.hindsight import GoalRules
from rpl.residual import check_components, check_unit_actions, checked_scale

Metric = Literal["success", "return"]


@dataclass
class Problem:
    """What is to be learned: a task in two copies, and what acts in it beside the learner."""

    task: VectorEnv
    """Where training episodes are collected."""
    evaluation_task: VectorEnv
    """The same task, with as many environments as evaluations want."""
    controller: Controller
    """The controller of ``evaluation_task``: the base policy, or only the level to compare with."""
    horizon: int
    """T, the most steps of an episode."""
    rules: GoalRules
    """What hindsight asks about relabelled transitions."""
    residual: ResidualConfig | None = None
    """How the policy adds to the controller; None where the learner acts alone."""
    value_bounds: tuple[float, float] | None = None
    """What discounted returns can be; None derives it from rewards of -1 and 0."""
    metric: Metric = "success"
    """What makes one policy better than another."""
    baseline: str = "controller"
    """Whose level stands beside the policy's; ``"doing nothing"`` where there is no controller."""
    exploring_controller: Controller | None = None
    """The controller of ``task``, where each task has one of its own; None is ``controller``."""
    frames: int = 1
    """Observations that the task's history puts side by side."""

    def __post_init__(self) -> None:
        """Refuses a scale, or actions, that no residual can be added with."""
        self.action_size = width_of(self.task.single_action_space)
        if self.residual is not None:
            check_unit_actions(self.task.single_action_space)
            checked_scale(self.residual.scale, (self.action_size,))
            check_components(self.residual.two_valued, self.action_size)

    @property
    def charged_steps(self) -> int:
        """Environment steps that the controller itself was learned from; 0 if it was written."""
        controller = self.controller
        return controller.charged_steps if isinstance(controller, CachedPolicy) else 0

    @property
    def adds(self) -> bool:
        """Whether the policy is a controller plus a residual."""
        return self.residual is not None

    @property
    def scale(self) -> np.ndarray:
        """What a residual of 1 adds, in halves of the action range, (action_dim,)."""
        scale = 1.0 if self.residual is None else self.residual.scale
        return np.broadcast_to(np.asarray(scale, np.float64), (self.action_size,))

    @property
    def two_valued(self) -> tuple[int, ...]:
        """Components of the action that stay the controller's or go to the other bound."""
        return () if self.residual is None else self.residual.two_valued

    @property
    def observes_base(self) -> bool:
        """Whether the learner sees the base action."""
        return self.residual is not None and self.residual.observe_controller

    @property
    def seen(self) -> Seen:
        """What the learner is shown."""
        size = self.action_size if self.observes_base else 0
        return Seen.of(self.task.single_observation_space, size)

    def level(self) -> ControllerPolicy:
        """The controller by itself in ``evaluation_task``, clipped as whatever is executed."""
        return ControllerPolicy(self.controller, self.action_size)

    def base(self) -> ControllerPolicy | None:
        """The base policy in ``evaluation_task``; None where the learner acts alone."""
        return self._base(self.controller)

    def exploring_base(self) -> ControllerPolicy | None:
        """The base policy in ``task``."""
        return self._base(self.exploring_controller or self.controller)

    def base_of_stored(self) -> ControllerPolicy | None:
        """The base policy as a function of what a replay stores; None where it is none."""
        base = self.exploring_base()
        if base is None or base.has_memory:
            return None
        space = self.task.single_observation_space
        parts = set(space.spaces) if isinstance(space, gymnasium.spaces.Dict) else {OBSERVATION}
        return base if parts <= {*self.seen.sizes, *GOAL_PARTS} else None

    def _base(self, controller: Controller) -> ControllerPolicy | None:
        if self.residual is None:
            return None
        return ControllerPolicy(controller, self.action_size, self.residual.clip_controller)
