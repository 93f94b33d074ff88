"""A policy is a controller plus a learned residual: what is executed, and what is refused."""

from dataclasses import replace

import gymnasium
import jax
import numpy as np
import pytest
from gymnasium.wrappers import RescaleAction, TransformAction
from hypothesis import given
from hypothesis import strategies as st

import toys
from rpl import ControllerError, Residual, ResidualWrapper, learner, per_env
from rpl.config import LearnerConfig
from rpl.controllers.push import ReactivePush
from rpl.observations import Seen
from rpl.presets import LEARNERS
from rpl.residual import combine, deviation
from rpl.tasks import PUSH
from toys import Batched


class StepCounter:
    """Says a hundredth of how often each environment's episode has asked it."""

    def reset(self, mask):
        self.steps = np.zeros(len(mask)) if not hasattr(self, "steps") else self.steps
        self.steps[mask] = 0

    def __call__(self, observation):
        self.steps = self.steps + 1
        return 0.01 * (self.steps[:, None] - 1)


@pytest.mark.parametrize("observing", [False, True])
@pytest.mark.parametrize("mode", ["NEXT_STEP", "SAME_STEP"])
def test_a_memory_is_reset_where_the_environment_resets_itself(mode, observing) -> None:
    def make(limit):
        slide = toys.Slide(limit)
        exact = TransformAction(slide, np.float32, slide.action_space)
        return lambda: RescaleAction(exact, np.float32(-1), np.float32(1))

    envs = gymnasium.vector.SyncVectorEnv(
        [make(3), make(5)], autoreset_mode=gymnasium.vector.AutoresetMode[mode]
    )
    task = Residual(envs, StepCounter(), observe_controller=observing)
    observation, _ = task.reset(seed=0)
    over = np.zeros(2, bool)
    for _ in range(20):
        step = observation[:, 1]
        if observing:
            np.testing.assert_allclose(observation[~over, 2], 0.01 * step[~over], atol=1e-6)
        observation, _, terminated, truncated, info = task.step(np.zeros((2, 1)))
        # What is said as an episode is over is executed by nobody.
        said = info["controller_action"][:, 0]
        np.testing.assert_allclose(said[~over], 0.01 * step[~over], atol=1e-6)
        over = (terminated | truncated) & (mode == "NEXT_STEP")


class Echo(Batched):
    """Does nothing but remember the action; its plain observation is the step's number."""

    def __init__(self, num_envs: int = 1, action_size: int = 2) -> None:
        super().__init__(num_envs, 1, action_size)
        self.next_observation = np.zeros((num_envs, 1))

    def reset(self, *, seed=None, options=None):
        return self.next_observation.copy(), {}

    def step(self, actions):
        self.executed = actions
        none = np.zeros(self.num_envs, bool)
        return self.next_observation.copy(), np.zeros(self.num_envs), none, none, {"kept": 1}


SIZES = {"observation": 25, "desired_goal": 3}
SEEN = Seen(SIZES)


def constant(*action: float):
    """A controller that always returns the action."""
    return lambda observation: np.tile(action, (len(observation), 1))


def executed(controller, residual, **keywords) -> np.ndarray:
    task = Echo(action_size=len(residual))
    wrapped = Residual(task, controller, **keywords)
    wrapped.reset()
    wrapped.step(np.array([residual]))
    return task.executed[0]


@pytest.mark.parametrize("changes", LEARNERS.values(), ids=LEARNERS)
def test_an_untrained_policy_acts_exactly_as_its_controller(make_task, changes) -> None:
    task = make_task(4, replace(PUSH, physics="lean"))
    controller = ReactivePush(task.layout)
    wrapped = Residual(task, controller, scale=2.0, clip_controller=False)
    state = learner.create(jax.random.key(0), SIZES, 4, LearnerConfig(**changes))
    observation, _ = wrapped.reset(seed=0)
    acted = False
    for _ in range(20):
        expected = np.clip(controller(observation), -1.0, 1.0)
        observation, *_, info = wrapped.step(np.asarray(learner.act(state, SEEN(observation))))
        np.testing.assert_array_equal(info["executed_action"], expected)
        acted |= bool(np.abs(expected).max() > 0.1)
    assert acted


def test_a_last_layer_that_is_not_zero_would_be_noticed(make_task) -> None:
    task = make_task(1, replace(PUSH, physics="lean"))
    observation, _ = task.reset(seed=0)
    state = learner.create(jax.random.key(0), SIZES, 4, LearnerConfig(zero_last=False))
    assert np.abs(learner.act(state, SEEN(observation))).max() > 0


@pytest.mark.parametrize(
    ("scale", "expected"), [(0.5, [0.35, -0.1]), (2.0, [0.8, 0.5]), ([1.0, 3.0], [0.5, 0.9])]
)
def test_the_residual_is_scaled(scale, expected) -> None:
    result = executed(constant(0.2, -0.3), [0.3, 0.4], scale=scale)
    np.testing.assert_allclose(result, expected)


def test_a_saturated_controller_hides_the_residual_unless_it_is_clipped_first() -> None:
    residual = [-0.7, -0.7]
    clipped = executed(constant(30.0, -30.0), residual, scale=1.0, clip_controller=True)
    np.testing.assert_allclose(clipped, [0.3, -1.0])
    hidden = executed(constant(30.0, -30.0), residual, scale=1.0, clip_controller=False)
    np.testing.assert_array_equal(hidden, [1.0, -1.0])


def test_info_says_who_did_what() -> None:
    wrapped = Residual(Echo(2), lambda s: np.array([[0.5, 3.0], [0.0, 0.0]]), scale=2.0)
    wrapped.reset()
    *_, info = wrapped.step(np.array([[0.4, -0.1], [0.1, 0.2]]))
    np.testing.assert_array_equal(info["controller_action"], [[0.5, 1.0], [0.0, 0.0]])
    np.testing.assert_array_equal(info["residual"], [[0.4, -0.1], [0.1, 0.2]])
    np.testing.assert_allclose(info["executed_action"], [[1.0, 0.8], [0.2, 0.4]])
    np.testing.assert_array_equal(info["clipped"], [0.5, 0.0])
    assert info["kept"] == 1


def test_the_controller_sees_the_newest_observation() -> None:
    seen = []

    def watching(observation):
        seen.append(float(observation[0, 0]))
        return np.zeros((1, 2))

    task = Echo()
    wrapped = Residual(task, watching)
    task.next_observation[:] = 5
    wrapped.reset()
    task.next_observation[:] = 6
    wrapped.step(np.zeros((1, 2)))
    wrapped.step(np.zeros((1, 2)))
    assert seen == [5, 6]


def test_a_wrong_shape_is_refused() -> None:
    with pytest.raises(ControllerError, match=r"returned shape \(2,\), expected \(1, 2\)"):
        executed(lambda s: np.zeros(2), [0.0, 0.0])


def test_a_non_finite_action_for_a_finite_observation_is_refused() -> None:
    wrapped = Residual(Echo(3), lambda s: np.array([[0, 0], [0, np.nan], [0, 0]]))
    wrapped.reset()
    with pytest.raises(ControllerError, match="for environment 1"):
        wrapped.step(np.zeros((3, 2)))


@pytest.mark.parametrize("as_dict", [False, True])
def test_a_diverged_observation_is_not_the_controllers_fault(as_dict) -> None:
    class Diverging(Echo):
        def reset(self, *, seed=None, options=None):
            rows = np.array([[1.0], [np.nan]])
            return ({"observation": rows, "desired_goal": rows} if as_dict else rows), {}

    def controller(observation):
        rows = observation["observation"] if as_dict else observation
        return np.repeat(rows, 2, axis=1)

    task = Diverging(2)
    wrapped = Residual(task, controller, scale=1.0)
    wrapped.reset()
    wrapped.step(np.full((2, 2), -0.25))
    np.testing.assert_array_equal(task.executed, [[0.75, 0.75], [-0.25, -0.25]])


@pytest.mark.parametrize(
    ("scale", "sentence"),
    [
        ([1.0, 1.0, 1.0], "3 components: give one number or one for each of the 2"),
        ([-0.1, 1.0], "give finite numbers, 0 or more"),
        (np.nan, "give finite numbers"),
    ],
)
def test_a_scale_that_makes_no_sense_is_refused(scale, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        Residual(Echo(action_size=2), constant(0.0, 0.0), scale=scale)


numbers = st.floats(-1e6, 1e6)


@given(
    st.lists(st.tuples(numbers, numbers, st.floats(0.0, 3.0)), min_size=1, max_size=4),
    st.booleans(),
)
def test_no_action_is_further_from_the_controller_than_the_scale(components, clip_controller):
    controller, residual, scale = np.array(components).T
    task = Echo(action_size=len(scale))
    acting = constant(*controller)
    wrapped = Residual(task, acting, scale=list(scale), clip_controller=clip_controller)
    wrapped.reset()
    info = wrapped.step(residual[None])[4]
    far = deviation(task.executed, info["controller_action"])[0]
    # Half a unit in the last place is lost where controller and residual are added.
    assert (far <= scale + 1e-9 * np.maximum(1.0, np.abs(controller))).all()
    assert (np.abs(task.executed) <= 1.0).all()
    np.testing.assert_array_equal(far[scale == 0.0], 0.0)


def test_a_component_with_two_values_stays_or_goes_to_the_other_bound() -> None:
    """0 is no nearer to either side than the controller says; all else is as ever."""
    base = np.array([[1.0, 0.5], [-1.0, 0.5], [0.4, 0.5], [-0.4, 0.5], [0.0, 0.5], [1.0, 0.5]])
    residual = np.array([[-0.4, 0.1], [0.6, 0.1], [-0.3, 0.1], [0.1, 0.1], [-0.1, 0.1], [0, 0]])
    #  1 - 0.8 stays, -1 + 1.2 goes over, 0.4 - 0.6 goes over, -0.4 + 0.2 stays, 0 - 0.2 goes over
    switched = [1.0, 1.0, -1.0, -0.4, -1.0, 1.0]
    executed, clipped = combine(base, residual, 2.0, (0,))
    np.testing.assert_array_equal(executed[:, 0], switched)
    plain, clipped_plainly = combine(base, residual, 2.0)
    np.testing.assert_array_equal(executed[:, 1], plain[:, 1])
    np.testing.assert_array_equal(clipped, clipped_plainly)


def test_a_deviation_counts_from_the_base_action_within_the_bounds() -> None:
    executed = np.array([[1.0, 0.5], [-0.5, 0.3]])
    base_action = np.array([[0.9, 0.0], [-1.5, 0.3]])
    np.testing.assert_allclose(deviation(executed, base_action), [[0.1, 0.5], [0.5, 0.0]])


@pytest.mark.parametrize(
    ("residual", "sentence"),
    [([[0.0]], r"shape \(1, 1\), expected \(1, 2\)"), ([[np.nan, 0.0]], "must be finite")],
)
def test_a_residual_that_cannot_be_added_is_refused(residual, sentence) -> None:
    wrapped = Residual(Echo(), constant(0.0, 0.0))
    wrapped.reset()
    with pytest.raises(ValueError, match=sentence):
        wrapped.step(np.array(residual))


def test_a_step_before_reset_is_refused() -> None:
    with pytest.raises(gymnasium.error.ResetNeeded):
        Residual(Echo(), constant(0.0, 0.0)).step(np.zeros((1, 2)))
    single = ResidualWrapper(gymnasium.make("rpl/Push-v0", physics="lean"), constant(0.0))
    with pytest.raises(gymnasium.error.ResetNeeded):
        single.step(np.zeros(4))


def test_the_controllers_memory_is_reset_where_episodes_begin() -> None:
    class Remembering:
        def __init__(self) -> None:
            self.masks = []

        def reset(self, mask) -> None:
            self.masks.append(np.asarray(mask).tolist())

        def __call__(self, observation):
            return np.zeros((len(observation), 2))

    controller = Remembering()
    wrapped = Residual(Echo(3), controller)
    wrapped.reset(seed=0)
    wrapped.reset(options={"reset_mask": np.array([True, False, True])})
    assert controller.masks == [[True, True, True], [True, False, True]]
    ResidualWrapper(gymnasium.make("rpl/Push-v0", physics="lean"), controller).reset(seed=0)
    assert controller.masks[2:] == [[True]]


def test_the_learner_can_see_what_the_controller_is_about_to_do() -> None:
    class Random:
        """Asked twice about the same observation it says two things."""

        generator, said = np.random.default_rng(0), ()

        def __call__(self, observation):
            assert observation.shape == (3, 1)  # its own, without what it said
            self.said = (*self.said, self.generator.uniform(-2, 2, (3, 2)))
            return self.said[-1]

    controller = Random()
    wrapped = Residual(Echo(3), controller, observe_controller=True)
    assert wrapped.single_observation_space.shape == (3,)
    assert wrapped.observation_space.shape == (3, 3)
    seen, _ = wrapped.reset()
    for step in range(3):
        np.testing.assert_array_equal(seen[:, 1:], np.clip(controller.said[step], -1, 1))
        seen, *_, info = wrapped.step(np.zeros((3, 2)))
        np.testing.assert_array_equal(
            info["controller_action"], np.clip(controller.said[step], -1, 1)
        )
    assert len(controller.said) == 4  # once for each observation


def test_a_memory_that_is_observed_is_not_asked_twice_about_a_step() -> None:
    class Counting:
        def reset(self, mask):
            assert mask.dtype == bool

        def __call__(self, observation):
            return np.zeros((3, 2))

    some = {"reset_mask": np.array([1, 0, 0])}
    with pytest.raises(ValueError, match="reset all environments"):
        Residual(Echo(3), Counting(), observe_controller=True).reset(options=some)
    Residual(Echo(3), Counting()).reset(options=some)


def test_only_rows_of_floats_can_hold_the_controllers_action() -> None:
    class Counts(gymnasium.ObservationWrapper):
        def __init__(self, space: gymnasium.Space) -> None:
            unit = RescaleAction(gymnasium.make("Pendulum-v1"), np.float32(-1), np.float32(1))
            super().__init__(unit)
            self.observation_space = space

        def observation(self, observation):
            return observation

    for space in (
        gymnasium.spaces.Box(0, 255, (3,), np.uint8),
        gymnasium.spaces.Box(-1.0, 1.0, (3, 3)),
        gymnasium.spaces.Discrete(3),
    ):
        with pytest.raises(ValueError, match="cannot stand beside"):
            ResidualWrapper(Counts(space), constant(0.0), observe_controller=True)


def test_the_single_wrapper_has_the_rewards_function_where_its_environment_has_one() -> None:
    goals = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    single = ResidualWrapper(gymnasium.make("rpl/Push-v0", physics="lean"), constant(0.0))
    np.testing.assert_array_equal(single.compute_reward(goals, np.zeros((2, 3)), {}), [0, -1])
    scaled = RescaleAction(gymnasium.make("Pendulum-v1"), np.float32(-1), np.float32(1))
    assert not hasattr(ResidualWrapper(scaled, constant(0.0)), "compute_reward")


def test_actions_with_other_bounds_must_be_scaled_first() -> None:
    with pytest.raises(ValueError, match="RescaleAction"):
        ResidualWrapper(gymnasium.make("Pendulum-v1"), constant(0.0))
    with pytest.raises(ValueError, match="RescaleAction"):
        Residual(gymnasium.make_vec("Pendulum-v1", 2), constant(0.0))
    with pytest.raises(ValueError, match="a Box"):
        ResidualWrapper(gymnasium.make("CartPole-v1"), constant(0.0))


def test_per_env_lifts_functions_of_dicts_and_of_arrays() -> None:
    plain = per_env(lambda row: [row[0], 2 * row[0]])
    np.testing.assert_array_equal(plain(np.array([[1.0], [3.0]])), [[1, 2], [3, 6]])
    on_dict = per_env(lambda o: o["desired_goal"] - o["achieved_goal"])
    observation = {"desired_goal": np.eye(2), "achieved_goal": np.ones((2, 2))}
    np.testing.assert_array_equal(on_dict(observation), [[0, -1], [-1, 0]])


@pytest.mark.parametrize("observing", [False, True])
def test_the_single_wrapper_agrees_with_the_vector_wrapper(make_task, observing) -> None:
    options = replace(PUSH, physics="lean")
    task = make_task(1, options)
    controller = ReactivePush(task.layout)
    keywords = {"scale": 0.5, "observe_controller": observing}
    vector = Residual(task, controller, **keywords)
    environment = gymnasium.make("rpl/Push-v0", physics="lean")
    single = ResidualWrapper(environment, controller, **keywords)
    for space in (vector.single_observation_space, single.observation_space):
        assert space["observation"].shape == (29 if observing else 25,)
    many, _ = vector.reset(seed=[3])
    one, _ = single.reset(seed=3)
    rng = np.random.default_rng(0)
    for _ in range(20):
        for part, rows in many.items():
            # The single wrapper executes actions in the space's float32.
            np.testing.assert_allclose(one[part], rows[0], atol=1e-5)
        residual = rng.uniform(-1, 1, 4).astype(np.float32)
        many, reward, _, _, infos = vector.step(residual[None])
        one, one_reward, _, _, info = single.step(residual)
        assert one_reward == reward[0]
        assert info["clipped"] == infos["clipped"][0]
        for name in ("controller_action", "executed_action", "residual"):
            np.testing.assert_allclose(info[name], infos[name][0], atol=1e-4)


class WithOneMemory:
    """Doubles what it is told of its only episode's steps."""

    def reset(self):
        self.steps = 0

    def predict(self, observation):
        self.steps += 1
        return np.full((len(observation), 1), 0.01 * self.steps), None


def test_a_single_environment_takes_objects_of_other_libraries() -> None:
    env = RescaleAction(toys.Slide(3), np.float32(-1), np.float32(1))
    for controller in (WithOneMemory(), WithOneMemory().predict):
        wrapped = ResidualWrapper(env, controller)
        for _ in range(2):
            wrapped.reset(seed=0)
            said = [wrapped.step(np.zeros(1))[4]["controller_action"][0] for _ in range(3)]
            np.testing.assert_allclose(said, [0.01, 0.02, 0.03])


def test_a_method_forgets_with_its_object_where_episodes_end() -> None:
    counter = StepCounter()
    task = Residual(Echo(2, 1), counter.__call__)
    for _ in range(2):
        task.reset()
        said = [task.step(np.zeros((2, 1)))[4]["controller_action"][:, 0] for _ in range(2)]
        np.testing.assert_allclose(said, [[0.0, 0.0], [0.01, 0.01]])


def test_one_memory_is_not_shared_by_several_environments() -> None:
    with pytest.raises(ControllerError, match=r"one environment, and there are 2: write reset"):
        Residual(Echo(2, 1), WithOneMemory())


def test_environments_get_actions_of_their_own_type() -> None:
    def make():
        return RescaleAction(toys.Slide(3), np.float32(-1), np.float32(1))

    task = Residual(gymnasium.vector.SyncVectorEnv([make]), lambda o: np.full((1, 1), 0.3))
    task.reset(seed=0)
    task.step(np.zeros((1, 1)))  # Slide refuses what is not float32


def test_a_controller_cannot_spoil_what_the_learner_is_shown() -> None:
    def doubling(observation):
        observation *= 2.0
        return observation

    task = Residual(Echo(2, 1), doubling)
    task.reset()
    with pytest.raises(ControllerError, match=r"observation\.copy\(\)"):
        task.step(np.zeros((2, 1)))


def test_parts_without_an_observation_cannot_have_the_base_action_beside() -> None:
    task = Echo(2, 1)
    task.single_observation_space = gymnasium.spaces.Dict({"state": task.single_observation_space})
    with pytest.raises(ValueError, match="cannot stand beside"):
        Residual(task, constant(0.0), observe_controller=True)
