"""A gate in an exported file: it lets through what the learner lets through, in its own numbers."""

from dataclasses import replace
from pathlib import Path

import equinox as eqx
import gymnasium
import jax.numpy as jnp
import numpy as np
import pytest

import toys
from rpl import learner
from rpl.deploy.policy import Policy
from rpl.presets import FAST
from rpl.registry.builtin import make_problem
from rpl.registry.custom import user_problem
from rpl.registry.names import EnvironmentOptions
from rpl.runs.session import new_learner
from small import user_config

pytest.importorskip("onnx")

GATED = {
    "gate": True,
    "critics": 3,
    "layer_norm": True,
    "critic_hidden": (8, 8),
    "hidden": (8,),
    "act_by_target": False,
}
RESIDUAL = replace(FAST.residual, observe_controller=True, critic_input="sum", scale=0.5)


def gated_config(**changes):
    settings = replace(FAST.learner, zero_last=False, **(GATED | changes))
    return replace(
        FAST,
        learner=settings,
        residual=RESIDUAL,
        evaluation_episodes=2,
        episodes_per_cycle=1,
        num_threads=1,
    )


def a_policy(config) -> Policy:
    """Of two frames, as it was never trained, on inputs of a certain mean and spread."""
    problem = make_problem("noisy-hook", "rpl", config)
    generator, sizes = np.random.default_rng(0), problem.seen.sizes.items()
    seen = {name: generator.standard_normal((50, n)).astype(np.float32) for name, n in sizes}
    state = learner.observe(new_learner(config, problem), seen)
    record = {"task": "noisy-hook", "method": "rpl", "controller": "reactive-hook"}
    return Policy(state, problem, record)


def run_file(path: Path, policy: Policy, observation, given) -> list[np.ndarray]:
    session = __import__("onnxruntime").InferenceSession(str(path))
    feed = {name: np.float32(observation[name]) for name in policy.widths}
    return session.run(None, {**feed, "controller_action": np.float32(given)})


@pytest.mark.parametrize("gated", [True, False])
def test_components_with_two_values_are_executed_as_the_learner_executes_them(
    gated, tmp_path
) -> None:
    from rpl.deploy.export import export

    config = gated_config(gate=gated, aggregate="mean")
    two_valued = replace(RESIDUAL, scale=(0.5, 0.5, 0.5, 2.0), two_valued=(3,))
    policy = a_policy(replace(config, residual=two_valued))
    state = eqx.tree_at(
        lambda s: [c.network.weights[-1] for c in (s.actor, s.target_actor)],
        policy.state,
        replace_fn=lambda weights: 5.0 * weights,
    )
    policy = Policy(state, policy.problem, {"task": "", "method": "", "controller": ""})
    assert export(policy, tmp_path / "hook.onnx") <= 1e-5
    generator = np.random.default_rng(5)
    observation = policy.random_observations(400, generator)
    given = generator.uniform(-1.0, 1.0, (400, 4))
    given[:, 3] = np.sign(given[:, 3])
    action, residual, *_ = run_file(tmp_path / "hook.onnx", policy, observation, given)
    assert 0.05 < (action[:, 3] != given[:, 3]).mean() < 0.95  # else this shows nothing
    np.testing.assert_array_equal(action[:, 3], np.sign(given[:, 3] + 2.0 * residual[:, 3]))


@pytest.mark.parametrize(
    "changes",
    [
        {"aggregate": "first"},
        {"aggregate": "least"},
        {"aggregate": "mean"},
        {"aggregate": "bound", "pessimism": 0.3},
        {"aggregate": "bound", "pessimism": 0.3, "act_by_target": True},
        {"aggregate": "mean", "average_frames": False},
    ],
    ids=str,
)
def test_the_file_lets_through_what_the_learner_does(changes, tmp_path) -> None:
    from rpl.deploy.export import export

    policy = a_policy(gated_config(**changes))
    assert export(policy, tmp_path / "hook.onnx") <= 1e-5
    generator = np.random.default_rng(5)
    observation = policy.random_observations(400, generator)
    given = generator.uniform(-1.0, 1.0, (400, 4))
    action, residual, advantage = run_file(tmp_path / "hook.onnx", policy, observation, given)
    expected = policy.advantage(observation, given)
    np.testing.assert_allclose(advantage[:, 0], expected, atol=1e-4)
    through = advantage[:, 0] > 0.0
    assert 0.05 < through.mean() < 0.95  # else this shows nothing
    assert not residual[~through].any()
    assert residual[through].all()
    np.testing.assert_array_equal(action[~through], np.float32(given)[~through])


def test_with_critics_that_prefer_nothing_the_file_is_the_controller_bit_for_bit(tmp_path) -> None:
    from rpl.deploy.export import export

    policy = a_policy(gated_config(aggregate="bound", act_by_target=True))
    policy.state = eqx.tree_at(
        lambda s: [m.network.weights[-1] for c in (s.critic, s.target_critic) for m in c.members],
        policy.state,
        replace_fn=jnp.zeros_like,
    )
    export(Policy(policy.state, policy.problem, {"task": "", "method": "", "controller": ""}),
           tmp_path / "hook.onnx")  # fmt: skip
    observation = policy.random_observations(100, np.random.default_rng(5))
    given = np.random.default_rng(6).uniform(-1.3, 1.3, (100, 4))
    action, residual, advantage = run_file(tmp_path / "hook.onnx", policy, observation, given)
    assert not residual.any()
    assert (advantage <= 0.0).all()
    np.testing.assert_array_equal(action, np.clip(np.float32(given), -1.0, 1.0))


def test_with_critics_that_prefer_nothing_the_policy_in_python_is_its_controller() -> None:
    """In an environment with units of its own, whose actions are in [-1, 3]."""
    plain = user_config()
    config = replace(
        plain,
        residual=RESIDUAL,
        learner=replace(plain.learner, zero_last=False, **GATED, aggregate="least"),
    )
    problem = user_problem(toys.Slide, toys.one, config, EnvironmentOptions())
    state = new_learner(config, problem)
    record = {"task": "toys:Slide", "method": "rpl", "controller": "toys:one"}
    observations = np.random.default_rng(0).uniform(-4, 4, (200, 2)).astype(np.float32)
    acting = Policy(state, problem, record)(observations)
    indifferent = eqx.tree_at(
        lambda s: [m.network.weights[-1] for m in s.critic.members],
        state,
        replace_fn=jnp.zeros_like,
    )
    expected = np.clip(np.array([toys.one(one) for one in observations]), -1.0, 3.0)
    assert np.abs(acting - expected).max() > 1e-3
    deployed = Policy(indifferent, problem, record)(observations)
    np.testing.assert_array_equal(deployed, expected.astype(np.float32))


def test_whole_numbers_are_rounded_as_in_evaluation_deployed_and_exported(tmp_path) -> None:
    from rpl.deploy.export import export

    class Whole(toys.Slide):
        def __init__(self) -> None:
            super().__init__()
            self.action_space = gymnasium.spaces.Box(-3, 3, (1,), np.int32)

    config = replace(user_config(), residual=replace(RESIDUAL, scale=0.0))
    problem = user_problem(Whole, lambda seen: [-1.3 * seen[0]], config, EnvironmentOptions())
    record = {"task": "", "method": "rpl", "controller": ""}
    policy = Policy(new_learner(config, problem), problem, record)
    export(policy, tmp_path / "whole.onnx")
    seen = np.random.default_rng(0).uniform(-4.0, 4.0, (200, 2)).astype(np.float32)
    given = -1.3 * seen[:, :1]
    expected = np.clip(np.rint(given), -3, 3)
    np.testing.assert_array_equal(policy(seen), expected)
    session = __import__("onnxruntime").InferenceSession(str(tmp_path / "whole.onnx"))
    feed = {"observation": seen, "controller_action": given}
    names = [one.name for one in session.get_inputs()]
    np.testing.assert_array_equal(session.run(None, {n: feed[n] for n in names})[0], expected)
    task = problem.evaluation_task.unwrapped
    np.testing.assert_array_equal(task.from_unit(task.to_unit(given)), expected)
