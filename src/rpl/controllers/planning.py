"""Planning with a model: best-first search over a few moves, many problems side by side.

A planner is three things: the moves to choose from, a cost that says how promising a
situation looks, and a model that says what a move leads to. To plan on any task, give a cost:

    model = TaskModel(FetchTask(6 * num_envs, PICK_AND_PLACE))
    planner = BestFirstPlanner(model, axis_moves(1.0, action_size=4), my_cost)
    observation, _ = task.reset()  # of a task made with simulator_state=True
    action = planner(observation)
"""

from __future__ import annotations

import copy
import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

from rpl.errors import InvalidValue

if TYPE_CHECKING:
    from rpl.tasks.goal_task import GoalTask

Observation = Mapping[str, np.ndarray]

Cost = Callable[[Observation], np.ndarray]
"""From observations of n situations to (n, c): compared by the first column, ties by the next.

It sees ``observation``, ``achieved_goal`` and ``desired_goal``, (n, dim) each. Less is better;
rows that are not finite come last.
"""

Prediction = tuple[dict[str, np.ndarray], np.ndarray]
"""``observation`` and ``achieved_goal``, (n, dim), and the next simulator states, (n, nstate)."""

STAY = -1


class PlanningModel(Protocol):
    """A transition model of any number of situations at once."""

    def predict(self, states: np.ndarray, actions: np.ndarray) -> Prediction:
        """What the actions (n, action_dim) lead to from the simulator states (n, nstate)."""
        ...


class TaskModel:
    """A task's own physics as the model: a second task, which nobody else may use.

    Args:
        task: the simulations that the planner overwrites; a batch has as many. Without bumps or
            objects that change from episode to episode: the simulator state does not say which.
        substeps: physics steps per environment step, for a coarser and faster model of
            the same duration; None keeps the task's.
    """

    def __init__(self, task: GoalTask, substeps: int | None = None) -> None:
        self._task = task
        if substeps is not None and substeps < 1:
            raise InvalidValue(f"substeps must be at least 1, not {substeps}")
        # A history around it has no steps of its own.
        physics = cast("GoalTask", task.unwrapped)
        if substeps is not None and substeps != physics.substeps:
            coarse = copy.copy(physics.model)
            coarse.opt.timestep *= physics.substeps / substeps
            physics.batch.set_models(coarse)
            physics.substeps = substeps

    def predict(self, states: np.ndarray, actions: np.ndarray) -> Prediction:
        """See ``PlanningModel``."""
        size = self._task.num_envs
        runs = [
            self._task.predict(states[i : i + size], actions[i : i + size])
            for i in range(0, len(states), size)
        ]
        observations, next_states = zip(*runs, strict=True)
        parts = {k: np.concatenate([o[k] for o in observations]) for k in observations[0]}
        return parts, np.concatenate(next_states)


def axis_moves(size: float, action_size: int) -> np.ndarray:
    """Moves (6, action_size) by ``size`` forth and back along each axis of the gripper."""
    moves = np.zeros((6, action_size))
    moves[::2, :3], moves[1::2, :3] = size * np.eye(3), -size * np.eye(3)
    return moves


def best_first_search(
    model: PlanningModel, observation: Observation, moves: np.ndarray, cost: Cost, expansions: int
) -> np.ndarray:
    """The first move towards the best situation that a search from each observation finds.

    Each search repeatedly takes the cheapest situation not yet expanded and tries every
    move from it, except those whose sum of moves it has reached before. The searches run
    in step: one batch of predictions per round. Among equal costs the first found wins,
    the root above all, so that the same observation always gets the same move.

    Args:
        moves: (k, action_dim) actions to choose from.
        expansions: situations expanded in each search.

    Returns:
        (n,) indices into ``moves``; STAY (-1) where nothing found is better than the root.
    """
    goal, roots = observation["desired_goal"], simulator_state(observation)
    trees = [
        _Tree(rank, state, moves)
        for rank, state in zip(_ranks(cost(observation)), roots, strict=True)
    ]
    for _ in range(expansions):
        children = [(t, *child) for t, tree in enumerate(trees) for child in tree.expand()]
        if not children:
            continue
        states = np.stack([trees[t].states[parent] for t, parent, _ in children])
        seen, reached = model.predict(states, moves[[move for *_, move in children]])
        ranks = _ranks(cost({**seen, "desired_goal": goal[[t for t, *_ in children]]}))
        for (t, parent, move), rank, state in zip(children, ranks, reached, strict=True):
            trees[t].add(parent, move, rank, state)
    return np.array([tree.first_move[tree.best[1]] for tree in trees], np.int64)


def _ranks(costs: np.ndarray) -> list[tuple[float, ...]]:
    return [tuple(row) for row in np.where(np.isfinite(costs), costs, np.inf).tolist()]


class _Tree:
    """One search: its nodes, numbered as they are found, from the root's 0."""

    def __init__(self, rank: tuple[float, ...], state: np.ndarray, moves: np.ndarray) -> None:
        self.moves = moves
        self.best = (rank, 0)
        self.states = [state]
        self.first_move = [STAY]
        self._sums = [np.zeros(moves.shape[1])]
        self._frontier = [(rank, 0)]
        self._reached = {(0.0,) * moves.shape[1]}

    def expand(self) -> list[tuple[int, int]]:
        """Takes the cheapest open node; (node, move) for those of its children that are new."""
        if not self._frontier:
            return []
        _, node = heapq.heappop(self._frontier)
        # Sums of the same moves in another order differ by rounding.
        sums = map(tuple, np.round(self._sums[node] + self.moves, 9).tolist())
        children = []
        for move, total in enumerate(sums):
            if total not in self._reached:
                self._reached.add(total)
                children.append((node, move))
        return children

    def add(self, parent: int, move: int, rank: tuple[float, ...], state: np.ndarray) -> None:
        """Puts a new node where it belongs."""
        node = len(self.states)
        self.states.append(state)
        self._sums.append(self._sums[parent] + self.moves[move])
        self.first_move.append(move if parent == 0 else self.first_move[parent])
        heapq.heappush(self._frontier, (rank, node))
        self.best = min(self.best, (rank, node))


def simulator_state(observation: Observation) -> np.ndarray:
    """The task's states, (n, nstate); a ValueError of a task that does not show them."""
    if "simulator_state" not in observation:
        raise ValueError(
            "a planner continues the task's simulation: make the task with simulator_state=True"
        )
    return observation["simulator_state"]


@dataclass(frozen=True)
class BestFirstPlanner:
    """A controller that searches anew in every step; see ``best_first_search``.

    Stateless: an action depends on its own row of the observation alone, which must have
    ``simulator_state`` (tasks made with ``simulator_state=True``). Any number of rows will do.
    """

    model: PlanningModel
    moves: np.ndarray
    """(k, action_dim)"""
    cost: Cost
    expansions: int = 10

    def __call__(self, observation: Observation) -> np.ndarray:
        """Actions (n, action_dim); zero where staying is best.

        Raises:
            ValueError: if the observation has no ``simulator_state``.
        """
        choice = best_first_search(self.model, observation, self.moves, self.cost, self.expansions)
        staying = np.zeros((1, self.moves.shape[1]))
        return np.concatenate([self.moves, staying])[choice]
