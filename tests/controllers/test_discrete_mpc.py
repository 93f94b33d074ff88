"""The planner: its model is the task, its search finds what it should, and nobody notices it."""

import numpy as np
import pytest

from conftest import read_only
from rpl.controllers.discrete_mpc import DiscreteMPCPush, PushHeuristic
from rpl.controllers.planning import (
    STAY,
    BestFirstPlanner,
    TaskModel,
    axis_moves,
    best_first_search,
)
from rpl.tasks import PICK_AND_PLACE, PUSH, FetchOptions, HookOptions, make_hook_task

LEAN = FetchOptions(physics="lean")
FORTH_AND_BACK = np.array([[1.0], [-1.0]])


class Points:
    """A model without physics: the state is the place, a move is added to it."""

    def __init__(self) -> None:
        self.steps = 0

    def predict(self, states, actions):
        self.steps += len(states)
        place = states + actions
        return {"observation": place, "achieved_goal": place}, place


def at(*places) -> dict[str, np.ndarray]:
    place = np.array(places, float)
    parts = ("observation", "achieved_goal", "desired_goal", "simulator_state")
    return dict.fromkeys(parts, place)


def table(costs: dict[int, float]):
    """The cost of a place on a line."""
    return lambda seen: np.array([[costs.get(int(x), 99.0)] for x in seen["observation"][:, 0]])


def flat(seen) -> np.ndarray:
    return np.zeros((len(seen["observation"]), 1))


def towards_the_block(observation, rng) -> np.ndarray:
    action = 0.3 * rng.uniform(-1, 1, (len(observation["observation"]), 4))
    to_block = observation["observation"][:, 3:6] - observation["observation"][:, :3]
    action[:, :3] += 8 * to_block
    return np.clip(action, -1, 1)


@pytest.mark.parametrize("options", [PUSH, PICK_AND_PLACE], ids=["push", "pick-and-place"])
def test_the_model_predicts_the_tasks_next_step(make_task, options) -> None:
    task, simulations = make_task(2, options, simulator_state=True), make_task(3, options)
    observation, _ = task.reset(seed=3)
    start = observation["achieved_goal"]
    rng = np.random.default_rng(0)
    for _ in range(15):
        action = towards_the_block(observation, rng)
        predicted, state = simulations.predict(observation["simulator_state"], action)
        observation, *_ = task.step(action)
        for part in predicted:
            np.testing.assert_allclose(predicted[part], observation[part], rtol=0, atol=1e-12)
        # Accelerations are part of it, hence the tolerance.
        np.testing.assert_allclose(state, observation["simulator_state"], rtol=0, atol=1e-8)
    assert (np.linalg.norm(observation["achieved_goal"] - start, axis=1) > 0.005).all()


def test_planning_leaves_the_episode_as_it_is(make_task) -> None:
    planned, undisturbed = (make_task(2, LEAN, simulator_state=True) for _ in range(2))
    planner = DiscreteMPCPush(planned, expansions=2)
    seen, expected = planned.reset(seed=0)[0], undisturbed.reset(seed=0)[0]
    rng = np.random.default_rng(0)
    for _ in range(8):
        action = towards_the_block(seen, rng)
        planner(read_only(seen))
        seen, expected = planned.step(action)[0], undisturbed.step(action)[0]
        for part, rows in expected.items():
            np.testing.assert_array_equal(seen[part], rows)


def test_plans_made_together_or_alone_or_again_are_the_same(make_task) -> None:
    task = make_task(3, LEAN, simulator_state=True)
    planner = DiscreteMPCPush(task, expansions=4)
    observation, _ = task.reset(seed=0)
    for _ in range(3):
        together = planner(observation)
        for rows in ([2], [0], [1, 2], [1]):
            alone = planner({part: value[rows] for part, value in observation.items()})
            np.testing.assert_array_equal(alone, together[rows])
        np.testing.assert_array_equal(planner(observation), together)
        observation, *_ = task.step(towards_the_block(observation, np.random.default_rng(1)))
    assert together.shape == (3, 4)


def test_one_expansion_takes_the_best_of_six_real_steps(make_task) -> None:
    task = make_task(3, LEAN, simulator_state=True)
    tries = make_task(3, LEAN)
    observation, _ = task.reset(seed=5)
    heuristic = PushHeuristic(task.layout)
    outcomes = [heuristic(observation)]
    for move in axis_moves(1.0, 4):
        tries.reset(seed=5)
        outcomes.append(heuristic(tries.step(np.tile(move, (3, 1)))[0]))
    actions = np.concatenate([np.zeros((1, 4)), axis_moves(1.0, 4)])
    for i, action in enumerate(DiscreteMPCPush(task, expansions=1)(observation)):
        best = min(range(7), key=lambda k: tuple(outcomes[k][i]))
        np.testing.assert_array_equal(action, actions[best])


def test_the_move_size_is_that_of_the_action(make_task) -> None:
    task = make_task(1, LEAN, simulator_state=True)
    observation, _ = task.reset(seed=0)
    action = DiscreteMPCPush(task, expansions=1, move=0.5)(observation)
    assert np.abs(action).sum() == 0.5


def test_a_model_of_fewer_simulations_than_wanted_predicts_the_same(make_task) -> None:
    task = make_task(5, LEAN, simulator_state=True)
    states = task.reset(seed=0)[0]["simulator_state"]
    actions = np.random.default_rng(0).uniform(-1, 1, (5, 4))
    few, enough = (TaskModel(make_task(n, LEAN)).predict(states, actions) for n in (2, 5))
    np.testing.assert_array_equal(few[1], enough[1])
    for part, rows in enough[0].items():
        np.testing.assert_array_equal(few[0][part], rows)


def test_a_coarse_model_lasts_as_long_and_ends_nearby(make_task) -> None:
    task = make_task(1, LEAN, simulator_state=True)
    states = task.reset(seed=0)[0]["simulator_state"]
    action = np.array([[1.0, -1.0, 0.5, 0.0]])
    (fine, late), (coarse, coarse_late) = (
        TaskModel(make_task(1, LEAN), substeps).predict(states, action) for substeps in (None, 8)
    )
    np.testing.assert_allclose(late[:, 0], coarse_late[:, 0])
    difference = np.abs(fine["observation"] - coarse["observation"])[
        :, task.layout.gripper_position
    ]
    assert 0 < difference.max() < 5e-3


def test_a_coarse_model_sees_through_a_history() -> None:
    task = make_hook_task(1, HookOptions(frames=2), simulator_state=True)
    before = task.unwrapped.model.opt.timestep * task.unwrapped.substeps
    TaskModel(task, substeps=5)
    models = task.unwrapped
    assert models.substeps == 5
    states = task.reset(seed=0)[0]["simulator_state"]
    _, late = TaskModel(task).predict(states, np.zeros((1, 4)))
    assert late[0, 0] - states[0, 0] == pytest.approx(before)


def test_the_search_looks_beyond_the_tempting_first_step() -> None:
    # To the right it gets better at once and no further, to the left only behind a hill.
    cost = table({0: 5, 1: 4, 2: 6, 3: 7, -1: 5.5, -2: 1})
    choices = [
        int(best_first_search(Points(), at([0.0]), FORTH_AND_BACK, cost, n)[0]) for n in (1, 2, 3)
    ]
    assert choices == [0, 0, 1]


def test_the_first_move_of_the_best_plan_is_taken_not_the_last() -> None:
    # The best place is one to the right and one up, and the way up looks better.
    costs = {(0, 0): 5, (0, 1): 3, (1, 1): 1}

    def cost(seen):
        return np.array([[costs.get(tuple(place.astype(int)), 9)] for place in seen["observation"]])

    right, up = np.eye(2)
    assert best_first_search(Points(), at([0, 0]), np.stack([right, up]), cost, 2) == [1]


def test_a_second_column_decides_between_equals() -> None:
    def cost(seen):
        x = seen["observation"][:, 0]
        return np.stack([np.abs(x) < 0.5, x], axis=1).astype(float)

    assert best_first_search(Points(), at([0.0]), FORTH_AND_BACK, cost, 1) == [1]


def test_each_search_minds_its_own_goal() -> None:
    observation = at([0.0], [0.0])
    observation["desired_goal"] = np.array([[3.0], [-3.0]])
    planner = BestFirstPlanner(
        Points(),
        FORTH_AND_BACK,
        lambda seen: np.abs(seen["observation"] - seen["desired_goal"]),
        expansions=2,
    )
    np.testing.assert_array_equal(planner(observation), [[1.0], [-1.0]])


@pytest.mark.parametrize(("expansions", "steps"), [(0, 0), (1, 6), (2, 11), (3, 16), (5, 22)])
def test_no_sum_of_moves_is_tried_twice(expansions, steps) -> None:
    # With equal costs the nodes come in the order found: +x, -x, +y, -y. Of the root's children
    # +x has 5 new ones, -x 5, +y 3 (neither back nor beside x), -y 3.
    model = Points()
    best_first_search(model, at([0.0, 0.0, 0.0]), axis_moves(0.1, 3), flat, expansions)
    assert model.steps == steps


def test_staying_wins_when_nothing_is_better(make_task) -> None:
    valley = table({0: 0, 1: 1, -1: 1})
    assert best_first_search(Points(), at([0.0]), FORTH_AND_BACK, valley, 3) == [STAY]
    task = make_task(2, LEAN, simulator_state=True)
    planner = BestFirstPlanner(TaskModel(make_task(2, LEAN)), axis_moves(1.0, 4), flat, 1)
    np.testing.assert_array_equal(planner(task.reset(seed=0)[0]), np.zeros((2, 4)))


def test_what_diverges_is_never_a_plan() -> None:
    cost = table({0: 5, 1: np.nan, -1: 4})
    assert best_first_search(Points(), at([0.0]), FORTH_AND_BACK, cost, 2) == [1]


@pytest.mark.parametrize("value", [np.nan, 0.0])
def test_a_diverged_simulation_disturbs_no_other_plan(make_task, value) -> None:
    task = make_task(3, LEAN, simulator_state=True)
    planner = DiscreteMPCPush(task, expansions=2)
    observation, _ = task.reset(seed=0)
    expected = planner(observation)
    # As it comes, and with zeros in its place as collecting gives it to policies.
    for rows in observation.values():
        rows[1] = value
    actions = planner(observation)
    np.testing.assert_array_equal(actions[[0, 2]], expected[[0, 2]])
    assert np.isfinite(actions).all()


def test_the_heuristic_by_hand(layout, make_observation) -> None:
    # The goal is 0.3 m along x from the block: the push point lies 0.05 m on the other side.
    observation = make_observation(
        [[1.5, 0.8, 0.42], [1.2, 0.8, 0.42]],
        object_position=[1.2, 0.8, 0.42],
        gripper_position=[1.15, 0.8, 0.52],
    )
    costs = PushHeuristic(layout)(observation)
    at_the_goal = round(1e4 * np.hypot(0.05, 0.1))
    np.testing.assert_array_equal(costs, [[3000, 1000], [0, at_the_goal]])


def test_a_planner_says_what_it_needs(make_task) -> None:
    task = make_task(1, LEAN)
    with pytest.raises(ValueError, match="simulator_state=True"):
        DiscreteMPCPush(task)(task.reset(seed=0)[0])
    with pytest.raises(ValueError, match="substeps must be at least 1"):
        TaskModel(task, substeps=0)
