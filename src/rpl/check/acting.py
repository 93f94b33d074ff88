"""Episodes of a controller side by side, and what it says of them when it is asked again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from rpl.check.episode import alike
from rpl.controllers.contract import Controller, Remembers, controller_action
from rpl.observations import Observation, map_parts, size_of
from rpl.tasks.gym.task import GymnasiumTask

MOST_STEPS = 200


@dataclass(frozen=True)
class Acted:
    """An episode in several environments side by side, until the last one is over."""

    task: GymnasiumTask
    controller: Controller
    seen: list[Observation] = field(default_factory=list)
    """One more than there are steps."""
    actions: list[np.ndarray] = field(default_factory=list)
    """(num_envs, action_dim) each, for what was seen."""
    rewards: list[np.ndarray] = field(default_factory=list)
    terminated: list[np.ndarray] = field(default_factory=list)
    over: list[np.ndarray] = field(default_factory=list)

    @property
    def all_actions(self) -> np.ndarray:
        """(steps, num_envs, action_dim)"""
        return np.array(self.actions)


def act(controller: Controller, task: GymnasiumTask, seed: int, seconds: float) -> Acted:
    """Plays an episode in every environment, or what of it there is time for."""
    shape = task.action_space.shape or ()
    observation, _ = task.reset(seed=seed)
    reset(controller, task.num_envs)
    acted = Acted(task, controller, [observation])
    started = time.monotonic()
    for _ in range(min(task.max_episode_steps, MOST_STEPS)):
        action = controller_action(controller, observation, shape, clip=False)
        observation, reward, terminated, truncated, _ = task.step(action)
        acted.seen.append(observation)
        acted.actions.append(action)
        acted.rewards.append(reward)
        acted.terminated.append(terminated.copy())
        acted.over.append(terminated | truncated)
        if (terminated | truncated).all() or time.monotonic() - started > seconds:
            break
    return acted


@dataclass(frozen=True)
class Again:
    """What a controller says of the same episode, seen again."""

    actions: np.ndarray
    """(steps, num_envs, action_dim)"""
    same_environment: bool
    """Whether the environment, given the same actions, was in the same state at every step."""


def ask_again(
    controller: Controller,
    acted: Acted,
    task: GymnasiumTask | None = None,
    change: Callable[[Observation], Observation] = lambda observation: observation,
) -> Again:
    """Asks a controller about recorded observations, in an environment that goes the same way.

    The environment moves by the recorded actions, not by its answers, for controllers that read
    its state: so a rounding that differs makes no other episode.

    Args:
        task: the environments; None for those of the episode.
        change: of what was recorded, before it is asked.
    """
    task = acted.task if task is None else task
    shape = task.action_space.shape or ()
    observation, _ = task.reset(seed=0)
    reset(controller, task.num_envs)
    answers, same = [], True
    for seen, action in zip(acted.seen, acted.actions, strict=False):
        same = same and alike(first_rows(seen, task.num_envs), observation)
        given = first_rows(change(seen), task.num_envs)
        answers.append(controller_action(controller, given, shape, clip=False))
        observation = task.step(action[: task.num_envs])[0]
    return Again(np.array(answers), same)


def first_rows(observation: Observation, count: int) -> Observation:
    """The first observations of a batch."""
    if size_of(observation) == count:
        return observation
    return map_parts(lambda part: part[:count], observation)


def turned(observation: Observation) -> Observation:
    """A batch in reversed order."""

    def reversed_part(part: Observation) -> Observation:
        return part[::-1].copy() if isinstance(part, np.ndarray) else part[::-1]

    return map_parts(reversed_part, observation)


def reset(controller: Controller, count: int) -> None:
    """Tells a controller that all episodes begin."""
    if isinstance(controller, Remembers):
        controller.reset(np.ones(count, bool))
