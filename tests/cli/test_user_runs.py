"""User environments and custom controllers from training to deployment."""

import dataclasses
import importlib.util
import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import gymnasium
import numpy as np
import pytest

import rpl
import toys
from rpl import Residual, learner
from rpl.cli.main import run
from rpl.cli.options import first_parse
from rpl.cli.train import FirstOptions, named_by, spec_for
from rpl.config import ExplorationConfig
from rpl.controllers.cached import Cache
from rpl.errors import RunError
from rpl.presets import FAST, LEARNERS, PAPER, WITHOUT_GATE, with_learner
from rpl.registry.builtin import make_problem
from rpl.registry.catalog import METHODS
from rpl.registry.custom import goal_rules, user_problem
from rpl.registry.environments import environment_maker, user_task
from rpl.registry.names import (
    EnvironmentOptions,
    can_be_found,
    custom_controller,
    load_object,
    name_of,
)
from rpl.registry.resolve import config_for_horizon
from rpl.rollout.collect import collect
from rpl.rollout.evaluate import evaluate
from rpl.rollout.policies import ExploringPolicy
from rpl.rollout.seeds import evaluation_seeds
from rpl.runs.files import read_config
from rpl.runs.load import Request, named_spec
from rpl.runs.session import new_learner
from rpl.tasks.gym.requirements import UnsuitableEnvironment
from rpl.tasks.gym.task import GymnasiumTask
from rpl.training.loop import explore
from rpl.training.progress import Progress
from small import USER_RUN, user_config
from toys import Reach, Slide

EXAMPLES = Path(__file__).parents[2] / "examples"
# The best policy of so short a run may be the untrained one.
LAST = ("--checkpoint", "last")


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A run on Slide with a controller that has a memory, made on the command line."""
    folder = tmp_path_factory.mktemp("user") / "run"
    words = ["train", "toys:Slide", "--controller", "toys:Summing", *USER_RUN]
    alone = ["--residual.no-observe-controller", "--residual.critic-input", "residual"]
    assert run([*words, *alone, "--residual.scale", "0.3", "--out", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def trained_observing(tmp_path_factory) -> Path:
    """The same, whose learner sees what the controller is about to do."""
    folder = tmp_path_factory.mktemp("user") / "observing"
    words = ["train", "toys:Slide", "--controller", "toys:Summing", *USER_RUN]
    observing = ["--residual.observe-controller", "--residual.critic-input", "sum"]
    assert run([*words, *observing, "--residual.scale", "0.3", "--out", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def trained_with_goals(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("user") / "goals"
    words = ["train", "toys:Reach", "--controller", "toys:to_goal", "--learner", "sac", *USER_RUN]
    assert run([*words, "--residual.scale", "0.2", "0.0", "--out", str(folder)]) == 0
    return folder


def test_a_run_knows_its_names_and_can_be_evaluated(trained, capfd) -> None:
    record = json.loads((trained / "config.json").read_text())
    assert (record["task"], record["controller"]) == ("toys:Slide", "toys:Summing")
    assert record["metric"] == "return"
    assert run(["eval", str(trained), *LAST, "--episodes", "10", "--json"]) == 0
    report = json.loads(capfd.readouterr().out)
    assert report["task"] == "toys:Slide"
    assert report["policy"]["mean_return"] != report["controller"]["mean_return"]
    assert report["verdict"] in ("better", "worse", "no difference shown")
    assert 0.0 < report["largest_deviation"][0] <= 0.3 + 1e-9
    assert run(["eval", str(trained), *LAST, "--episodes", "10"]) == 0
    printed = capfd.readouterr().out
    assert f"policy against controller: {report['verdict']} (the paired interval" in printed
    assert f"in halves of the action range: {report['largest_deviation'][0]:.3f}" in printed


def test_a_run_without_a_controller_is_judged_beside_doing_nothing(tmp_path, capfd) -> None:
    folder = str(tmp_path / "scratch")
    assert run(["train", "toys:Slide", "--method", "scratch", *USER_RUN, "--out", folder]) == 0
    assert ", doing nothing " in capfd.readouterr().out
    assert run(["eval", folder, *LAST, "--episodes", "10"]) == 0
    printed = capfd.readouterr().out
    assert "policy against doing nothing" in printed
    assert "controller" not in printed
    action = rpl.load(folder, "last")(np.zeros(2, np.float32))
    assert np.abs(action).max() > 0.0


def test_a_best_checkpoint_that_learned_nothing_says_so(tmp_path, capfd) -> None:
    folder, words = str(tmp_path / "run"), ["train", "toys:Slide", "--controller", "toys:one"]
    burning_in = ["--burn-in.minimum-steps", "10000"]
    assert run([*words, *USER_RUN, *burning_in, "--out", folder]) == 0
    capfd.readouterr()
    assert run(["eval", folder, "--episodes", "10"]) == 0
    assert "is the untrained policy" in capfd.readouterr().out
    assert run(["export", folder, str(tmp_path / "policy.onnx")]) == 0
    assert "is the untrained policy" in capfd.readouterr().err


def test_a_dict_in_place_of_options_is_refused() -> None:
    with pytest.raises(ValueError, match=r"task is a dict: give rpl.EnvironmentOptions\("):
        rpl.improve(Slide, toys.one, task={"max_episode_steps": 5})


def test_options_that_make_no_task_are_refused() -> None:
    for wrong in (
        {"metric": "reward"},
        {"processes": 0},
        {"reward_bounds": (1.0, 0.0)},
        {"reward_bounds": (1.0,)},
        {"observe": lambda seen: seen[:1]},
    ):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            EnvironmentOptions(**wrong)


def test_evaluation_of_the_controller_is_that_by_hand(capfd) -> None:
    words = ["eval", "toys:Slide", "--controller", "toys:one", "--episodes", "5", "--json"]
    assert run(words) == 0
    by_command = json.loads(capfd.readouterr().out)["controller"]["mean_return"]
    problem = user_problem("toys:Slide", toys.one, user_config(), EnvironmentOptions())
    seeds = evaluation_seeds(1_000_000, 5)
    outcome = evaluate(problem.evaluation_task, problem.level(), seeds, 8)
    assert by_command == pytest.approx(outcome.mean_return)


def test_more_observations_than_controllers_with_a_memory_are_refused(trained) -> None:
    policy = rpl.load(trained)
    with pytest.raises(rpl.ControllerError, match="num_envs"):
        policy(np.zeros((3, 2)))


@pytest.mark.parametrize("which", ["trained", "trained_observing"])
def test_the_loaded_policy_acts_as_the_evaluated_one(which, request) -> None:
    folder = request.getfixturevalue(which)
    policy = rpl.load(folder, "last", num_envs=3)
    other = rpl.load(folder, "last", num_envs=3).problem
    task = Residual(
        other.evaluation_task, other.controller, 0.3, observe_controller=other.observes_base
    )
    assert other.observes_base == policy.observes_base == (which == "trained_observing")
    assert other.residual.clip_controller
    shown, _ = task.reset(seed=[1, 3, 5])
    policy.reset()
    for _ in range(5):
        acted = policy(shown[:, :2])  # as the environment observes
        said = policy.residual(shown[:, :2], shown[:, 2:] if other.observes_base else None)
        assert np.abs(said).max() > 0.0
        shown, _, _, _, info = task.step(said)
        native = task.unwrapped.from_unit(info["executed_action"])
        np.testing.assert_allclose(acted, native, atol=1e-6)
        middle = task.unwrapped.to_unit(acted)
        assert (np.abs(middle - np.clip(info["controller_action"], -1, 1)) <= 0.3 + 1e-6).all()


def test_a_policy_that_observes_its_controller_asks_for_what_it_said(trained_observing) -> None:
    with pytest.raises(ValueError, match="observes the controller's action"):
        rpl.load(trained_observing, "last").residual(np.zeros((1, 2)))


def test_a_policy_takes_one_observation_or_many(trained_with_goals) -> None:
    policy = rpl.load(trained_with_goals, "last")
    observation, _ = Reach().reset(seed=4)
    batch = {name: np.stack([part] * 3) for name, part in observation.items()}
    np.testing.assert_allclose(policy(batch), np.stack([policy(observation)] * 3), atol=1e-6)
    by_controller = np.clip(toys.to_goal(observation), -1, 1)
    assert policy(observation)[1] == pytest.approx(by_controller[1])  # its scale is 0
    assert abs(policy(observation)[0] - by_controller[0]) <= 0.2 + 1e-6


def test_a_policy_with_goals_says_that_it_wants_the_goal_too(trained_with_goals) -> None:
    observation, _ = Reach().reset(seed=4)
    with pytest.raises(ValueError, match="the task's dict, with the desired_goal"):
        rpl.load(trained_with_goals, "last")(observation["observation"])


@pytest.mark.parametrize("which", ["trained", "trained_observing", "trained_with_goals"])
def test_the_exported_file_says_what_the_learner_says(which, request, tmp_path, capfd) -> None:
    pytest.importorskip("onnx")
    folder, path = request.getfixturevalue(which), tmp_path / "policy.onnx"
    assert run(["export", str(folder), str(path), *LAST]) == 0
    assert "-> action; at most" in capfd.readouterr().out
    session = __import__("onnxruntime").InferenceSession(str(path))
    policy = rpl.load(folder, "last", num_envs=4)
    make = Reach if which == "trained_with_goals" else Slide
    task = GymnasiumTask(make, 4)
    observation, _ = task.reset(seed=9)
    policy.reset()
    expected = policy(observation)
    policy.reset()
    proposed = policy.controller.controller(observation)
    feed = {"controller_action": proposed.astype(np.float32)}
    if make is Slide:
        feed["observation"] = observation.astype(np.float32)
    else:
        feed |= {k: observation[k].astype(np.float32) for k in ("observation", "desired_goal")}
    np.testing.assert_allclose(session.run(["action"], feed)[0], expected, atol=2e-5)


@pytest.mark.parametrize("bound", [0.4, 0.1, 0.7, 1.3])
def test_rounding_leads_no_exported_action_out_of_its_space(bound) -> None:
    pytest.importorskip("onnx")
    from onnx.reference import ReferenceEvaluator

    from rpl.deploy.export import _model

    space = gymnasium.spaces.Box(np.float32([-0.3]), np.float32([bound]))

    class Bounded(Slide):
        action_space = property(lambda self: space, lambda self, _: None)

    config = user_config()
    problem = user_problem(Bounded, toys.one, config, EnvironmentOptions())
    record = {"task": "t", "method": "rpl", "controller": "c"}
    policy = rpl.deploy.policy.Policy(new_learner(config, problem), problem, record)
    proposed = np.linspace(-1.0, 2.0, 301, dtype=np.float32)[:, None]
    feed = {"observation": np.zeros((301, 2), np.float32), "controller_action": proposed}
    actions = ReferenceEvaluator(_model(policy)).run(["action"], feed)[0]
    assert all(space.contains(action) for action in np.asarray(actions))


def test_a_policy_that_differs_from_its_file_is_refused(trained, tmp_path, monkeypatch) -> None:
    pytest.importorskip("onnx")
    from rpl.deploy import export

    policy = rpl.load(trained, "last")
    real = policy.residual
    monkeypatch.setattr(policy, "residual", lambda *seen: real(*seen) + 1e-3)
    path = tmp_path / "policy.onnx"
    path.write_bytes(b"good")
    with pytest.raises(rpl.errors.RunError, match=r"differ from the learner by 1\.0e-03"):
        export.export(policy, path)
    assert path.read_bytes() == b"good"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("observing", [False, True])
def test_history_and_the_paper_tasks_are_exported(observing, tmp_path) -> None:
    """A fresh learner with a random last layer, on a task of two frames."""
    pytest.importorskip("onnx")
    from rpl.deploy.export import export
    from rpl.deploy.policy import Policy

    settings = dataclasses.replace(WITHOUT_GATE.learner, hidden=(16, 16), zero_last=False)
    residual = dataclasses.replace(WITHOUT_GATE.residual, observe_controller=observing)
    config = dataclasses.replace(
        WITHOUT_GATE,
        learner=settings,
        residual=residual,
        evaluation_episodes=2,
        episodes_per_cycle=1,
        num_threads=1,
    )
    problem = make_problem("noisy-hook", "rpl", config)
    assert list(problem.seen.sizes) == [
        "observation",
        *(["base_action"] if observing else []),
        "desired_goal",
    ]
    generator, sizes = np.random.default_rng(0), problem.seen.sizes.items()
    seen = {name: generator.standard_normal((50, n)).astype(np.float32) for name, n in sizes}
    state = learner.observe(new_learner(config, problem), seen)
    record = {"task": "noisy-hook", "method": "rpl", "controller": "reactive-hook"}
    policy = Policy(state, problem, record)
    assert policy.frames == 2
    assert export(policy, tmp_path / "hook.onnx") <= 1e-5


@pytest.mark.parametrize(
    "part", ["action", "reward", "residual", "controller_action", "achieved", "wind/x"]
)
def test_a_part_of_ones_own_reaches_the_learner_and_the_exported_file(part, tmp_path) -> None:
    """Whatever its name, those of our own arrays, inputs and outputs among them."""
    pytest.importorskip("onnx")
    from rpl.deploy.export import export

    def controller(observation):
        return toys.against_the_wind({**observation, "wind": observation[part]})

    own = {"make_env": lambda: toys.Windy(part), "controller": controller}
    residual = dataclasses.replace(WITHOUT_GATE.residual, scale=1.0)
    config = dataclasses.replace(user_config(), residual=residual)
    rpl.improve(*own.values(), steps=200, out=tmp_path / "run", config=config, quiet=True)
    policy = rpl.load(tmp_path / "run", "last", **own)
    assert policy.seen.sizes == {"observation": 3, part: 1, "desired_goal": 2}
    # Its mean and spread were learned: a uniform wind in [-1, 1], between place and goal.
    assert abs(float(policy.state.normalizer.mean[3])) < 0.2
    assert float(policy.state.normalizer.std[3]) == pytest.approx(1 / np.sqrt(3), rel=0.15)
    env = toys.Windy(part)
    observation, _ = env.reset(seed=1)
    calm, windy = ({**observation, part: np.array([wind])} for wind in (0.0, 1.0))
    said = [policy.residual({k: v[None] for k, v in seen.items()}) for seen in (calm, windy)]
    assert np.abs(said[0] - said[1]).max() > 1e-4
    with pytest.raises(ValueError, match=f"the observation has no {part}"):
        policy({k: v for k, v in observation.items() if k != part})
    assert export(policy, tmp_path / "policy.onnx") <= 1e-5
    session = __import__("onnxruntime").InferenceSession(str(tmp_path / "policy.onnx"))
    ours = ("action", "residual", "controller_action")
    shown = f"observed_{part}" if part in ours else part
    widths = {entry.name: entry.shape[1] for entry in session.get_inputs()}
    assert widths == {"observation": 3, shown: 1, "desired_goal": 2, "controller_action": 2}
    assert [entry.name for entry in session.get_outputs()] == ["action", "residual"]
    deployed = load_example("deploy").Deployed(tmp_path / "policy.onnx", controller)
    for seen in (calm, windy):
        np.testing.assert_allclose(deployed(seen), policy(seen), atol=2e-5)


@pytest.mark.parametrize("part", ["base_action", "simulator_state"])
def test_a_part_with_a_name_that_means_something_else_here_is_refused(part) -> None:
    with pytest.raises(UnsuitableEnvironment, match=f"a part {part}, a name that has a meaning"):
        user_task(lambda: toys.Windy(part), EnvironmentOptions(), 1)


def test_of_a_part_of_ones_own_the_exported_file_asks_by_its_name(tmp_path) -> None:
    pytest.importorskip("onnx")
    from rpl.deploy.export import export
    from rpl.deploy.policy import Policy

    residual = dataclasses.replace(user_config().residual, observe_controller=True)
    config = dataclasses.replace(user_config(), residual=residual)
    config = dataclasses.replace(
        config, learner=dataclasses.replace(config.learner, zero_last=False)
    )
    problem = user_problem(toys.Windy, toys.against_the_wind, config, EnvironmentOptions())
    record = {"task": "toys:Windy", "method": "rpl", "controller": "toys:against_the_wind"}
    policy = Policy(new_learner(config, problem), problem, record)
    assert export(policy, tmp_path / "policy.onnx") <= 1e-5
    session = __import__("onnxruntime").InferenceSession(str(tmp_path / "policy.onnx"))
    observation, _ = GymnasiumTask(toys.Windy, 4).reset(seed=9)
    said = policy.controller.controller(observation)
    feed = {k: np.float32(observation[k]) for k in ("observation", "wind", "desired_goal")}
    feed["controller_action"] = np.float32(said)
    assert {entry.name for entry in session.get_inputs()} == feed.keys()
    acted = session.run(["action"], feed)[0]
    np.testing.assert_allclose(acted, policy(observation), atol=2e-5)
    other = session.run(["action"], {**feed, "wind": feed["wind"] + 1.0})[0]
    assert np.abs(other - acted).max() > 1e-3


def test_what_is_deployed_acts_as_the_policy(trained, tmp_path) -> None:
    pytest.importorskip("onnx")
    from rpl.deploy.export import export

    path = tmp_path / "policy.onnx"
    export(rpl.load(trained, "last"), path)
    deployed = load_example("deploy").Deployed(path, toys.Summing())
    policy = rpl.load(trained, "last")
    for seed in (2, 4):
        env = Slide()
        observation, _ = env.reset(seed=seed)
        deployed.reset()
        policy.reset()
        for _ in range(5):
            action = deployed(observation)
            np.testing.assert_allclose(action, policy(observation), atol=2e-5)
            observation = env.step(np.clip(action, -1, 3).astype(np.float32))[0]


def test_a_deployed_policy_gives_batches_where_asked_and_never_nan(
    trained_with_goals, tmp_path
) -> None:
    pytest.importorskip("onnx")
    from rpl.deploy.export import export

    path = tmp_path / "policy.onnx"
    policy = rpl.load(trained_with_goals, "last")
    export(policy, path)

    def batch(observation):
        assert observation["observation"].ndim == 2
        return toys.to_goal(observation)

    observation, _ = Reach().reset(seed=4)
    deployed = load_example("deploy").Deployed(path, batch, takes_batches=True)
    np.testing.assert_allclose(deployed(observation), policy(observation), atol=2e-5)
    lost = load_example("deploy").Deployed(path, lambda seen: np.full(2, np.nan))
    with pytest.raises(ValueError, match="the action is"):
        lost(observation)


def test_the_deployed_policy_needs_nothing_but_onnxruntime(trained, tmp_path) -> None:
    pytest.importorskip("onnx")
    from rpl.deploy.export import export

    export(rpl.load(trained, "last"), tmp_path / "policy.onnx")
    (tmp_path / "mine.py").write_text(
        "def controller(observation):\n    return -0.5 * observation[:1]\n"
    )
    command = [sys.executable, str(EXAMPLES / "deploy.py"), "policy.onnx", "mine:controller"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "imported beside NumPy and onnxruntime: nothing" in done.stdout


def test_a_registered_environment_keeps_the_render_mode_it_names() -> None:
    def make(render_mode: str = "rgb_array") -> Slide:
        assert render_mode in Slide().metadata["render_modes"]
        return Slide(render_mode=render_mode)

    gymnasium.register("KnowsNoNone-v0", make)
    try:
        assert environment_maker("KnowsNoNone-v0")().render_mode == "rgb_array"
    finally:
        del gymnasium.registry["KnowsNoNone-v0"]


def load_example(name: str):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_improving_takes_the_objects_themselves(tmp_path) -> None:
    folder = tmp_path / "run"
    policy = rpl.improve(
        lambda: Slide(limit=8),
        lambda observation: [-0.2 * observation[0]],
        steps=300,
        scale=0.4,
        out=folder,
        config=user_config(),
        quiet=True,
    )
    assert policy(np.zeros(2, np.float32)).shape == (1,)
    again = rpl.load(folder, make_env=lambda: Slide(), controller=lambda o: [-0.2 * o[0]])
    seen = np.ones((4, 2), np.float32)
    np.testing.assert_array_equal(again(seen), policy(seen))
    with pytest.raises(rpl.errors.RunError, match=r"rpl\.load\(run, make_env="):
        rpl.load(folder)


def test_a_run_of_a_scripts_controller_is_evaluated_where_its_module_is_named(
    tmp_path, capfd
) -> None:
    folder = str(tmp_path / "run")
    words = {"steps": 300, "config": user_config(), "quiet": True, "out": folder}
    rpl.improve("toys:Slide", lambda observation: toys.one(observation), **words)
    assert run(["eval", folder, "--episodes", "4"]) == 1
    assert "--controller module:controller" in capfd.readouterr().err
    assert run(["eval", folder, "--episodes", "4", "--controller", "toys:one"]) == 0
    rpl.improve(lambda: Slide(limit=8), "toys:one", **words, overwrite=True)
    assert run(["eval", folder, "--episodes", "4", "--controller", "toys:one"]) == 1
    assert "rpl.load(run, make_env=..., controller=...)" in capfd.readouterr().err


def test_improving_records_the_learner_that_learned(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for config, name in ((with_learner(user_config(), "sac"), None), (user_config(), "td3")):
        words = {"steps": 300, "config": config, "learner": name, "quiet": True}
        rpl.improve("toys:Slide", "toys:one", **words)
    for name in ("sac", "td3"):
        folder = Path("runs") / f"toys-Slide-rpl-{name}-seed0"
        record = json.loads((folder / "config.json").read_text())
        assert (record["learner"], record["preset"]) == (name, None)
        assert record["config"]["learner"].items() >= LEARNERS[name].items()


def test_a_policy_stored_as_onnx_is_a_controller(trained_with_goals, tmp_path, capfd) -> None:
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    gain = numpy_helper.from_array(np.float32([[-0.5], [0.0]]), "gain")
    seen = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2])
    acted = helper.make_tensor_value_info("a", TensorProto.FLOAT, ["n", 1])
    nodes = [helper.make_node("MatMul", ["x", "gain"], ["a"])]
    graph = helper.make_graph(nodes, "g", [seen], [acted], [gain])
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), tmp_path / "p.onnx")
    levels = []
    for name in ("toys:one", str(tmp_path / "p.onnx")):
        words = ["eval", "toys:Slide", "--controller", name, "--episodes", "4", "--json"]
        assert run(words) == 0
        levels.append(json.loads(capfd.readouterr().out)["controller"]["mean_return"])
    assert levels[0] == pytest.approx(levels[1], rel=1e-4)
    words = ["eval", "toys:Reach", "--controller", str(tmp_path / "p.onnx"), "--json"]
    assert run(words) == 1
    assert "wants an input 'x' of shape (2,)" in capfd.readouterr().err


def test_an_exported_policy_is_a_controller(tmp_path, monkeypatch, capfd) -> None:
    pytest.importorskip("onnx")
    monkeypatch.chdir(tmp_path)
    assert run(["train", "toys:Slide", "--method", "scratch", *USER_RUN, "--out", "run"]) == 0
    assert run(["export", "run", "policy.onnx"]) == 0
    capfd.readouterr()
    returns = []
    judged = ["--episodes", "4", "--json"]
    for words in (["run", "--checkpoint", "best"], ["toys:Slide", "--controller", "policy.onnx"]):
        assert run(["eval", *words, *judged]) == 0
        outcome = json.loads(capfd.readouterr().out)
        returns.append((outcome["policy"] or outcome["controller"])["mean_return"])
    assert returns[0] == pytest.approx(returns[1], rel=1e-3)


class Scaled:
    def __init__(self, gain: float = 0.1) -> None:
        self.gain = gain

    def __call__(self, observation):
        return -self.gain * observation[:1]


STRONG = Scaled(0.9)


def test_an_object_is_not_loaded_as_another_of_its_class(tmp_path) -> None:
    words = {"steps": 100, "config": user_config(), "quiet": True, "out": tmp_path / "run"}
    policy = rpl.improve("toys:Slide", Scaled(0.7), **words)
    with pytest.raises(RunError, match="is in no module"):
        rpl.load(tmp_path / "run")
    again = rpl.load(tmp_path / "run", controller=Scaled(0.7))
    observation = np.array([0.5, 0.1], np.float32)
    np.testing.assert_array_equal(policy(observation), again(observation))


def test_names_lead_back_to_their_objects_or_say_that_they_do_not() -> None:
    for source in (Scaled, STRONG, toys.one):
        assert load_object(name_of(source)) is source
    for source in (Scaled(), partial(toys.one), STRONG.__call__, lambda observation: observation):
        assert not can_be_found(name_of(source))


def test_controllers_with_memory_explore_and_are_judged_by_their_own(tmp_path) -> None:
    config = user_config()
    problem = user_problem("toys:Slide", toys.Summing, config, EnvironmentOptions())
    assert problem.metric == "return"
    assert problem.exploring_controller is not problem.controller
    twice = [
        collect(problem.evaluation_task, problem.level(), [1, 3, 5], 8).returns for _ in range(2)
    ]
    np.testing.assert_array_equal(*twice)
    reach = user_problem(
        "toys:Reach", toys.to_goal, config, EnvironmentOptions(reward_bounds=(-1.0, 0.0))
    )
    assert reach.metric == "success"
    discount = config.learner.discount
    assert reach.value_bounds == (pytest.approx(-1.0 / (1.0 - discount)), 0.0)
    assert problem.value_bounds == (-np.inf, np.inf)


def test_a_cache_of_a_custom_controller_is_a_controller(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    cache = ["cache", "toys:Slide", "slide.npz", "--controller", "toys:one", "--states", "40"]
    assert run(cache) == 0
    assert "rpl eval toys:Slide --controller slide.npz" in capsys.readouterr().out
    task = user_task(toys.Slide, EnvironmentOptions(), 3)
    visited = Cache.load(Path("slide.npz")).observation
    cached, original = (custom_controller(c, task) for c in ("slide.npz", toys.one))
    np.testing.assert_allclose(cached(visited), original(visited), atol=1e-6)
    words = ["train", "toys:Slide", "--controller", "slide.npz", "--steps", "200", "--out", "run"]
    assert run([*words, "--evaluation-episodes", "2", "--final-evaluation-episodes", "2"]) == 0
    # Five episodes of eight steps were spent on it.
    assert read_config(Path("run"))["charged_steps"] == 40
    assert run(["check", "toys:Slide", "--controller", "slide.npz"]) == 0


def test_hindsight_ends_episodes_where_the_environment_would() -> None:
    goals = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 0.2]])
    for ends, expected in ((True, [True, False, True]), (False, [False] * 3)):
        task = user_task(lambda ends=ends: toys.Reach(ends), EnvironmentOptions(), 2)
        compute_reward, compute_terminated = goal_rules(task, hindsight=0.8)
        assert compute_reward(np.zeros((3, 2)), goals, {}).tolist() == [0.0, -1.0, 0.0]
        assert compute_terminated is not None
        ended = compute_terminated(np.zeros((3, 2)), goals, {})
        assert ended.dtype == bool
        assert ended.tolist() == expected


class EndsForArrays(Reach):
    def compute_terminated(self, achieved_goal, desired_goal, info):
        return np.linalg.norm(achieved_goal - desired_goal, axis=-1) < 0.5


class LeavesItOpen(Reach):
    def step(self, action):
        observation, reward, _, *rest = super().step(action)
        return observation, reward, False, *rest

    def compute_terminated(self, achieved_goal, desired_goal, info):
        raise NotImplementedError


class NeedsMore(Reach):
    def compute_terminated(self, achieved_goal, desired_goal, info):
        return info["fell"]


class NeedsAnEpisode(Reach):
    """Its rules use what it has from its first reset on."""

    def reset(self, *, seed=None, options=None):
        self.near = 0.5
        return super().reset(seed=seed, options=options)

    def compute_terminated(self, achieved_goal, desired_goal, info):
        return np.linalg.norm(achieved_goal - desired_goal, axis=-1) < self.near


class Misspelt(Reach):
    def compute_terminated(self, achieved_goal, desired_goal, info):
        return self.neer < 1.0  # pyright: ignore[reportAttributeAccessIssue]


def test_a_rule_that_raises_is_not_taken_for_one_that_is_missing() -> None:
    rules = goal_rules(user_task(NeedsAnEpisode, EnvironmentOptions(), 1), hindsight=0.8)
    assert rules.compute_terminated is not None
    with pytest.raises(UnsuitableEnvironment, match="compute_terminated raises AttributeError"):
        goal_rules(user_task(Misspelt, EnvironmentOptions(), 1), hindsight=0.8)


def test_a_rule_for_arrays_is_asked_once_and_one_that_is_none_never() -> None:
    goals = np.array([[0.0, 0.0], [1.0, 0.0]])
    rules = goal_rules(user_task(EndsForArrays, EnvironmentOptions(), 2), hindsight=0.8)
    assert rules.compute_terminated is not None
    assert rules.compute_terminated(np.zeros((2, 2)), goals, {}).tolist() == [True, False]
    open_ended = goal_rules(user_task(LeavesItOpen, EnvironmentOptions(), 2), hindsight=0.8)
    assert open_ended.compute_terminated is None
    with pytest.raises(UnsuitableEnvironment, match="compute_terminated raises KeyError"):
        goal_rules(user_task(NeedsMore, EnvironmentOptions(), 2), hindsight=0.8)


@pytest.mark.parametrize(("residual", "times"), [(True, 9), (False, 8)])
def test_a_controller_with_a_memory_is_asked_once_a_step_in_training(residual, times) -> None:
    """As base policy about the last observation too, from which nothing is done any more."""

    class Counting:
        asked = 0

        def reset(self, mask):
            pass

        def __call__(self, observation):
            self.asked += 1
            return np.zeros((len(observation), 1))

    config = user_config()
    counting = Counting()
    problem = user_problem(Slide, counting, config, EnvironmentOptions(metric="return"), residual)
    state = new_learner(config, problem)
    for share in (0.1, 1.0):
        exploration = ExplorationConfig(noise=0.1, random=0.0, expert=share)
        policy = ExploringPolicy(state, problem, exploration, np.random.default_rng(0), 4)
        before = counting.asked
        acted = collect(problem.task, policy, [0, 2, 4, 6], 8, problem.exploring_base())
        assert acted.length.tolist() == [8] * 4
        assert counting.asked == before + times


def test_a_cycle_of_episodes_that_end_early_has_as_many_steps() -> None:
    config = user_config()
    problem = user_problem("toys:Slide", lambda observation: [3.0], config, EnvironmentOptions())
    state, progress = new_learner(config, problem), Progress()
    episodes = explore(config, problem, state, progress)
    assert (episodes.length < problem.horizon).all()
    full = config.episodes_per_cycle * problem.horizon
    assert full <= episodes.steps < full + problem.horizon
    assert progress.episodes == len(episodes) > config.episodes_per_cycle
    starts = episodes.observation["observation"][:, 0, 0]
    assert len(np.unique(starts)) == len(episodes)  # no seed twice


def test_a_residual_that_leaves_it_to_the_controller_adds_nothing() -> None:
    config = user_config()
    problem = user_problem(Slide, toys.batch, config, EnvironmentOptions(metric="return"))
    exploration = ExplorationConfig(noise=0.5, random=0.0, expert=1.0)
    policy = ExploringPolicy(
        new_learner(config, problem), problem, exploration, np.random.default_rng(0), 4
    )
    acted = collect(problem.task, policy, [0, 2, 4, 6], 8, problem.exploring_base())
    np.testing.assert_array_equal(acted.action, acted.base_action[:, :-1])
    assert acted.action.any()


def test_a_run_folder_may_have_the_name_of_an_environment(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("runs/try-v2")
    folder.mkdir(parents=True)
    record = {"task": "slippery-push", "method": "rpl", "controller": "reactive-push"}
    (folder / "config.json").write_text(json.dumps(record))
    assert named_spec(Request("runs/try-v2")).task.name == "slippery-push"
    assert named_by(["train", "--out", "runs/try-v3", "push"]).task.name == "push"
    assert first_parse(["train", "Pendulum-v1"], FirstOptions).task_name == "Pendulum-v1"


def test_each_method_keeps_its_settings_on_a_user_environment() -> None:
    def config_of(*words):
        arguments = ["train", "toys:Slide", "--controller", "toys:batch", *words]
        return spec_for(arguments).config

    assert not config_of().burn_in.is_none
    scratch = config_of("--method", "scratch")
    assert scratch.burn_in.is_none
    # The method's target networks, paced like the preset's for the updates of a cycle.
    per_cycle = scratch.learner.updates_per_cycle / WITHOUT_GATE.learner.updates_per_cycle
    polyak = dict(METHODS["scratch"].learner)["polyak"]
    assert polyak != FAST.learner.polyak
    assert scratch.learner.polyak == pytest.approx(polyak**per_cycle)
    paper = config_of("--preset", "paper")
    assert (paper.learner.action_l2, paper.burn_in.rule, paper.residual) == (
        PAPER.learner.action_l2,
        PAPER.burn_in.rule,
        PAPER.residual,
    )


@pytest.mark.parametrize("task", ["toys:Slide", "toys:Reach"])
def test_a_users_environment_is_learned_with_the_gate_unless_it_is_asked_not_to(task) -> None:
    config = spec_for(["train", task, "--controller", "toys:to_goal"]).config
    assert config.learner.gate
    assert (config.learner.pessimism, config.learner.trusted_pessimism) == (2.0, 1.0)
    ungated = spec_for(["train", task, "--controller", "toys:to_goal", "--preset", "ungated"])
    assert not ungated.config.learner.gate
    assert (ungated.config.replay.n_step, ungated.config.exploration.hold) == (1, 1.0)


@pytest.mark.parametrize("horizon", [8, 50, 1000])
def test_the_rhythm_fits_the_episodes_length(horizon) -> None:
    config = config_for_horizon(FAST, horizon)
    steps = config.episodes_per_cycle * horizon
    # As many steps a cycle as the preset's episodes have, or one long episode.
    assert steps == pytest.approx(max(FAST.episodes_per_cycle * 50, horizon), abs=horizon / 2)
    assert config.learner.updates_per_cycle == steps // 4
    per_update = config.learner.polyak ** (1 / config.learner.updates_per_cycle)
    assert per_update == pytest.approx(FAST.learner.polyak ** (1 / FAST.learner.updates_per_cycle))
    # Rewards are summed over as many steps more as disturbances stay, as far as values see.
    assert config.replay.n_step == max(round(FAST.replay.n_step * min(horizon, 100) / 50), 1)
    assert config.exploration.hold == max(FAST.exploration.hold * min(horizon, 100) / 50, 1.0)
    together = config_for_horizon(FAST, horizon, processes=3).episodes_per_cycle
    assert together % 3 == 0
    assert 0 <= together - config.episodes_per_cycle < 3


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["toys:Slide"], "toys:Slide has no controller of its own: name yours with --controller"),
        (["Pendulum-v1", "--controller", "reactive-push"], "is a controller for push"),
        (["toys:Nothing", "--controller", "toys:one"], "toys has no 'Nothing'"),
        (["Pendulum-v1", "--controller", "toys:nobody"], "toys has no 'nobody'"),
        (["toys:Slide", "--task.processes", "0"], "processes must be between 1 and 1024, not 0"),
        (["toys:Slide", "--task.max-episode-steps", "0"], "max_episode_steps must be at least 1"),
    ],
)
def test_what_is_missing_is_one_sentence(words, sentence, capfd, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["train", *words]) == 2
    error = capfd.readouterr().err.strip()
    assert sentence in error
    assert len(error.splitlines()) == 1


def test_importing_the_package_does_not_import_the_learner() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import rpl, sys; print('jax' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"


class Sensors(gymnasium.Env):
    """Observes a vector, a place among three, and rows of numbers; all in parts of parts."""

    max_episode_steps = 5

    def __init__(self):
        box = gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float32)
        rows = gymnasium.spaces.Box(-1.0, 1.0, (2, 3))
        place = gymnasium.spaces.Discrete(3, start=2)
        self.observation_space = gymnasium.spaces.Dict(
            {"robot": gymnasium.spaces.Dict({"state": box, "place": place}), "observation": rows}
        )
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        if seed is not None:
            self.observation_space.seed(seed)
        return self.observation_space.sample(), {}

    def step(self, action):
        return self.observation_space.sample(), 0.0, False, False, {}


def to_the_state(observation):
    return -0.5 * observation["robot"]["state"]


def coded(observation):
    return np.concatenate([observation["robot"]["state"] ** 2, observation["observation"][0]])


@pytest.mark.parametrize("observe", [None, "observation,robot.state", "coded"])
def test_what_is_deployed_sees_the_choice_that_was_learned_from(
    observe, tmp_path, workplace, monkeypatch
) -> None:
    pytest.importorskip("onnx")
    from rpl.deploy.export import export
    from rpl.deploy.policy import Policy

    monkeypatch.setattr(toys, "coded", coded, raising=False)
    function = observe == "coded"
    options = EnvironmentOptions(observe="toys:coded" if function else observe)
    config = user_config()
    learner = dataclasses.replace(config.learner, zero_last=False)
    config = dataclasses.replace(config, learner=learner)
    problem = user_problem(Sensors, to_the_state, config, options)
    record = {"task": "t", "method": "rpl", "controller": "c"}
    record |= {"task_options": {"observe": options.observe}}
    policy = Policy(new_learner(config, problem), problem, record)
    path = tmp_path / "policy.onnx"
    export(policy, path)
    made = load_example("deploy").Deployed
    if function:
        with pytest.raises(TypeError, match="what toys:coded makes of an observation"):
            made(path, to_the_state)
    deployed = made(path, to_the_state, observe=coded if function else None)
    env = Sensors()
    for seed in range(5):
        observation, _ = env.reset(seed=seed)
        np.testing.assert_allclose(deployed(observation), policy(observation), atol=2e-5)


def test_a_method_of_an_object_is_deployed_with_its_memory(trained, tmp_path) -> None:
    pytest.importorskip("onnx")
    from rpl.deploy.export import export

    path = tmp_path / "policy.onnx"
    export(rpl.load(trained, "last"), path)
    summing = toys.Summing()
    deployed = load_example("deploy").Deployed(path, summing.__call__)
    summing.sum = 100.0
    deployed.reset()
    np.testing.assert_array_equal(
        deployed(np.zeros(2)), load_example("deploy").Deployed(path, toys.Summing())(np.zeros(2))
    )


def test_a_rule_that_takes_other_arguments_is_said_as_such() -> None:
    class Reach(toys.Reach):
        def compute_reward(self, achieved_goal, desired_goal):
            return 0.0

    with pytest.raises(UnsuitableEnvironment, match=r"cannot be called with \(achieved_goal, "):
        goal_rules(GymnasiumTask(Reach, 1), 0.8)
