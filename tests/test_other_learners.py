"""Other people's learners act in the registered environments and in a residual around them."""

import functools
import runpy
import sys
from pathlib import Path

import gymnasium
import jax
import numpy as np
import pytest

import rpl
import small
from rpl.controllers.adapt import adapt
from rpl.errors import Failure
from rpl.registry.names import controller_source
from rpl.tasks.gym.task import GymnasiumTask

sb3 = pytest.importorskip("stable_baselines3", reason="pip install -e '.[sb3]'")
torch = pytest.importorskip("torch")

EXAMPLE = Path(__file__).parent.parent / "examples" / "residual_with_sb3.py"
OFF_POLICY = {"learning_starts": 60, "batch_size": 16, "train_freq": 50, "gradient_steps": 4}


@pytest.fixture
def residual():
    task = gymnasium.make("rpl/SlipperyPush-v0", physics="lean")
    yield rpl.ResidualWrapper(task, rpl.controllers.ReactivePush(task.unwrapped.layout), scale=0.5)
    task.close()


@pytest.fixture
def flat():
    """A residual for libraries that take nothing but one array."""

    task = gymnasium.make("rpl/SlipperyPush-v0", physics="lean")
    of_parts = rpl.controllers.ReactivePush(task.unwrapped.layout)

    def controller(row: np.ndarray) -> np.ndarray:
        parts = gymnasium.spaces.unflatten(task.observation_space, row)
        return of_parts({name: part[None] for name, part in parts.items()})[0]

    flattened = gymnasium.wrappers.FlattenObservation(task)
    yield rpl.ResidualWrapper(flattened, rpl.per_env(controller), scale=0.5)
    task.close()


@pytest.mark.parametrize("name", ["SAC", "TD3"])
def test_off_policy_learners_of_sb3_learn_with_hindsight(residual, name) -> None:
    model = getattr(sb3, name)(
        "MultiInputPolicy",
        residual,
        replay_buffer_class=sb3.HerReplayBuffer,
        seed=0,
        policy_kwargs=small_nets(),
        **OFF_POLICY,
    )
    before = parameters(model)
    model.learn(150)
    assert model.num_timesteps >= 150
    assert changed(before, parameters(model))


@pytest.mark.parametrize("wrapped", [True, False])
def test_ppo_of_sb3_learns_the_residual_and_the_bare_task(residual, wrapped) -> None:
    environment = residual if wrapped else residual.env
    model = sb3.PPO(
        "MultiInputPolicy",
        environment,
        n_steps=64,
        batch_size=32,
        seed=0,
        policy_kwargs=small_nets(),
    )
    before = parameters(model)
    model.learn(128)
    assert changed(before, parameters(model))


def test_sb3s_own_checks_find_nothing_wrong(residual) -> None:
    from stable_baselines3.common.env_checker import check_env

    check_env(residual)
    check_env(residual.unwrapped)


def test_a_jax_library_learns_the_residual(flat) -> None:
    sbx = pytest.importorskip("sbx", reason="pip install sbx-rl")
    model = sbx.SAC("MlpPolicy", flat, seed=0, policy_kwargs=small_nets(), **OFF_POLICY)
    before = [np.array(leaf) for leaf in jax.tree.leaves(model.policy.qf_state.params)]
    model.learn(150)
    assert changed(before, jax.tree.leaves(model.policy.qf_state.params))


@pytest.mark.parametrize(("burn_in", "moved"), [(10_000, False), (400, True)])
def test_the_example_starts_at_its_controller_and_burns_the_critic_in(
    burn_in, moved, monkeypatch, capsys
) -> None:
    words = f"example --steps 800 --episodes 2 --burn-in {burn_in}".split()
    monkeypatch.setattr(sys, "argv", words)
    model = runpy.run_path(str(EXAMPLE))["model"]
    last_layer = model.actor.mu[-2].weight.detach().numpy()
    assert np.any(last_layer != 0.0) == moved
    assert model.critic.optimizer.state  # the critic learned in any case
    controller, learned = (line.split(": ")[1] for line in capsys.readouterr().out.splitlines())
    if not moved:
        assert controller == learned


def test_the_example_is_short() -> None:
    assert len(EXAMPLE.read_text().splitlines()) < 60


def small_nets() -> dict:
    return {"net_arch": [16]}  # a new one each time: SB3 writes into it


def parameters(model) -> list[np.ndarray]:
    return [p.detach().numpy().copy() for p in model.policy.parameters()]


def changed(before, after) -> bool:
    return any(np.any(a != b) for a, b in zip(before, after, strict=True))


class Linear(torch.nn.Module):
    """Pendulum: a torque from the angular velocity, with a layer that acts otherwise in training.

    Keeps how often it was asked since reset().
    """

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(3, 1, bias=False)
        self.layer.weight.data = torch.tensor([[0.0, 0.0, -0.3]])
        self.dropout = torch.nn.Dropout()
        if kind != "forward":
            setattr(self, kind, self.answer)
            self.forward = None

    def answer(self, observation):
        assert observation.dtype == torch.float32
        return self.dropout(self.layer(observation))

    forward = answer


@pytest.mark.parametrize("kind", ["forward", "get_action", "select_action", "act_inference"])
def test_a_network_of_torch_is_a_controller(kind) -> None:
    task = GymnasiumTask(lambda: gymnasium.make("Pendulum-v1"), 3)
    observation, _ = task.reset(seed=0)
    action = task.from_unit(adapt(Linear(kind), task)(observation))
    np.testing.assert_allclose(action, -0.3 * observation[:, 2:], rtol=1e-5)


class Remembering(Linear):
    """The same with a queue of what it saw, as diffusion policies have, for batches of one."""

    def reset(self):
        self.queue = []

    def forward(self, observation):
        assert observation.shape == (1, 3)
        self.queue.append(observation)
        return self.answer(sum(self.queue))


def test_a_network_with_a_queue_has_one_for_each_environment_and_its_weights_once() -> None:
    task = GymnasiumTask(lambda: gymnasium.make("Pendulum-v1"), 3)
    network = Remembering("forward")
    controller = adapt(network, task)
    first, _ = task.reset(seed=0)
    controller.reset(np.ones(3, bool))
    controller(first)
    action = task.from_unit(controller(first))
    np.testing.assert_allclose(action, np.clip(-0.6 * first[:, 2:], -2, 2), rtol=1e-5)
    copies = controller.controller.controllers
    weights = {id(c._controller._act.network.layer.weight) for c in copies}
    assert weights == {id(network.layer.weight)}


@pytest.mark.parametrize("name", ["PPO", "A2C", "SAC", "TD3"])
def test_a_model_acts_as_its_file_does_and_as_its_mean(name, tmp_path) -> None:
    task = GymnasiumTask(lambda: gymnasium.make("Pendulum-v1"), 3)
    model = getattr(sb3, name)("MlpPolicy", gymnasium.make("Pendulum-v1"), device="cpu", seed=1)
    model.save(tmp_path / "model.zip")
    observation, _ = task.reset(seed=0)
    expected, _ = model.predict(observation, deterministic=True)
    for source in (model, model.policy, model.predict, controller_source(tmp_path / "model.zip")):
        action = task.from_unit(adapt(source, task)(observation))
        np.testing.assert_allclose(action, expected, rtol=1e-5, atol=1e-6)


def test_the_example_clones_demonstrations_and_improves_the_clone(
    workplace, monkeypatch, capfd
) -> None:
    """In small: a clone in PyTorch that plans chunks, the demonstrations as prior data, a film."""
    small_run = functools.partial(rpl.improve, config=small.user_config(50))
    monkeypatch.setattr(rpl, "improve", small_run)
    words = "clone.py --demonstrations 4 --epochs 2 --steps 800 --episodes 2 --filmed 1"
    monkeypatch.setattr(sys, "argv", words.split())
    try:
        runpy.run_path(str(EXAMPLE.with_name("clone.py")), run_name="__main__")
    except Failure as error:
        if "no picture can be drawn here" not in str(error):
            raise
    said = " ".join(capfd.readouterr().out.split())
    assert "demonstrations.npz: 4 episodes, 200 transitions" in said
    for name in ("demonstrator", "clone", "clone + residual"):
        assert f"{name} success" in said
    kept = np.load(workplace / "runs/demonstrations.npz")
    assert kept["actions"].shape == (200, 4)
