"""Nobody acts on what is not a number: the policy in Python, and the class for a robot."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import toys
from rpl.deploy.policy import NotFinite, Policy
from rpl.registry.custom import user_problem
from rpl.registry.names import EnvironmentOptions
from rpl.runs.session import new_learner
from small import user_config

BAD = [np.nan, np.inf, -np.inf, 1e300]
PARTS = ("observation", "achieved_goal", "desired_goal")
EXAMPLE = Path(__file__).parents[2] / "examples" / "deploy.py"


def seen(part: str | None = None, bad: float = 0.0) -> dict[str, np.ndarray]:
    observation = {name: np.ones(3 if name == "observation" else 2) for name in PARTS}
    if part is not None:
        observation[part][1] = bad
    return observation


def policy_with(controller: Any) -> Policy:
    config = user_config()
    problem = user_problem(toys.Reach, controller, config, EnvironmentOptions())
    record = {"task": "toys:Reach", "method": "rpl", "controller": "c"}
    return Policy(new_learner(config, problem), problem, record)


@pytest.fixture(scope="module")
def policy() -> Policy:
    return policy_with(toys.to_goal)


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("part", PARTS)
def test_a_policy_refuses_an_observation_that_is_not_finite(part, bad, policy) -> None:
    assert np.isfinite(policy(seen())).all()
    with pytest.raises(NotFinite, match=rf"{part} is not finite, \[0\]\[1\] is"):
        policy(seen(part, bad))
    batch = {
        name: np.stack([x, y])
        for (name, x), y in zip(seen().items(), seen(part, bad).values(), strict=True)
    }
    with pytest.raises(ValueError, match="not finite"):
        policy(batch)
    with pytest.raises(ValueError, match="not finite"):
        policy.residual(batch)


@pytest.mark.parametrize("bad", BAD[:3])
def test_a_policy_refuses_a_controllers_action_that_is_not_finite(bad, policy) -> None:
    broken = []
    acting = policy_with(lambda observation: np.full(2, bad) if broken else np.zeros(2))
    broken.append(True)
    with pytest.raises(ValueError, match="finite"):
        acting(seen())
    with pytest.raises(ValueError, match="controller's action is not finite"):
        policy.combine(np.full((1, 2), bad), np.zeros((1, 2)))


def test_a_policy_returns_no_action_that_is_not_finite(policy, monkeypatch) -> None:
    monkeypatch.setattr(policy, "_whole", lambda observation: np.full((1, 2), np.nan))
    with pytest.raises(NotFinite, match="the action is not finite"):
        policy(seen())


@pytest.fixture(scope="module")
def deployed_with(policy, tmp_path_factory):
    pytest.importorskip("onnx")
    from rpl.deploy.export import export

    path = tmp_path_factory.mktemp("exported") / "policy.onnx"
    export(policy, path)
    spec = importlib.util.spec_from_file_location("deploy_example", EXAMPLE)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    return lambda controller: example.Deployed(path, controller)


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("part", PARTS)
def test_the_robots_class_refuses_an_observation_that_is_not_finite(part, bad, deployed_with):
    asked = []
    deployed = deployed_with(lambda observation: asked.append(1) or np.zeros(2))
    with pytest.raises(ValueError, match=f"the {part} is"), np.errstate(over="ignore"):
        deployed(seen(part, bad))
    assert not asked
    assert deployed.frames == []
    assert np.isfinite(deployed(seen())).all()


@pytest.mark.parametrize("bad", BAD)
def test_the_robots_class_refuses_a_controllers_action_that_is_not_finite(bad, deployed_with):
    deployed = deployed_with(lambda observation: np.array([0.0, bad]))
    with (
        pytest.raises(ValueError, match=r"the action is .* of the controller"),
        np.errstate(over="ignore"),
    ):
        deployed(seen())


def test_the_robots_class_takes_a_pair_and_an_object_that_predicts(deployed_with):
    plain = deployed_with(lambda observation: np.array([0.3, -0.2]))(seen())
    pair = deployed_with(lambda observation: (np.array([0.3, -0.2]), {"state": 1}))
    model = SimpleNamespace(predict=lambda observation: (np.array([0.3, -0.2]), None))
    for deployed in (pair, deployed_with(model)):
        np.testing.assert_array_equal(deployed(seen()), plain)


def test_the_robots_class_says_what_it_cannot_do(deployed_with):
    with pytest.raises(TypeError, match="cannot be called: give its method"):
        deployed_with(SimpleNamespace(step=lambda observation: np.zeros(2)))
    with pytest.raises(ValueError, match=r"returned shape \(3, 2\), and one action has 2"):
        deployed_with(lambda observation: np.zeros((3, 2)))(seen())
    with pytest.raises(ValueError, match="observation has parts: the file takes the vector"):
        deployed_with(lambda observation: np.zeros(2))(seen() | {"observation": {"x": 1.0}})
