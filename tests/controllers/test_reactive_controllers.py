"""Every branch of the hand-made controllers, and how well they do."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from rpl.controllers.contract import ControllerPolicy
from rpl.controllers.pick_and_place import ReactivePickAndPlace
from rpl.controllers.push import ReactivePush
from rpl.rollout.evaluate import evaluate
from rpl.rollout.seeds import evaluation_seeds
from rpl.tasks import PICK_AND_PLACE, PUSH, SLIPPERY_PUSH


def metres(*components: float) -> np.ndarray:
    """An offset or a place."""
    return np.array(components)


BLOCK = metres(1.3, 0.75, 0.425)
GOAL = BLOCK + metres(0.1, 0.0, 0.0)
PUSH_POINT = BLOCK + metres(-0.075, 0.0, 0.005)  # behind the block, seen from the goal
GRASP = BLOCK - metres(0.0, 0.0, 0.02)
FINGERS_OPEN, FINGERS_ON_BLOCK, FINGERS_SHUT = 0.05, 0.024, 0.0

PUSH_STATES = {
    "block at the goal": (PUSH_POINT, BLOCK + metres(0.02, 0.0, 0.0), (0, 0, 0, 0)),
    "block between gripper and goal": (BLOCK - metres(0.1, 0, 0), GOAL, (1.0, 0, 0, 0)),
    "still between at an angle below 45 degrees": (
        GOAL - metres(0.2, 0.1, 0.0),
        GOAL,
        (1.0, 0.5, 0, 0),
    ),
    "above the push point": (PUSH_POINT + metres(0, 0, 0.08), GOAL, (0, 0, -0.8, 0)),
    "beside the line": (GOAL - metres(0.1, 0.15, 0), GOAL, (-0.75, 1.5, 1.05, 0)),
    "between block and goal": (BLOCK + metres(0.05, 0, 0), GOAL, (-1.25, 0, 1.05, 0)),
    "behind the block but too high": (
        PUSH_POINT + metres(-0.1, 0, 0.08),
        GOAL,
        (1.0, 0, 0.2, 0),
    ),
    "goal straight above the block's place": (
        BLOCK + metres(0, 0, 0.105),
        BLOCK + metres(0, 0, 0.2),
        (0, 0, -1.0, 0),
    ),
}


@pytest.mark.parametrize("state", PUSH_STATES)
def test_reactive_push_decides_as_the_paper_says(layout, make_observation, state) -> None:
    gripper, goal, expected = PUSH_STATES[state]
    seen = make_observation(goal, gripper_position=gripper, object_position=BLOCK)
    assert_allclose(ReactivePush(layout)(seen)[0], expected, atol=1e-9)


PICK_STATES = {
    "holding the block at the goal": (GRASP, FINGERS_ON_BLOCK, BLOCK, (0, 0, 0, -1)),
    "holding the block away from the goal": (
        GRASP,
        FINGERS_ON_BLOCK,
        GOAL,
        (2.0, 0, 0.9, -1),  # 20 x (0.1, 0, 0.045)
    ),
    "around the block with open fingers": (
        GRASP + metres(0.01, 0, 0),
        FINGERS_OPEN,
        GOAL,
        (0, 0, 0, -1),
    ),
    "over the block with closed fingers": (
        GRASP + metres(0, 0, 0.08),
        FINGERS_SHUT,
        GOAL,
        (0, 0, 0, 1),
    ),
    "over the block with open fingers": (
        GRASP + metres(0, 0, 0.08),
        FINGERS_OPEN,
        GOAL,
        (0, 0, -0.8, 1),
    ),
    "elsewhere": (GRASP - metres(0.1, 0.05, 0), FINGERS_SHUT, GOAL, (1.0, 0.5, 1.0, 1)),
}


@pytest.mark.parametrize("state", PICK_STATES)
def test_reactive_pick_and_place_decides_as_the_paper_says(layout, make_observation, state) -> None:
    gripper, fingers, goal, expected = PICK_STATES[state]
    seen = make_observation(
        goal, gripper_position=gripper, object_position=BLOCK, finger_position=fingers
    )
    controller = ReactivePickAndPlace(layout, gain=10.0, carrying_gain=20.0)
    assert_allclose(controller(seen)[0], expected, atol=1e-9)


def test_only_the_carrying_gain_differs_when_miscalibrated(layout, make_observation) -> None:
    tuned, miscalibrated = (
        ReactivePickAndPlace(layout, carrying_gain=10),
        ReactivePickAndPlace(layout),
    )
    for gripper, fingers, goal, _ in PICK_STATES.values():
        seen = make_observation(
            goal, gripper_position=gripper, object_position=BLOCK, finger_position=fingers
        )
        mine, other = tuned(seen)[0], miscalibrated(seen)[0]
        carrying = np.abs(mine[:3]).max() > 0 and mine[3] == -1
        factor = 10 if carrying else 1
        assert_allclose(other[:3], factor * mine[:3])
        assert other[3] == mine[3]


CONTROLLERS = {
    "reactive-push": (PUSH, ReactivePush),
    "reactive-pick-and-place": (PICK_AND_PLACE, ReactivePickAndPlace),
}


@pytest.mark.parametrize("name", CONTROLLERS)
def test_a_batch_is_the_same_as_one_at_a_time_and_nothing_is_written(make_task, name) -> None:
    options, make_controller = CONTROLLERS[name]
    task = make_task(8, replace(options, physics="lean"))
    controller = make_controller(task.layout)
    observation, _ = task.reset(seed=0)
    seen_actions = set()
    for _ in range(30):
        for part in observation.values():
            part.flags.writeable = False
        actions = controller(observation)
        assert actions.shape == (8, 4)
        for i in range(8):
            alone = controller({k: v[i : i + 1] for k, v in observation.items()})
            np.testing.assert_array_equal(alone[0], actions[i])
        seen_actions |= {tuple(row) for row in actions}
        observation, *_ = task.step(actions)
    assert len(seen_actions) > 100  # not one constant answer


LEVELS = {
    "push": (PUSH, ReactivePush, {}, (0.9, 1.0)),
    "slippery push": (SLIPPERY_PUSH, ReactivePush, {}, (0.15, 0.6)),
    "pick and place, tuned": (
        PICK_AND_PLACE,
        ReactivePickAndPlace,
        {"carrying_gain": 10.0},
        (0.9, 1.0),
    ),
    "pick and place, miscalibrated": (PICK_AND_PLACE, ReactivePickAndPlace, {}, (0.3, 0.8)),
}


@pytest.mark.parametrize("name", LEVELS)
def test_success_is_near_the_measured_level(make_task, name) -> None:
    options, make_controller, gains, (low, high) = LEVELS[name]
    task = make_task(60, replace(options, physics="lean"))
    controller = make_controller(task.layout, **gains)
    outcome = evaluate(
        task,
        ControllerPolicy(controller, 4),
        evaluation_seeds(0, 60),
        horizon=50,
    )
    assert low < outcome.success_rate + 1e-9
    assert outcome.success_rate <= high
