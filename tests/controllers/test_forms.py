"""Policies of other libraries act as they are: by their methods, resets, pairs and chunks."""

import numpy as np
import pytest

import toys
from rpl import ControllerError, per_env
from rpl.controllers.adapt import adapt
from rpl.controllers.contract import ControllerPolicy
from rpl.controllers.forms import answer_of
from rpl.controllers.onnx_policy import OnnxPolicy
from rpl.rollout.collect import collect
from rpl.tasks.gym.task import GymnasiumTask
from toys import Slide


def actions(source, num_envs=3, seeds=range(4)):
    """What a controller does in episodes of Slide, in its own units, (episodes, steps)."""
    task = GymnasiumTask(Slide, num_envs)
    episodes = collect(task, ControllerPolicy(adapt(source, task), 1), list(seeds), 8)
    task.close()
    return 1.0 + 2.0 * episodes.action[..., 0], episodes.observation["observation"][..., 0]


def check_acts_as(source, law=lambda x: -0.5 * x):
    for num_envs in (1, 3):
        done, seen = actions(source, num_envs)
        np.testing.assert_allclose(done, np.clip(law(seen[:, :-1]), -1, 3), atol=1e-5)


class With:
    """An object with one method."""

    def __init__(self, name, answer):
        setattr(self, name, answer)


@pytest.mark.parametrize("name", ["predict", "get_action", "act", "select_action"])
@pytest.mark.parametrize("law", [toys.one, toys.batch])
def test_an_object_acts_by_the_method_it_has(name, law) -> None:
    check_acts_as(With(name, law))


@pytest.mark.parametrize(
    "beside",
    [
        lambda action: (action, None),
        lambda action: (action, {"hidden": 1}),
        lambda action: (np.asarray(action), np.zeros((2, 4))),
        lambda action: {"action": action, "value": 0.0},
    ],
)
def test_of_a_pair_the_action_is_taken(beside) -> None:
    check_acts_as(lambda observation: beside(toys.one(observation)))
    check_acts_as(lambda observation: beside(toys.batch(observation)))


def test_a_tuple_of_numbers_is_an_action() -> None:
    np.testing.assert_array_equal(per_env(lambda o: (o[0], 2.0))(np.ones((2, 1))), [[1, 2]] * 2)


class LikeSB3:
    """``predict`` as Stable-Baselines3 has it: random unless it is asked not to be."""

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        noise = 0.0 if deterministic else np.random.default_rng().normal()
        return -0.5 * np.asarray(observation)[..., :1] + noise, state


def test_a_model_of_stable_baselines_is_asked_for_its_mean() -> None:
    check_acts_as(LikeSB3())
    check_acts_as(LikeSB3().predict)


class LikeRecurrentPPO:
    """The same with a state, the sum of what it saw; refuses to be copied, as it is large."""

    def __deepcopy__(self, memo):
        raise AssertionError("the model was copied")

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        observation = np.atleast_2d(observation)
        state = np.zeros(len(observation)) if state is None else np.where(episode_start, 0.0, state)
        state = state + observation[:, 0]
        return -0.5 * state[:, None], state


def test_the_state_of_a_recurrent_policy_is_kept_for_it() -> None:
    np.testing.assert_allclose(actions(LikeRecurrentPPO())[0], actions(toys.Summing)[0], atol=1e-5)


@pytest.mark.parametrize(
    "parameter",
    ["mask", "dones", "episode_starts", "env_ids", "indices", "mask=None", "env_ids=None"],
)
def test_a_reset_is_given_what_it_asks_for(parameter) -> None:
    name = parameter.split("=")[0]

    class Named:
        sum = np.zeros(3)

        def begin(self, which):
            self.sum = self.sum.copy()
            self.sum[which] = 0.0

        def __call__(self, observation):
            assert not isinstance(self.sum, int)
            self.sum = self.sum[: len(observation)] + observation[:, 0]
            return -0.5 * self.sum[:, None]

    namespace: dict = {}
    exec(f"def reset(self, {parameter}): self.begin({name})", namespace)
    Named.reset = namespace["reset"]
    np.testing.assert_allclose(actions(Named())[0], actions(toys.Summing)[0], atol=1e-5)


@pytest.mark.parametrize("parameter", ["observation", "obs", "obs=None"])
def test_a_reset_is_told_the_first_observation_where_it_asks_for_it(parameter) -> None:
    class FromStart:
        def begin(self, observation):
            self.start = float(observation[0])

        def __call__(self, observation):
            return [-0.5 * self.start]

    namespace: dict = {}
    exec(f"def reset(self, {parameter}): self.begin({parameter.split('=')[0]})", namespace)
    FromStart.reset = namespace["reset"]
    done, seen = actions(FromStart())
    np.testing.assert_allclose(done, -0.5 * np.repeat(seen[:, :1], 8, axis=1), atol=1e-5)


def test_a_reset_that_says_nothing_is_refused_in_a_sentence() -> None:
    class Odd(toys.Summing):
        def reset(self, which):
            raise AssertionError

    with pytest.raises(ControllerError, match=r"its reset\(which\).*write reset\(\) for"):
        adapt(Odd.__new__(Odd), GymnasiumTask(Slide, 2))

    class ByName(toys.Summing):
        def reset(self, *, seed):
            raise AssertionError

    with pytest.raises(ControllerError, match=r"its reset\(seed\).*write reset\(\) for"):
        adapt(ByName.__new__(ByName), GymnasiumTask(Slide, 2))


class Planner:
    """Three steps ahead, by how often it has planned in this episode."""

    def reset(self):
        self.count = 0

    def __call__(self, observation):
        self.count += 1
        return np.full((3, 1), 0.1 * self.count)


def test_chunks_are_played_to_their_end() -> None:
    done, seen = actions(lambda observation: -0.1 * observation[0] * np.arange(1, 4)[:, None])
    planned_at = seen[:, [0, 0, 0, 3, 3, 3, 6, 6]]
    expected = -0.1 * planned_at * np.array([1, 2, 3, 1, 2, 3, 1, 2])
    np.testing.assert_allclose(done, np.clip(expected, -1, 3), atol=1e-5)
    batched, _ = actions(lambda o: -0.1 * o[:, :1, None] * np.arange(1, 4)[:, None])
    np.testing.assert_allclose(batched, done, atol=1e-5)


def test_a_planner_with_a_memory_plays_its_chunks() -> None:
    done, _ = actions(Planner())
    np.testing.assert_allclose(done, [[0.1, 0.1, 0.1, 0.2, 0.2, 0.2, 0.3, 0.3]] * 4, atol=1e-6)


BUFFER = np.zeros(1)


def test_a_buffer_that_a_controller_returns_is_copied() -> None:
    def law(observation):
        assert observation.ndim == 1
        BUFFER[0] = -0.5 * observation[0]
        return BUFFER

    check_acts_as(law)
    np.testing.assert_array_equal(per_env(law)(np.array([[1.0], [2.0]])), [[-0.5], [-1.0]])


def test_trying_a_controller_out_does_not_spoil_its_memory() -> None:
    class Integral:
        total = 0.0

        def __call__(self, observation):
            self.total = self.total + observation[0]
            return [-0.5 * self.total]

    controller = Integral()
    adapt(controller, GymnasiumTask(Slide, 3))
    assert controller.total == 0.0
    assert np.ndim(adapt(controller, GymnasiumTask(Slide, 1))(np.ones((1, 2)))) == 2


def test_a_memory_in_a_module_is_not_made_an_array() -> None:
    memory = {"total": 0.0}

    def integral(observation):
        memory["total"] = memory["total"] + observation[0]
        return [-0.5 * memory["total"]]

    adapt(integral, GymnasiumTask(Slide, 3))
    assert np.ndim(memory["total"]) == 0


class NeedsGains:
    def __init__(self, p, i):
        raise AssertionError


class Silent:
    def plan(self, observation):
        raise AssertionError


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (NeedsGains, r"class NeedsGains cannot be made without p, i: .*controller = NeedsGains"),
        (Silent(), "class Silent cannot be called.*it has plan: name the one that acts"),
    ],
)
def test_what_cannot_act_is_refused_with_what_to_do(source, sentence) -> None:
    with pytest.raises(ControllerError, match=sentence):
        adapt(source, GymnasiumTask(Slide, 2))


def test_what_can_be_asked_not_to_draw_is_asked_that() -> None:
    class Drawing:
        def act(self, observation, deterministic=False):
            return 0.5 if deterministic else 9.0

    assert answer_of(Drawing())(np.zeros(2)) == 0.5


def saved(path, name, shape, kind=1):
    """A file whose only input has a name, a shape behind the batch and a type."""
    onnx = pytest.importorskip("onnx")
    value = onnx.helper.make_tensor_value_info
    kept = "float" if kind != 1 else name
    nodes = [onnx.helper.make_node("Flatten", [kept], ["flat"], axis=1)]
    if kind != 1:
        nodes.insert(0, onnx.helper.make_node("Cast", [name], [kept], to=1))
    inputs, outputs = [value(name, kind, ["n", *shape])], [value("flat", 1, ["n", None])]
    graph = onnx.helper.make_graph(nodes, "policy", inputs, outputs)
    opset = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=9), path)
    return OnnxPolicy(path)


def test_a_file_takes_pictures_and_the_only_part_that_fits(tmp_path) -> None:
    bytes_ = np.arange(48, dtype=np.uint8).reshape(2, 4, 2, 3)
    picture = saved(tmp_path / "picture.onnx", "input", (4, 2, 3), kind=2)
    np.testing.assert_array_equal(picture(bytes_), bytes_.reshape(2, 24))
    seen = {"camera": bytes_, "state": np.ones((2, 3)), "object": np.zeros((2, 2))}
    np.testing.assert_array_equal(picture(seen), bytes_.reshape(2, 24))
    vector = saved(tmp_path / "vector.onnx", "input", (3,))
    np.testing.assert_array_equal(vector(seen), np.ones((2, 3)))
    np.testing.assert_array_equal(vector(tuple(seen.values())), np.ones((2, 3)))
    with pytest.raises(ControllerError, match=r"shape \(3,\); the observation has state \(3,\)"):
        vector({"state": np.ones((2, 3)), "other": np.zeros((2, 3))})
