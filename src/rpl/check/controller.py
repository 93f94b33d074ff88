"""The contract of a controller."""

from __future__ import annotations

import time
import timeit
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from rpl.check.episode import alike
from rpl.check.finding import Findings
from rpl.controllers.adapt import Guarded, PerEnvironment, adapt, resets_by_mask
from rpl.controllers.contract import Controller, ControllerError, Remembers, controller_action
from rpl.tasks.gym.task import GymnasiumTask, MakeEnv, Observation

NUM_ENVS = 3
MOST_STEPS = 200
MOST_SECONDS = 5.0  # of one pass: a planner is checked for as many steps as it manages
SLOW = 20.0  # times an environment's step
MOSTLY = 0.5


@dataclass(frozen=True)
class Acted:
    """An episode in several environments side by side."""

    task: GymnasiumTask
    controller: Controller
    seen: list[Observation]
    actions: np.ndarray
    """(steps, num_envs, action_dim), for what was seen"""


def check_controller(
    make_env: MakeEnv, source: object, max_episode_steps: int | None = None
) -> Findings:
    """Lets a controller act in three environments and in one, and asks it everything twice."""
    findings = Findings("controller")
    task = GymnasiumTask(make_env, NUM_ENVS, max_episode_steps=max_episode_steps)
    try:
        acted = _act(adapt(source, task), task)
    except ControllerError as error:
        findings.error("contract", str(error))
        return findings
    except Exception as error:
        findings.error("raises", f"it raises {type(error).__name__} as it acts: {error}")
        return findings
    _check_range(findings, acted)
    if _check_memory(findings, acted):
        _check_rows(findings, acted)
        single = GymnasiumTask(make_env, 1, max_episode_steps=max_episode_steps)
        with closing(single):
            _check_alone(findings, source, single, acted.actions)
    _check_time(findings, acted)
    task.close()
    return findings


def _act(controller: Controller, task: GymnasiumTask, steps: int | None = None) -> Acted:
    """Plays an episode, or so many steps of it."""
    shape = task.action_space.shape or ()
    observation, _ = task.reset(seed=0)
    _reset(controller, task.num_envs)
    seen, actions = [], []
    started = time.monotonic()
    for _ in range(steps or min(task.max_episode_steps, MOST_STEPS)):
        action = controller_action(controller, observation, shape, clip=False)
        seen.append(observation)
        actions.append(action)
        observation, _, terminated, truncated, _ = task.step(action)
        late = steps is None and time.monotonic() - started > MOST_SECONDS
        if late or (terminated | truncated).all():
            break
    return Acted(task, controller, seen, np.array(actions))


def _reset(controller: Controller, count: int) -> None:
    if isinstance(controller, Remembers):
        controller.reset(np.ones(count, bool))


def _check_range(findings: Findings, acted: Acted) -> None:
    task, actions = acted.task, acted.actions
    beyond = np.abs(actions) > 1.0 + 1e-6
    if beyond.any():
        step, row, component = np.unravel_index(np.argmax(np.abs(actions)), actions.shape)
        value = task.action_middle + task.action_reach * actions[step, row]
        share = "less than 1 %" if beyond.mean() < 0.01 else f"{beyond.mean():.0%}"
        findings.add(
            "warning" if beyond.mean() > MOSTLY else "note",
            "beyond-bounds",
            f"{share} of its action components are beyond the bounds and are clipped, "
            f"such as {value[component]:.4g} in component {component}, where the bounds are "
            f"[{task.action_low[component]:.4g}, {task.action_high[component]:.4g}]: are they in "
            "the environment's units?",
        )
    if not np.ptp(actions, axis=(0, 1)).any():
        findings.warning("constant", "its action never changes: does it look at the observation?")


def _check_memory(findings: Findings, acted: Acted) -> bool:
    """Whether the same episode earns the same actions again."""
    actions = acted.actions
    again = _act(acted.controller, acted.task, len(actions))
    if again.actions.shape == actions.shape and np.allclose(
        again.actions, actions, rtol=1e-6, atol=1e-9
    ):
        return True
    steps = min(len(again.actions), len(actions))
    acted_otherwise = np.abs(again.actions[:steps] - actions[:steps]).max(axis=(1, 2)) > 1e-9
    t = int(np.argmax(acted_otherwise))
    if not acted_otherwise.any() or not alike(acted.seen[t], again.seen[t]):
        findings.warning(
            "environment-differs",
            "the same seed and actions led to another episode, so its memory and its batches "
            "could not be judged: let the environment's reset() set everything back, or expect "
            "runs that cannot be repeated exactly",
        )
    elif _has_reset(acted.controller):
        findings.error(
            "reset-forgets-too-little",
            f"after reset() it acted otherwise in the same episode, first at step {t}: let "
            "reset() clear all of its memory, and draw nothing at random",
        )
    else:
        findings.error(
            "memory-without-reset",
            f"it acted otherwise when it saw the same episode again, first at step {t}: give it "
            "reset(), called where an episode begins, if it has a memory, and a fixed seed there "
            "if it is random",
        )
    return False


def _has_reset(controller: Controller) -> bool:
    inner = _unguarded(controller)
    if isinstance(inner, PerEnvironment):
        return any(isinstance(one, Remembers) for one in inner.controllers)
    return resets_by_mask(inner)


def _unguarded(controller: Controller) -> Controller:
    return controller.controller if isinstance(controller, Guarded) else controller


def _check_rows(findings: Findings, acted: Acted) -> None:
    """A batch is answered row by row: turned around, the answers turn around."""
    if isinstance(_unguarded(acted.controller), PerEnvironment):
        return
    _reset(acted.controller, acted.task.num_envs)
    turned = np.array([acted.controller(_turned(observation)) for observation in acted.seen])
    if not np.allclose(turned[:, ::-1], acted.actions, rtol=1e-5, atol=1e-7):
        findings.error(
            "mixes-environments",
            "what it does in one environment depends on the others in the batch: compute row by "
            "row, along axis 1, or write it for one observation",
        )


def _turned(observation: Observation) -> Observation:
    if isinstance(observation, Mapping):
        return {name: part[::-1].copy() for name, part in observation.items()}
    return observation[::-1].copy()


def _check_alone(
    findings: Findings, source: object, task: GymnasiumTask, actions: np.ndarray
) -> None:
    """One environment gets the actions that it gets among several."""
    try:
        alone = _act(adapt(source, task), task, len(actions)).actions[:, 0]
    except Exception as error:
        findings.error(
            "one-environment",
            f"it fails with a single environment ({type(error).__name__}: {error}): it must take "
            "a batch of any size",
        )
        return
    steps = min(len(alone), len(actions))
    if not np.allclose(alone[:steps], actions[:steps, 0], rtol=1e-5, atol=1e-7):
        findings.error(
            "number-of-environments",
            "it acts otherwise in one environment alone than in the first of three: keep what "
            "belongs to an environment apart",
        )


def _check_time(findings: Findings, acted: Acted) -> None:
    task, controller, observation = acted.task, acted.controller, acted.seen[0]
    _reset(controller, task.num_envs)
    acting = _seconds(lambda: controller(observation)) / task.num_envs
    task.reset(seed=0)
    action = np.zeros(task.action_space.shape or ())
    stepping = _seconds(lambda: task.step(action)) / task.num_envs
    said = f"an action takes {_time(acting)}, a step of the environment {_time(stepping)}"
    if acting > SLOW * stepping:
        findings.warning("time", f"{said}: training will mostly wait for it")
    else:
        findings.note("time", said)


def _seconds(function: Callable[[], object]) -> float:
    """The least time of a few calls."""
    return min(timeit.repeat(function, number=1, repeat=5))


def _time(seconds: float) -> str:
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} us"
    return f"{seconds * 1e3:.1f} ms" if seconds < 1.0 else f"{seconds:.1f} s"
