"""How often exact physics have a contact that lean physics leave out.

Under uniformly random actions, under one random action at the limits held for whole episodes, and
under the task's own controller. The base on the floor is not counted: it has four in every step.
"""

# MuJoCo ships no type stubs for its compiled names.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import mujoco
import numpy as np

from rpl.controllers import ReactiveHook, ReactivePickAndPlace, ReactivePush
from rpl.controllers.contract import controller_action
from rpl.registry.catalog import TASKS
from rpl.tasks import COMPLEX_HOOK, HookTask
from rpl.tasks.fetch.arm import FetchArmTask
from rpl.tasks.fetch.lean import FINGER_BODIES, FLOOR_BODY, HAND_BODIES
from rpl.tasks.fetch.table import FetchTask

EPISODES = 200
Policy = Callable[[Any], np.ndarray]


def left_out(bodies: set[str]) -> bool:
    """Whether a contact of these two bodies is none that the task is made of."""
    if bodies == {FLOOR_BODY, "robot0:base_link"}:
        return False
    ground = {body for body in bodies if body.startswith(("table0", "bump"))}
    if moved := bodies & {"object0", "hook"}:
        return not bodies <= moved | ground | {FLOOR_BODY, *HAND_BODIES}
    return not (ground and bodies & set(FINGER_BODIES))


def contacts(model: mujoco.MjModel, data: mujoco.MjData) -> set[frozenset[str]]:
    """The pairs of bodies that touch in a scene, of those that lean physics leave out."""
    mujoco.mj_kinematics(model, data)
    mujoco.mj_comPos(model, data)
    mujoco.mj_collision(model, data)
    bodies = model.geom_bodyid[data.contact.geom]
    pairs = (frozenset(model.body(i).name for i in pair) for pair in bodies)
    return {pair for pair in pairs if left_out(set(pair))}


def count(task: FetchArmTask, policy: Policy) -> tuple[float, Counter[frozenset[str]]]:
    """The share of steps with such a contact, and how many of them each pair has."""
    steps, pairs = 0, Counter()
    seen, _ = task.reset(seed=0)
    models = [task.batch.get_model(i) for i in range(task.num_envs)]
    data = mujoco.MjData(task.model)
    for _ in range(task.max_episode_steps):
        seen, *_ = task.step(policy(seen))
        for model, data.qpos[:] in zip(models, task.batch.qpos, strict=True):
            touching = contacts(model, data)
            steps += bool(touching)
            pairs.update(touching)
    return steps / (task.num_envs * task.max_episode_steps), pairs


def policies(task: FetchArmTask, controller: Any) -> dict[str, Policy]:
    """By their names."""
    generator, shape = np.random.default_rng(0), (task.num_envs, 4)
    limits = generator.choice((-1.0, 1.0), shape)
    return {
        "random actions": lambda seen: generator.uniform(-1.0, 1.0, shape),
        "one action at the limits": lambda seen: limits,
        "its controller": lambda seen: controller_action(controller, seen, shape, clip=True),
    }


def main() -> None:
    """Prints the share of steps, and the pairs that touch most."""
    tasks: dict[str, FetchArmTask] = {
        "push": FetchTask(EPISODES, TASKS["push"].options),
        "pick-and-place": FetchTask(EPISODES, TASKS["pick-and-place"].options),
        "complex-hook": HookTask(EPISODES, replace(COMPLEX_HOOK, physics="exact")),
    }
    controllers = {
        "push": ReactivePush,
        "pick-and-place": ReactivePickAndPlace,
        "complex-hook": ReactiveHook,
    }
    for name, task in tasks.items():
        for way, policy in policies(task, controllers[name](task.layout)).items():
            share, pairs = count(task, policy)
            print(f"{name}, {way}: {share:.4f} of steps")
            for pair, often in pairs.most_common(4):
                print(f"  {' and '.join(sorted(pair))}: {often}")


if __name__ == "__main__":
    main()
