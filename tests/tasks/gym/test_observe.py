"""Learners are shown a choice of an observation, controllers all of it."""

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, Sequence, Text, Tuple

import toys
from rpl.controllers.adapt import adapt
from rpl.controllers.contract import ControllerPolicy
from rpl.observations import Seen
from rpl.rollout.collect import collect
from rpl.tasks.gym.requirements import UnsuitableEnvironment
from rpl.tasks.gym.task import GymnasiumTask
from toys import Reach, Slide, to_goal

PICTURE = Box(0, 255, (6, 5, 3), np.uint8)


class Camera(Slide):
    """Slide seen by a camera and by nested sensors; the picture's first byte is the step."""

    def __init__(self):
        super().__init__()
        joints = Dict(place=Box(-np.inf, np.inf, (1,), np.float32), matrix=Box(-9, 9, (2, 2)))
        robot = Tuple((joints, Discrete(3), MultiBinary(2)))
        self.observation_space = Dict(robot=robot, camera=PICTURE)

    def _observe(self):
        joints = {
            "place": np.array([self.x], np.float32),
            "matrix": np.array([[1.0, 2.0], [3.0, self.t]], np.float32),
        }
        robot = (joints, self.t % 3, np.array([1, 0], np.int8))
        return {"robot": robot, "camera": np.full((6, 5, 3), self.t, np.uint8)}


class NoCamera(gymnasium.ObservationWrapper):
    """What Camera sees besides."""

    def __init__(self):
        super().__init__(Camera())
        self.observation_space = Dict(robot=self.env.observation_space["robot"])

    def observation(self, observation):
        return {"robot": observation["robot"]}


def from_picture(observation):
    """Pushes by what only the picture says."""
    assert observation["camera"].shape == (6, 5, 3)
    assert observation["robot"][0]["matrix"].shape == (2, 2)
    return [0.1 * observation["camera"][0, 0, 0]]


@pytest.mark.parametrize("parallel", [False, True])
def test_the_controller_gets_all_and_the_learner_what_is_named(parallel) -> None:
    task = GymnasiumTask(Camera, 2, parallel=parallel, observe="robot.0.place, robot.1")
    policy = ControllerPolicy(adapt(from_picture, task), 1)
    episodes = collect(task, policy, [1, 2, 3], 8)
    assert episodes.observation.keys() == {"observation"}
    seen = episodes.observation["observation"]
    assert seen.shape == (3, 9, 4)
    np.testing.assert_array_equal(seen[0, :4, 1:], np.eye(3)[[0, 1, 2, 0]])
    # It moves by a tenth of the step that the picture shows.
    np.testing.assert_allclose(np.diff(seen[0, :, 0]), 0.1 * np.arange(8), atol=1e-5)
    task.close()


def test_without_a_choice_the_learner_sees_all_numbers() -> None:
    task = GymnasiumTask(NoCamera, 2)
    observation, _ = task.reset(seed=0)
    assert Seen.of(task.single_observation_space).sizes == {"observation": 1 + 4 + 3 + 2}
    np.testing.assert_array_equal(observation["observation"][0, 1:5], [1, 2, 3, 0])
    np.testing.assert_array_equal(observation["observation"][0, 5:], [1, 0, 0, 1, 0])


def test_a_function_makes_the_vector_once_a_step() -> None:
    asked = []

    def encoder(observation):
        asked.append(observation)
        return [observation["camera"].mean(), 7.0]

    task = GymnasiumTask(Camera, 1, observe=encoder)
    asked.clear()
    policy = ControllerPolicy(adapt(from_picture, task), 1)
    asked.clear()
    episodes = collect(task, policy, [1], 8)
    assert len(asked) == 9
    np.testing.assert_array_equal(episodes.observation["observation"][0, :, 0], np.arange(9))


def test_goals_stay_goals_beside_a_choice() -> None:
    task = GymnasiumTask(Reach, 2, observe="achieved_goal,observation")
    seen = Seen.of(task.single_observation_space)
    assert seen.sizes == {"observation": 3, "desired_goal": 2}
    observation, _ = task.reset(seed=0)
    np.testing.assert_allclose(
        adapt(to_goal, task)(observation),
        (observation["desired_goal"] - observation["achieved_goal"]) / 3.0,
    )


@pytest.mark.parametrize(
    ("space", "observe", "sentence"),
    [
        (Dict(robot=Dict(state=PICTURE), x=Box(0, 1, (1,))), None, "'robot.state' is a picture.*x"),
        (
            Dict(note=Text(5), x=Box(0, 1, (1,))),
            None,
            "'note' is no vector.*--task.observe x shows",
        ),
        (
            Dict(a=Box(0, 1, (1,)), list=Sequence(Discrete(2))),
            "a",
            "'list' is Sequence.*of which no batch is made: give it a fixed length",
        ),
        (Dict(a=Box(0, 1, (1,))), "b", "no part 'b' to show the learner; it has a"),
        (Dict(a=PICTURE), "a", "'a' is .*of which no vector is made"),
        (Box(0, 1, (1,)), lambda o: np.zeros((2, 2)), r"returned ndarray of shape \(2, 2\)"),
        (Box(0, 1, (1,)), lambda o: {"a": 1}, "return one vector of numbers"),
    ],
)
def test_what_cannot_be_shown_is_refused_with_a_way_out(space, observe, sentence) -> None:
    class Odd(Slide):
        def __init__(self):
            super().__init__()
            self.observation_space = space

        def _observe(self):
            return self.observation_space.sample()

    with pytest.raises(UnsuitableEnvironment, match=sentence):
        GymnasiumTask(Odd, 1, observe=observe)


@pytest.mark.parametrize("parallel", [False, True])
def test_an_instruction_in_words_reaches_the_controller(parallel) -> None:
    task = GymnasiumTask(toys.Told, 3, parallel=parallel, observe="x")
    assert Seen.of(task.single_observation_space).sizes == {"observation": 1}
    acting = adapt(toys.obedient, task)
    observation, _ = task.reset(seed=0)
    there = np.array([[1.0], [-1.0], [1.0]])  # by the seeds: to the right where they are even
    np.testing.assert_allclose(task.from_unit(acting(observation)), there)
    observation, *_ = task.step(np.zeros((3, 1)))
    np.testing.assert_allclose(task.from_unit(acting(observation)), there)
    task.close()


def test_a_function_that_makes_another_width_later_is_refused() -> None:
    task = GymnasiumTask(Slide, 2, observe=lambda seen: np.zeros(2 + int(seen[1])))
    task.reset(seed=0)
    with pytest.raises(UnsuitableEnvironment, match=r"returned 3 numbers .*, and 2 for the first"):
        task.step(np.zeros((2, 1)))
