"""How often exact physics have a contact that lean physics leave out.

The base on the floor is not counted: it has four in every step.
"""

# MuJoCo ships no type stubs for its compiled names.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections import Counter

import mujoco
import numpy as np

from rpl.catalog import TASKS
from rpl.tasks.fetch import FetchTask
from rpl.tasks.lean import HAND_BODIES

EPISODES, HORIZON = 200, 50


def left_out(bodies: set[str]) -> bool:
    """Whether a contact of these two bodies is none that the task is made of."""
    if "object0" in bodies or bodies == {"world", "robot0:base_link"}:
        return False
    return not ("table0" in bodies and bodies & set(HAND_BODIES))


def contacts(task: FetchTask, data: mujoco.MjData, qpos: np.ndarray) -> set[frozenset[str]]:
    """The pairs of bodies that touch in one state, of those that lean physics leave out."""
    data.qpos[:] = qpos
    mujoco.mj_kinematics(task.model, data)
    mujoco.mj_comPos(task.model, data)
    mujoco.mj_collision(task.model, data)
    bodies = task.model.geom_bodyid[data.contact.geom]
    pairs = (frozenset(task.model.body(i).name for i in pair) for pair in bodies)
    return {pair for pair in pairs if left_out(set(pair))}


def count(task: FetchTask, held: bool) -> tuple[int, Counter[frozenset[str]]]:
    """Steps with such a contact, and how many of them each pair has.

    Args:
        task: with exact physics.
        held: repeat the first action, with every component at a limit; else uniform ones.
    """
    generator, data = np.random.default_rng(0), mujoco.MjData(task.model)
    shape, steps, pairs = (task.num_envs, 4), 0, Counter()
    limits = generator.choice((-1.0, 1.0), shape)
    task.reset(seed=0)
    for _ in range(HORIZON):
        task.step(limits if held else generator.uniform(-1.0, 1.0, shape))
        for qpos in np.asarray(task.batch.qpos):
            touching = contacts(task, data, qpos)
            steps += bool(touching)
            pairs.update(touching)
    return steps, pairs


def main() -> None:
    """Prints the share of steps, and the pairs that touch most."""
    for name in ("push", "pick-and-place"):
        for held in (False, True):
            task = FetchTask(EPISODES, TASKS[name].options)
            steps, pairs = count(task, held)
            share = steps / (EPISODES * HORIZON)
            print(f"{name}, {'held at limits' if held else 'random actions'}: {share:.4f} of steps")
            for pair, often in pairs.most_common(4):
                print(f"  {' and '.join(sorted(pair))}: {often}")


if __name__ == "__main__":
    main()
