"""A policy as one ONNX file: normalisers, actor, gate, the sum with the controller, its clips."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rpl.controllers.onnx_policy import open_session
from rpl.deploy.gate import add_gate, add_sum
from rpl.deploy.graph import Graph
from rpl.deploy.policy import Policy
from rpl.errors import RunError, whole_file
from rpl.observations import BASE_ACTION, OBSERVATION, Observation

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 17
IR_VERSION = 9  # read by every onnxruntime since 1.17
TOLERANCE = 1e-5
ADVANTAGE_TOLERANCE = 1e-3  # differences of values that may be a hundred times as large
CONTROLLER_ACTION, ACTION, RESIDUAL = "controller_action", "action", "residual"
ADVANTAGE = "advantage"
NAMES = (CONTROLLER_ACTION, ACTION, RESIDUAL, ADVANTAGE)


def export(policy: Policy, path: Path) -> float:
    """Writes the policy, once it has given the learner's own answers; else an older file stays.

    The file's inputs are the parts of an observation that the learner sees, each (n, size):
    ``observation``, and for tasks with goals ``desired_goal``; for a residual also
    ``controller_action`` (n, action_dim). Its outputs are ``action`` and ``residual``,
    (n, action_dim), and for a policy with a gate ``advantage`` (n, 1), what its critics are sure
    of: the residual is zero, and the action the controller's, where that is not above zero. A
    part of one's own with one of these names is the input ``observed_<name>``. All are float32;
    actions are in the environment's units. Its metadata say the bounds, the scale, the number of
    frames that an observation holds, and what ``observation`` is made of where the learner was
    shown a choice of what the environment observes.

    Args:
        policy: from ``rpl.load``.
        path: the file.

    Returns:
        The largest difference from the learner found, on random and on real observations.

    Raises:
        RunError: if onnx is missing, the file and the learner differ by more than 1e-5, or it
            cannot be written.
    """
    try:
        import onnx
    except ImportError as error:
        raise RunError("an export needs onnx: pip install -e '.[export]'") from error
    model = _model(policy)
    onnx.checker.check_model(model, full_check=True)
    with whole_file(Path(path)) as beside:
        onnx.save(model, str(beside))
        difference = largest_difference(policy, beside)
        if not difference <= TOLERANCE:
            raise RunError(
                f"{path} is not written: it would differ from the learner by {difference:.1e}, "
                f"more than {TOLERANCE:.0e}; report this run's config.json"
            )
    return difference


def input_name(part: str) -> str:
    """What the file calls a part of an observation."""
    return f"observed_{part}" if part in NAMES else part


def _model(policy: Policy) -> ModelProto:
    from onnx import TensorProto, helper

    action_size = len(policy.action_low)
    widths = {input_name(part): width for part, width in policy.widths.items()}
    widths |= {CONTROLLER_ACTION: action_size} if policy.is_residual else {}
    graph = Graph()
    base = _base(graph, policy) if policy.is_residual else None
    frames = _network_inputs(graph, policy, base)
    residual = _actor(graph, policy, frames)
    outputs = {ACTION: action_size, RESIDUAL: action_size}
    if policy.state.gate is not None and base is not None:
        is_open = add_gate(graph, policy, frames, base, residual)
        zero = graph.constant(np.zeros(action_size))
        graph.add("Where", is_open, residual, zero, to=RESIDUAL)
        _action(graph, policy, _sum(graph, policy, base, RESIDUAL), is_open)
        outputs[ADVANTAGE] = 1
    else:
        graph.add("Identity", residual, to=RESIDUAL)
        _action(graph, policy, _sum(graph, policy, base, RESIDUAL))
    floats = TensorProto.FLOAT
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "policy",
            [helper.make_tensor_value_info(k, floats, ["n", w]) for k, w in widths.items()],
            [helper.make_tensor_value_info(k, floats, ["n", w]) for k, w in outputs.items()],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="rpl",
    )
    helper.set_model_props(model, {k: json.dumps(v) for k, v in metadata(policy).items()})
    return model


def metadata(policy: Policy) -> dict[str, object]:
    """What whoever runs the file should know; each value is stored as JSON."""
    return {
        "task": policy.task_name,
        "method": policy.method,
        "controller": policy.controller_name,
        "frames": policy.frames,
        "observed": policy.observed,
        "action_low": policy.action_low.tolist(),
        "action_high": policy.action_high.tolist(),
        "residual_scale": np.broadcast_to(policy.scale, policy.action_low.shape).tolist(),
    }


def _base(graph: Graph, policy: Policy) -> str:
    """``Policy.to_unit`` of the controller's action."""
    middle, reach = map(graph.constant, policy.middle_and_reach)
    base = graph.add("Div", graph.add("Sub", CONTROLLER_ACTION, middle), reach)
    assert policy.base is not None
    return graph.clip(base, 1.0) if policy.base.clip else base


def _network_inputs(graph: Graph, policy: Policy, base: str | None) -> list[str]:
    """What the networks see, normalised, once for each frame of a history."""
    state, sizes = policy.state, policy.seen.sizes
    names = [base if name == BASE_ACTION and base else input_name(name) for name in sizes]
    shown = names[0] if len(names) == 1 else graph.add("Concat", *names, axis=1)
    shown = graph.normalized(shown, state.normalizer)
    number, size = state.actor.frames.number, sizes[OBSERVATION]
    if number == 1:
        return [shown]
    beside = graph.columns(shown, size, policy.seen.width)
    return [
        graph.add("Concat", graph.columns(shown, *ends), beside, axis=1)
        for ends in pairwise(range(0, size + 1, size // number))
    ]


def _actor(graph: Graph, policy: Policy, frames: list[str]) -> str:
    """f(s, g), over a history the mean of what the network says of each frame."""
    actor, _ = policy.state.acting
    outputs = [graph.mlp(x, actor.network, len(policy.action_low)) for x in frames]
    return actor.to_onnx(graph, outputs)


def _sum(graph: Graph, policy: Policy, base: str | None, residual: str) -> str:
    """``rpl.residual.combine``."""
    if base is None:
        return graph.clip(residual, 1.0)
    return add_sum(graph, policy, base, residual)


def _action(graph: Graph, policy: Policy, unit: str, is_open: str | None = None) -> None:
    """To the environment's units; the controller's own where the gate is closed."""
    middle, reach = map(graph.constant, policy.middle_and_reach)
    action = graph.add("Add", graph.add("Mul", unit, reach), middle)
    if is_open is not None:
        action = graph.add("Where", is_open, action, CONTROLLER_ACTION)
    # Rounding must not lead out of the action space.
    low, high = graph.constant(policy.action_low), graph.constant(policy.action_high)
    inside = graph.add("Max", action, low)
    if policy.is_whole:
        inside = graph.add("Round", inside)
    graph.add("Min", inside, high, to=ACTION)


def largest_difference(policy: Policy, path: Path) -> float:
    """Between the file and the learner, in halves of the action range."""
    session = open_session(path)
    generator = np.random.default_rng(0)
    middle, reach = policy.middle_and_reach
    worst = 0.0
    for observation in (policy.random_observations(1000, generator), *policy.real_observations()):
        plain = not isinstance(observation, Mapping)
        parts = {OBSERVATION: observation} if plain else dict(observation)
        count = len(parts[OBSERVATION])
        given = middle + reach * generator.uniform(-1.5, 1.5, (count, len(reach)))
        feed = {**{input_name(k): v for k, v in parts.items()}, CONTROLLER_ACTION: given}
        names = [entry.name for entry in session.get_inputs()]
        inputs = {name: np.asarray(feed[name], np.float32) for name in names}
        action, residual, *advantage = map(np.asarray, session.run(None, inputs))
        base_action = policy.to_unit(given)
        expected = policy.residual(observation, base_action)
        alike = _is_decided(policy, observation, base_action)
        if advantage:
            learners = policy.advantage(observation, given)
            tolerance = _rounding(advantage[0][alike, 0], learners[alike])
            both = residual.any(axis=1) == expected.any(axis=1)
            alike &= both | (np.abs(learners) > tolerance)
        action, residual, given, expected = (
            part[alike] for part in (action, residual, given, expected)
        )
        worst = max(worst, np.abs(residual - expected).max(initial=0.0))
        off = np.abs((action - policy.combine(given, expected)) / reach)
        if policy.is_whole:
            off[_is_halfway(policy, policy.executed(given, expected))] = 0.0
        worst = max(worst, off.max(initial=0.0))
    return float(worst)


def _is_decided(policy: Policy, observation: Observation, base_action: np.ndarray) -> np.ndarray:
    """Where no rounding decides on which side of the middle a sum with two values is, (n,) bool."""
    actor, _ = policy.state.acting
    said = actor(policy.state.network_input(policy.seen(observation, base_action)))
    total = base_action + policy.scale * np.asarray(said)
    two_valued = total[:, list(policy.problem.two_valued)]
    return np.asarray((np.abs(two_valued) > TOLERANCE).all(axis=1))


def _is_halfway(policy: Policy, executed: np.ndarray) -> np.ndarray:
    """Where the last bit decides which whole number an action is rounded to, bool."""
    middle, reach = policy.middle_and_reach
    action = middle + reach * executed
    return np.abs(action - np.floor(action) - 0.5) < TOLERANCE * (reach + 1.0)


def _rounding(file: np.ndarray, learner: np.ndarray) -> float:
    """What advantages (n,) may differ by; one nearer to zero may let the residual through or not.

    Raises:
        RunError: if they differ by more than that.
    """
    off = np.abs(file - learner).max(initial=0.0)
    tolerance = ADVANTAGE_TOLERANCE * max(1.0, np.abs(learner).max(initial=0.0))
    if not off <= tolerance:
        raise RunError(
            f"it is not written: the file's advantages would differ from the learner's by "
            f"{off:.1e}; report this run's config.json"
        )
    return tolerance
