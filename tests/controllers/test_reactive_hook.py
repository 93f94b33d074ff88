"""Every branch of ReactiveHook, and how well it does."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from rpl.controllers.contract import ControllerPolicy
from rpl.controllers.hook import ReactiveHook
from rpl.rollout.evaluate import evaluate
from rpl.rollout.seeds import evaluation_seeds
from rpl.tasks import HOOK, NOISY_HOOK, HookTask, Layout, make_hook_task


def metres(*components: float) -> np.ndarray:
    """An offset."""
    return np.array(components)


BLOCK, GOAL = np.array((1.8, 0.75, 0.425)), np.array((1.65, 0.75, 0.42))
START = np.array((1.1, 0.35, 0.415))  # of the place to grasp
BEHIND = BLOCK + metres(-0.5, -0.05, 0.05)  # the place to grasp when the hook is to go down
OPEN, ON_HOOK, SHUT = 0.05, 0.014, 0.0

# hook, gripper, fingers, block -> action
STATES = {
    "block at the goal": (BEHIND, BEHIND - metres(0, 0, 0.05), ON_HOOK, GOAL, (0, 0, 0, 0)),
    "far from the hook": (START, START + metres(0.1, 0.1, 0.05), SHUT, BLOCK, (-1, -1, 0, 1)),
    "over it with shut fingers": (START, START + metres(0, 0, 0.08), SHUT, BLOCK, (0, 0, 0, 1)),
    "over it with open fingers": (START, START + metres(0, 0, 0.05), OPEN, BLOCK, (0, 0, -1, 1)),
    "around it with open fingers": (START, START - metres(0, 0, 0.05), OPEN, BLOCK, (0, 0, 0, -1)),
    "holding it on the table": (
        START,
        START - metres(0, 0, 0.05),
        ON_HOOK,
        BLOCK,
        (0, 0, 1.35, -1),
    ),
    "holding it up at its start": (
        START + metres(0, 0, 0.115),
        START + metres(0, 0, 0.065),
        ON_HOOK,
        BLOCK,
        (2.0, 0, 0.2, -1),
    ),
    "holding it up, far enough forward": (
        (1.3, 0.35, 0.53),
        (1.3, 0.35, 0.48),
        ON_HOOK,
        BLOCK,
        (0, 3.5, 0.2, -1),
    ),
    "holding it up at its place": (BEHIND, (*BEHIND[:2], 0.48), ON_HOOK, BLOCK, (0, 0, -0.3, -1)),
    "down at its place": (BEHIND, (*BEHIND[:2], 0.46), ON_HOOK, BLOCK, (-0.4, 0, -0.1, -1)),
    "down, about to touch the block": (
        BEHIND + metres(-0.11, 0, 0),
        BEHIND + metres(-0.11, 0, -0.025),
        ON_HOOK,
        BLOCK,
        (-0.4, 0, 0, -1),
    ),
    "down, pulled past the block": (
        BEHIND + metres(-0.2, 0, 0),
        BEHIND + metres(-0.2, 0, -0.025),
        ON_HOOK,
        BLOCK,
        (0, 0, 0.5, -1),
    ),
    "down, left of the block": (
        BEHIND + metres(0, 0.1, 0),
        BEHIND + metres(0, 0.1, -0.025),
        ON_HOOK,
        BLOCK,
        (0, 0, 0.5, -1),
    ),
}


@pytest.fixture(scope="module")
def layout() -> Layout:
    task = HookTask(1, HOOK, num_threads=1)
    task.close()
    return task.layout


def see(layout: Layout, hook, gripper, finger, block) -> dict[str, np.ndarray]:
    """A read-only observation of one simulation."""
    row = np.zeros((1, layout.size))
    parts = {"hook": hook, "gripper": gripper, "object": block}
    for name, position in parts.items():
        row[:, getattr(layout, f"{name}_position")] = position
    row[:, layout.finger_position] = finger
    seen = {"observation": row, "achieved_goal": np.array([block]), "desired_goal": GOAL[None]}
    for part in seen.values():
        part.flags.writeable = False
    return seen


@pytest.mark.parametrize("state", STATES)
def test_it_decides_as_the_paper_says(layout, state) -> None:
    *seen, expected = STATES[state]
    assert_allclose(ReactiveHook(layout)(see(layout, *seen))[0], expected, atol=1e-9)


def test_it_pulls_along_the_line_from_object_to_goal(layout) -> None:
    block = GOAL + metres(0.12, -0.09, 0.0)
    hook = block + metres(-0.6, -0.05, 0.05)
    seen = see(layout, hook, (*hook[:2], 0.45), ON_HOOK, block)
    assert_allclose(ReactiveHook(layout, pull=0.5)(seen)[0], (-0.4, 0.3, 0.0, -1.0), atol=1e-9)


def test_a_batch_is_decided_row_by_row(layout) -> None:
    rows = [see(layout, *seen) for *seen, _ in STATES.values()]
    together = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
    expected = np.array([action for *_, action in STATES.values()])
    assert_allclose(ReactiveHook(layout)(together), expected, atol=1e-9)


def success_rate(options, episodes: int) -> float:
    task = make_hook_task(16, replace(options, physics="lean"))
    policy = ControllerPolicy(ReactiveHook(task.layout), 4)
    try:
        return evaluate(task, policy, evaluation_seeds(0, episodes), 100).success_rate
    finally:
        task.close()


def test_it_solves_the_hook_task_and_noise_breaks_it() -> None:
    assert success_rate(HOOK, 16) >= 0.9
    # Through the two frames of the history, of which it must read the newest.
    assert success_rate(NOISY_HOOK, 16) <= 0.5
