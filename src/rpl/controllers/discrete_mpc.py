"""DiscreteMPCPush: a short search in a copy of the simulator (paper, appendix A.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from rpl.controllers.gripper import read
from rpl.controllers.planning import (
    BestFirstPlanner,
    TaskModel,
    axis_moves,
    simulator_state,
)
from rpl.errors import above_0, check_settings
from rpl.tasks.fetch.options import SUBSTEPS, Physics
from rpl.tasks.layout import Layout

if TYPE_CHECKING:
    from rpl.tasks.fetch.simulator_state import StateTranslation
    from rpl.tasks.fetch.table import FetchTask

ACTION_SIZE = 4
RESOLUTION = 1e-4  # metres: distances that differ by less are equal, and the next one decides


@dataclass(frozen=True)
class PushHeuristic:
    """How far the block is from its goal and, among equals, the gripper from the push point."""

    layout: Layout
    """The observation's names: ``task.layout``."""
    behind_block: float = 0.05
    """Metres between the block's centre and the push point, on the far side of the goal."""

    def __call__(self, observation: Mapping[str, np.ndarray]) -> np.ndarray:
        """Costs (n, 2): both distances in units of 0.1 mm, rounded."""
        gripper, block = read(observation, self.layout, "gripper_position", "object_position")
        line = block - observation["desired_goal"]
        length = np.linalg.norm(line, axis=1, keepdims=True)
        push_point = block + self.behind_block * line / np.maximum(length, 1e-12)
        to_goal = np.linalg.norm(line[:, :2], axis=1)
        to_push_point = np.linalg.norm(gripper - push_point, axis=1)
        return np.rint(np.stack([to_goal, to_push_point], axis=1) / RESOLUTION)


@dataclass(frozen=True)
class DiscreteMPCPush:
    """Best-first search over six axis moves; solves about half of push, and is slow.

    It plans in simulations of its own, as many at once as six moves of the task's
    simulations need, and leaves the task's alone.
    """

    task: Any
    """The ``FetchTask`` to plan for, made with ``simulator_state=True``."""
    expansions: int = 10
    """Situations from which every move is tried, per action."""
    move: float = 1.0
    """Size of a move, as an action: 1 is 5 cm."""
    physics: Physics | None = None
    """The model's physics, exact or lean; None copies the task's."""
    substeps: int = SUBSTEPS
    """Physics steps the model takes per environment step; fewer are coarser and faster."""
    behind_block: float = 0.05
    """Metres from the block's centre to where the search wants the gripper."""

    def __post_init__(self) -> None:
        """Refuses what cannot be searched with.

        Raises:
            InvalidValue: naming the option.
        """
        counts = {"--controller.expansions": self.expansions}
        check_settings(counts, lambda count: 1 <= count <= 10_000, "between 1 and 10000")
        steps = {"--controller.substeps": self.substeps}
        check_settings(steps, lambda count: 1 <= count <= 1000, "between 1 and 1000")
        sizes = {"--controller.move": self.move, "--controller.behind-block": self.behind_block}
        check_settings(sizes, above_0, "above 0")

    @cached_property
    def simulations(self) -> FetchTask:
        """What the search runs in, built when it is first needed."""
        from rpl.tasks.fetch.table import FetchTask  # needs MuJoCo

        task = self.task
        options = replace(task.options, physics=self.physics or task.options.physics)
        count = len(self.moves) * task.num_envs
        return FetchTask(count, options, num_threads=task.batch.nthread)

    @cached_property
    def moves(self) -> np.ndarray:
        """The actions to choose from, (6, 4)."""
        return axis_moves(self.move, ACTION_SIZE)

    @cached_property
    def planner(self) -> BestFirstPlanner:
        """The search."""
        heuristic = PushHeuristic(self.task.layout, self.behind_block)
        model = TaskModel(self.simulations, self.substeps)
        return BestFirstPlanner(model, self.moves, heuristic, self.expansions)

    @cached_property
    def translate(self) -> StateTranslation:
        """From the task's simulator states to the search's, which may have other physics."""
        from rpl.tasks.fetch.simulator_state import StateTranslation  # needs MuJoCo

        self.simulations.reset(seed=0)
        rest = self.simulations.simulator_state()[0]
        return StateTranslation(self.task.model, self.simulations.model, rest)

    def __call__(self, observation: Mapping[str, np.ndarray]) -> np.ndarray:
        """Actions (n, 4) for n observations with ``simulator_state``; zero to stay.

        Raises:
            ValueError: if the observation has no ``simulator_state``.
        """
        states = self.translate(simulator_state(observation))
        return self.planner({**observation, "simulator_state": states})
