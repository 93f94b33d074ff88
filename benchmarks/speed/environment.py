"""The environment beside the bare physics and the published one, on one thread."""

# MuJoCo ships no type stubs for its compiled names.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import mujoco
import numpy as np

from benchmarks.speed.measure import HORIZON, PEER_BARS, PUBLISHED, Row, best_rates, random_actions
from benchmarks.speed.peers import published_rate
from rpl.tasks import PICK_AND_PLACE, PUSH, FetchTask
from rpl.tasks.fetch.arm import MOVE_PER_ACTION, SUBSTEPS

VARIATIONS = {"push": PUSH, "pick-and-place": PICK_AND_PLACE}

SIMULATIONS = 32
BARE_BAR = 0.9


def environment_rows(simulations: int = SIMULATIONS, repeats: int = 5) -> list[Row]:
    """Steps per CPU second on the same episodes; resets are left out everywhere."""
    rows: list[Row] = []
    for name, published_id in PUBLISHED.items():
        actions = random_actions(simulations)
        contenders: dict[tuple[str, str], Callable[[], float]] = {
            ("published", ""): lambda id=published_id, a=actions: published_rate(id, a)
        }
        for physics in PEER_BARS:
            options = replace(VARIATIONS[name], physics=physics)
            single = FetchTask(1, options, num_threads=1)
            many = FetchTask(simulations, options, num_threads=1)
            contenders[physics, "bare"] = lambda t=many, a=actions: bare_rate(t, a)
            contenders[physics, "single"] = lambda t=single, a=actions: task_rate(t, a)
            contenders[physics, "many"] = lambda t=many, a=actions: task_rate(t, a)
        rows += _environment_table(name, simulations, best_rates(contenders, repeats))
    return rows


def _environment_table(
    name: str, simulations: int, best: dict[tuple[str, str], float]
) -> Iterator[Row]:
    section, unit, peer = f"environment, {name}", "steps/s/core", "gymnasium-robotics"
    published = best["published", ""]
    yield Row(section, PUBLISHED[name], published, unit)
    for physics, bar in PEER_BARS.items():
        bare, single, many = (best[physics, kind] for kind in ("bare", "single", "many"))
        loop = f"bare mj_step, {physics}"
        yield Row(section, loop, bare, unit, bare / published, peer)
        yield Row(section, f"1 simulation, {physics}", single, unit, single / published, peer)
        label = f"{simulations} simulations, {physics}"
        yield Row(section, label, many, unit, many / published, peer, bar)
        yield Row(section, label, many, unit, many / bare, "the bare loop", BARE_BAR)


def task_rate(task: FetchTask, actions: np.ndarray) -> float:
    """Steps per CPU second of our environment over the episodes of the actions."""
    seconds = 0.0
    for first in range(0, len(actions), task.num_envs):
        task.reset(seed=first)
        started = time.process_time()
        for t in range(HORIZON):
            task.step(actions[first : first + task.num_envs, t])
        seconds += time.process_time() - started
    return actions.shape[0] * HORIZON / seconds


def bare_rate(task: FetchTask, actions: np.ndarray) -> float:
    """Steps per CPU second of ``bare_episode``."""
    task.reset(seed=0)
    starts = bare_starts(task)
    started = time.process_time()
    for data, episode in zip(starts, actions, strict=True):
        bare_episode(task, data, episode)
    return actions.shape[0] * HORIZON / (time.process_time() - started)


def bare_starts(task: FetchTask) -> list[mujoco.MjData]:
    """The states of the task's simulations, with the positions that the first action needs."""
    starts = [task.batch.get_data(i) for i in range(task.num_envs)]
    for data in starts:
        mujoco.mj_kinematics(task.model, data)
    return starts


def bare_episode(task: FetchTask, data: mujoco.MjData, actions: np.ndarray) -> None:
    """A task's episode by ``mj_step`` alone: actions (T, 4) applied, nothing observed or judged.

    Where the fingers are locked the published environment calls ``mj_forward`` after each
    step. That is part of the task's physics, hence of the bare loop.
    """
    model, gripper = task.model, task._gripper_body
    locked, fingers, actuated = (
        task.gripper_locked,
        task._finger_qpos,
        task._actuated_qpos,
    )
    for action in actions:
        data.mocap_pos[0] = data.xpos[gripper] + MOVE_PER_ACTION * action[:3]
        data.mocap_quat[0] = data.xquat[gripper] + (1.0, 0.0, 1.0, 0.0)
        if not locked:
            data.ctrl[:] = data.qpos[actuated] + action[3]
        mujoco.mj_step(model, data, nstep=SUBSTEPS)
        if locked:
            data.qpos[fingers] = 0.0
            mujoco.mj_forward(model, data)
