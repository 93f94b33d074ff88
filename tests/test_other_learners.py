"""Other people's learners act in the registered environments and in a residual around them."""

import runpy
import sys
from pathlib import Path

import gymnasium
import jax
import numpy as np
import pytest

import rpl

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
