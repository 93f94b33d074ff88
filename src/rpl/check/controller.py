"""The contract of a controller."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from rpl.check.episode import alike
from rpl.check.finding import Findings
from rpl.controllers.adapt import PerEnvironment, adapt, resets_by_mask
from rpl.controllers.contract import Controller, ControllerError, Remembers, controller_action
from rpl.tasks.gym.task import GymnasiumTask, MakeEnv

NUM_ENVS = 3
MOST_STEPS = 200
MOST_SECONDS = 5.0  # of one pass: a planner is checked for as many steps as it manages
SLOW = 20.0  # times an environment's step
MOSTLY = 0.5


def check_controller(
    make_env: MakeEnv, source: Any, max_episode_steps: int | None = None
) -> Findings:
    """Lets a controller act in three environments and in one, and asks it everything twice."""
    findings = Findings("controller")
    task = GymnasiumTask(make_env, NUM_ENVS, max_episode_steps=max_episode_steps)
    try:
        controller = adapt(source, task)
        seen, actions = _act(controller, task)
    except ControllerError as error:
        findings.error("contract", str(error))
        return findings
    except Exception as error:
        findings.error("raises", f"it raises {type(error).__name__} as it acts: {error}")
        return findings
    _check_range(findings, task, actions)
    if _check_memory(findings, controller, task, seen, actions):
        _check_rows(findings, controller, seen, actions)
        _check_alone(findings, make_env, source, max_episode_steps, seen, actions)
    _check_time(findings, controller, task, seen[0])
    task.close()
    return findings


def _act(
    controller: Controller, task: GymnasiumTask, steps: int | None = None
) -> tuple[list[Any], np.ndarray]:
    """Observations of an episode and the actions for them, (steps, num_envs, action_dim)."""
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
    return seen, np.array(actions)


def _reset(controller: Controller, count: int) -> None:
    if isinstance(controller, Remembers):
        controller.reset(np.ones(count, bool))


def _check_range(findings: Findings, task: GymnasiumTask, actions: np.ndarray) -> None:
    beyond = np.abs(actions) > 1.0 + 1e-6
    if beyond.any():
        step, row, component = np.unravel_index(np.argmax(np.abs(actions)), actions.shape)
        value = task.action_middle + task.action_reach * actions[step, row]
        findings.add(
            "warning" if beyond.mean() > MOSTLY else "note",
            "beyond-bounds",
            f"{_share(beyond)} of its action components are beyond the bounds and are clipped, "
            f"such as {value[component]:.4g} in component {component}, where the bounds are "
            f"[{task.action_low[component]:.4g}, {task.action_high[component]:.4g}]: are they in "
            "the environment's units?",
        )
    if not np.ptp(actions, axis=(0, 1)).any():
        findings.warning("constant", "its action never changes: does it look at the observation?")


def _check_memory(
    findings: Findings, controller: Any, task: GymnasiumTask, seen: list[Any], actions: np.ndarray
) -> bool:
    """Whether the same episode earns the same actions again."""
    seen_again, again = _act(controller, task, len(actions))
    if again.shape == actions.shape and np.allclose(again, actions, rtol=1e-6, atol=1e-9):
        return True
    steps = min(len(again), len(actions))
    acted_otherwise = np.abs(again[:steps] - actions[:steps]).max(axis=(1, 2)) > 1e-9
    t = int(np.argmax(acted_otherwise))
    if not acted_otherwise.any() or not alike(seen[t], seen_again[t]):
        findings.warning(
            "environment-differs",
            "the same seed and actions led to another episode, so its memory and its batches "
            "could not be judged: let the environment's reset() set everything back, or expect "
            "runs that cannot be repeated exactly",
        )
        return False
    if _has_reset(controller):
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


def _has_reset(controller: Any) -> bool:
    inner = getattr(controller, "controller", controller)
    if isinstance(inner, PerEnvironment):
        return any(isinstance(one, Remembers) for one in inner.controllers)
    return resets_by_mask(inner)


def _check_rows(findings: Findings, controller: Any, seen: list[Any], actions: np.ndarray) -> None:
    """A batch is answered row by row: turned around, the answers turn around."""
    inner = getattr(controller, "controller", controller)
    if isinstance(inner, PerEnvironment):
        return
    _reset(controller, actions.shape[1])
    turned = np.array([controller(_turned(observation)) for observation in seen])
    if not np.allclose(turned[:, ::-1], actions, rtol=1e-5, atol=1e-7):
        findings.error(
            "mixes-environments",
            "what it does in one environment depends on the others in the batch: compute row by "
            "row, along axis 1, or write it for one observation",
        )


def _turned(observation: Any) -> Any:
    if isinstance(observation, Mapping):
        return {name: part[::-1].copy() for name, part in observation.items()}
    return observation[::-1].copy()


def _check_alone(
    findings: Findings,
    make_env: MakeEnv,
    source: Any,
    max_episode_steps: int | None,
    seen: list[Any],
    actions: np.ndarray,
) -> None:
    """One environment gets the actions that it gets among several."""
    task = GymnasiumTask(make_env, 1, max_episode_steps=max_episode_steps)
    try:
        alone = _act(adapt(source, task), task, len(actions))[1][:, 0]
    except Exception as error:
        findings.error(
            "one-environment",
            f"it fails with a single environment ({type(error).__name__}: {error}): it must take "
            "a batch of any size",
        )
        return
    finally:
        task.close()
    steps = min(len(alone), len(actions))
    if not np.allclose(alone[:steps], actions[:steps, 0], rtol=1e-5, atol=1e-7):
        findings.error(
            "number-of-environments",
            "it acts otherwise in one environment alone than in the first of three: keep what "
            "belongs to an environment apart",
        )


def _check_time(findings: Findings, controller: Any, task: GymnasiumTask, observation: Any) -> None:
    _reset(controller, task.num_envs)
    acting = _seconds(lambda: controller(observation)) / task.num_envs
    task.reset(seed=0)
    action = np.zeros(task.action_space.shape or ())
    stepping = _seconds(lambda: task.step(action)) / task.num_envs
    findings.add(
        "warning" if acting > SLOW * stepping else "note",
        "time",
        f"an action takes {_time(acting)}, a step of the environment {_time(stepping)}"
        + (": training will mostly wait for it" if acting > SLOW * stepping else ""),
    )


def _share(marked: np.ndarray) -> str:
    """A share in per cent, never none of some."""
    return "less than 1 %" if marked.mean() < 0.01 else f"{marked.mean():.0%}"


def _seconds(function: Callable[[], Any]) -> float:
    """The least time of a few calls."""
    times = []
    for _ in range(5):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return min(times)


def _time(seconds: float) -> str:
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} us"
    return f"{seconds * 1e3:.1f} ms" if seconds < 1.0 else f"{seconds:.1f} s"
