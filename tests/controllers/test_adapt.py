"""A custom controller acts the same, in whatever form it comes."""

import random
import threading
from functools import partial

import numpy as np
import pytest

import toys
from acting import Adding, Scripted
from rpl import ControllerError
from rpl.controllers.adapt import adapt
from rpl.controllers.contract import ControllerPolicy
from rpl.controllers.guard import Guarded
from rpl.controllers.per_environment import PerEnvironment, per_env
from rpl.residual import Residual
from rpl.rollout.collect import collect
from rpl.tasks.gym.task import GymnasiumTask
from toys import Reach, Slide


def returns_with(source, num_envs=3, parallel=False):
    """What five episodes of Slide pay under the controller alone, through a residual of zero."""
    task, seeds = GymnasiumTask(Slide, num_envs, parallel=parallel), list(range(5))
    controller, nothing = adapt(source, task), np.zeros((num_envs, 1))
    wrapped = Residual(task, controller, scale=0.5)
    episodes = collect(wrapped, Scripted(lambda *_: nothing), seeds, 8)
    policy = ControllerPolicy(controller, 1)
    # The same as a base policy that is added to, and without anything around it.
    added = collect(task, Adding(lambda *_: nothing, 0.5), seeds, 8, policy)
    alone = collect(task, policy, seeds, 8)
    task.close()
    np.testing.assert_array_equal(added.returns, episodes.returns)
    np.testing.assert_array_equal(alone.returns, episodes.returns)
    return episodes.returns


def by_hand(memory):
    """The same without this project."""
    total = []
    for seed in range(5):
        env, seen, paid = Slide(), 0.0, 0.0
        observation, _ = env.reset(seed=seed)
        over = False
        while not over:
            seen = seen + observation[0] if memory else observation[0]
            action = np.clip(np.float32([-0.5 * seen]), -1, 3)
            observation, reward, terminated, truncated, _ = env.step(action)
            paid, over = paid + reward, terminated or truncated
        total.append(paid)
    return total


@pytest.mark.parametrize("name", ["one", "batch", "with_env", "make_with_env"])
@pytest.mark.parametrize("num_envs", [1, 3])
def test_every_form_without_memory_acts_alike(name, num_envs) -> None:
    returns = returns_with(getattr(toys, name), num_envs)
    np.testing.assert_allclose(returns, by_hand(memory=False), rtol=1e-4)


@pytest.mark.parametrize("name", ["Summing", "summing", "SummingAll", "summing_all"])
@pytest.mark.parametrize("num_envs", [1, 3])
def test_every_form_with_memory_acts_alike_and_forgets_between_episodes(name, num_envs) -> None:
    returns = returns_with(getattr(toys, name), num_envs)
    np.testing.assert_allclose(returns, by_hand(memory=True), rtol=1e-4)


def test_several_processes_give_the_same_episodes() -> None:
    np.testing.assert_allclose(
        returns_with(toys.Summing, 2, parallel=True), by_hand(memory=True), rtol=1e-4
    )


def test_a_state_that_other_processes_hide_is_not_relied_on() -> None:
    def by_bounds(env, observation):
        return -0.1 * env.action_space.high

    task = GymnasiumTask(Slide, 2, parallel=True)
    with pytest.raises(ControllerError, match=r"use one process, --task\.processes 1"):
        adapt(toys.make_with_env, task)
    np.testing.assert_allclose(task.from_unit(adapt(by_bounds, task)(np.zeros((2, 2)))), -0.3)
    task.close()


def test_the_shape_is_found_out() -> None:
    task = GymnasiumTask(Slide, 2)
    assert adapt(toys.one, task).controller is not toys.one
    assert adapt(toys.batch, task).controller is toys.batch
    assert isinstance(adapt(toys.Summing, task).controller, PerEnvironment)


def test_a_function_of_one_observation_is_not_taken_for_one_of_a_batch() -> None:
    """Dividing by the norm of a whole batch keeps its shape, but is not meant."""
    task = GymnasiumTask(Reach, 2)

    def direction(observation):
        way = observation["desired_goal"] - observation["achieved_goal"]
        return way / np.linalg.norm(way)

    observation, _ = task.reset(seed=0)
    actions = adapt(direction, task)(observation)
    np.testing.assert_allclose(np.linalg.norm(actions, axis=1), 1.0)
    assert adapt(toys.to_goal, task).controller is toys.to_goal


class Weighed(toys.Summing):
    def __init__(self, weight: float = 0.0) -> None:
        if weight < 0.0:
            raise ValueError("no negative weight")
        super().__init__()
        self.weight = weight

    def __call__(self, observation):
        return self.weight * super().__call__(observation)


@pytest.mark.parametrize("num_envs", [1, 3])
def test_a_class_whose_arguments_are_bound_is_made_for_each_environment(num_envs) -> None:
    returns = returns_with(partial(Weighed, weight=1.0), num_envs)
    np.testing.assert_allclose(returns, by_hand(memory=True), rtol=1e-4)
    with pytest.raises(ControllerError, match="Weighed refuses its settings: no negative weight"):
        adapt(partial(Weighed, weight=-1.0), GymnasiumTask(Slide, 2))


@pytest.mark.parametrize(
    ("controller", "sentence"),
    [
        (lambda o: np.zeros(3), r"neither one observation.*shape \(1,\).*returned shape"),
        (lambda o: o["observation"], "raised IndexError"),
    ],
)
def test_what_fits_nothing_is_refused_in_words(controller, sentence) -> None:
    with pytest.raises(ControllerError, match=sentence):
        adapt(controller, GymnasiumTask(Slide, 2))


def test_a_controller_cannot_write_into_the_observation() -> None:
    def writing(observation):
        observation[:, 0] *= 2.0
        return observation[:, :1]

    with pytest.raises(ControllerError, match=r"observation\.copy\(\)"):
        adapt(writing, GymnasiumTask(Slide, 2))
    assert Guarded(lambda o: o[:, :1], 1)(np.zeros((2, 2))).shape == (2, 1)


def test_a_custom_controller_acts_in_a_task_of_the_paper(make_task) -> None:
    task = make_task(2)
    up = adapt(lambda o: np.array([0.0, 0.0, 1.0, 0.0]), task)
    observation, _ = task.reset(seed=0)
    np.testing.assert_array_equal(up(observation), [[0, 0, 1, 0]] * 2)


def test_a_list_that_is_ragged_for_a_batch_is_an_action_of_one_observation() -> None:
    task = GymnasiumTask(toys.TwoActions, 3)
    acting = adapt(lambda observation: [-0.5 * observation[0], 0.0], task)
    observation, _ = task.reset(seed=0)
    expected = np.stack([-0.5 * observation[:, 0], np.zeros(3)], axis=1)
    np.testing.assert_allclose(acting(observation), task.to_unit(expected))


class Noisy:
    """Draws from a source of its own."""

    def __init__(self, draw=None) -> None:
        self.generator = draw or np.random.default_rng()
        self.lock = threading.Lock() if draw is None else None

    def reset(self) -> None: ...

    def __call__(self, observation) -> list[float]:
        draw = getattr(self.generator, "random_sample", None) or self.generator.random
        return [draw()]


@pytest.mark.parametrize(
    "source",
    [
        Noisy,
        Noisy(np.random.default_rng(0)),
        Noisy(np.random.RandomState(0)),
        Noisy(random.Random(0)),
    ],
    ids=["class", "Generator", "RandomState", "Random"],
)
def test_every_environment_has_random_numbers_of_its_own(source) -> None:
    task = GymnasiumTask(Slide, 3)
    acting = adapt(source, task)
    acting.reset(np.ones(3, bool))
    observation, _ = task.reset(seed=0)
    drawn = np.concatenate([acting(observation) for _ in range(2)])
    assert len(np.unique(drawn)) == 6


def test_a_method_that_is_named_is_reset_with_its_object() -> None:
    acting = adapt(Memory().act, GymnasiumTask(Slide, 2))
    observation = np.ones((2, 2), np.float32)
    acting.reset(np.ones(2, bool))
    first = [acting(observation) for _ in range(2)]
    acting.reset(np.ones(2, bool))
    np.testing.assert_array_equal([acting(observation) for _ in range(2)], first)
    assert not np.array_equal(*first)


class Memory:
    """A memory whose object cannot be called."""

    total = 0.0

    def reset(self) -> None:
        self.total = 0.0

    def act(self, observation) -> list[float]:
        self.total += 0.1 * observation[0]
        return [self.total]


def test_a_function_with_a_reset_is_not_lifted_as_if_it_had_none() -> None:
    with pytest.raises(ControllerError, match=r"lifts a function, and this has a reset\(\)"):
        per_env(Noisy())


def in_the_plane(*answers):
    """A controller with a memory that gives one answer after another."""

    class Answering:
        def reset(self):
            self.left = list(answers)

        def __call__(self, observation):
            return self.left.pop(0) if len(self.left) > 1 else self.left[0]

    return Answering


@pytest.mark.parametrize("answers", [(0.1,), ([0.1],), ([0.1] * 3,), ([0.1, 0.2], 0.3)])
def test_an_action_of_another_width_is_refused_whenever_it_comes(answers) -> None:
    """NumPy would have made two components of one."""
    task = GymnasiumTask(Reach, 2)

    def steps():
        policy = ControllerPolicy(adapt(in_the_plane(*answers), task), 2)
        observation, _ = task.reset(seed=0)
        policy.reset(np.ones(2, bool))
        for _ in range(3):
            policy(observation)

    with pytest.raises(ControllerError, match="returned shape"):
        steps()


def test_actions_that_differ_in_width_among_environments_are_refused() -> None:
    task = GymnasiumTask(Slide, 2)
    controller = PerEnvironment([lambda o: [0.1], lambda o: [0.1, 0.2]])
    with pytest.raises(ControllerError, match=r"of shapes \(1,\) and \(2,\)"):
        controller(task.reset(seed=0)[0])


class OfEnv:
    """Made from its environment, it acts in one of many forms; alike in all of them."""

    def __init__(self, env):
        self.env, self.seen = env, None

    def reset(self):
        self.seen = 0.0

    def answer(self, observation):
        self.seen += observation[0]
        return np.array([-0.5 * self.seen])


class Predicts(OfEnv):
    def predict(self, observation):
        return self.answer(observation), None


class ToldByMask(OfEnv):
    def reset(self, mask):
        assert mask.shape == (1,)
        super().reset()

    def __call__(self, observation):
        return self.answer(observation)


class InBatches(OfEnv):
    def __call__(self, observation):
        return self.answer(observation[0])[None]


class InChunks(OfEnv):
    def __call__(self, observation):
        return self.answer(observation)[None]


@pytest.mark.parametrize("form", [Predicts, ToldByMask, InBatches, InChunks])
def test_what_is_made_from_its_environment_may_have_any_form(form) -> None:
    def plain(env):
        made = OfEnv(env)
        made.reset()
        return lambda observation: np.array([-0.5 * observation[0]])

    assert (returns_with(form) == returns_with(toys.Summing)).all()
    assert returns_with(plain).shape == (5,)


class PredictsInPlace(toys.Summing):
    """Made from an environment, without a memory before its first reset."""

    def __init__(self, env):
        pass


def draws(env):
    generator = np.random.default_rng()
    return lambda observation: generator.uniform(size=1)


@pytest.mark.parametrize("source", [Predicts, PredictsInPlace, draws])
def test_in_processes_it_is_asked_as_it_is_used(source) -> None:
    task = GymnasiumTask(Slide, 2, parallel=True)
    policy = ControllerPolicy(adapt(source, task), 1)
    policy.reset(np.ones(2, bool))
    assert policy(task.reset(seed=0)[0]).shape == (2, 1)
    task.close()


def test_a_plan_without_an_action_is_said() -> None:
    class Planner:
        def reset(self):
            self.plans = 0

        def __call__(self, observation):
            self.plans += 1
            return np.zeros((2 if self.plans == 1 else 0, 1))

    task = GymnasiumTask(Slide, 2)
    policy = ControllerPolicy(adapt(Planner, task), 1)
    policy.reset(np.ones(2, bool))
    observation, _ = task.reset(seed=0)
    for _ in range(2):
        policy(observation)
    with pytest.raises(ControllerError, match=r"now returned shape \(0, 1\)"):
        policy(observation)


def test_a_method_of_an_object_with_a_memory_is_not_lifted() -> None:
    with pytest.raises(ControllerError, match="has a reset"):
        per_env(toys.Summing().__call__)
