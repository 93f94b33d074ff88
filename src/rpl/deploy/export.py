"""A policy as one ONNX file: normalisers, actor, the sum with the controller, and its clips."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from rpl.controllers.onnx_policy import open_session
from rpl.deploy.policy import Policy
from rpl.errors import RunError
from rpl.observations import BASE_ACTION, OBSERVATION

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

    from rpl.learner.networks import MLP
    from rpl.learner.normalizer import Normalizer

OPSET = 17
IR_VERSION = 9  # read by every onnxruntime since 1.17
TOLERANCE = 1e-5
CONTROLLER_ACTION, ACTION, RESIDUAL = "controller_action", "action", "residual"


def export(policy: Policy, path: Path) -> float:
    """Writes the policy and compares it with the learner's own answers.

    The file's inputs are the parts of an observation that the learner sees, each (n, size):
    ``observation``, and for tasks with goals ``desired_goal``; for a residual also
    ``controller_action`` (n, action_dim). Its outputs are ``action`` and ``residual``,
    (n, action_dim). A part of one's own with one of these three names is the input
    ``observed_<name>``. All are float32; actions are in the environment's units. Its metadata
    say the bounds, the scale, and the number of frames that an observation holds.

    Args:
        policy: from ``rpl.load``.
        path: the file.

    Returns:
        The largest difference from the learner found, on random and on real observations.

    Raises:
        RunError: if onnx is missing, or the file and the learner differ by more than 1e-5.
    """
    try:
        import onnx
    except ImportError as error:
        raise RunError("an export needs onnx: pip install -e '.[export]'") from error
    model = _model(policy)
    onnx.checker.check_model(model, full_check=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(path))
    difference = largest_difference(policy, path)
    if not difference <= TOLERANCE:
        raise RunError(
            f"{path} differs from the learner by {difference:.1e}, more than {TOLERANCE:.0e}: "
            "do not use it, and report this run's config.json"
        )
    return difference


class _Graph:
    """An ONNX graph as it grows; every method adds a node and returns its output's name."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def constant(self, value: ArrayLike, dtype: DTypeLike = np.float32) -> str:
        from onnx import numpy_helper

        name = f"constant{len(self.constants)}"
        array = np.ascontiguousarray(np.asarray(value, dtype))
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def add(self, kind: str, *inputs: str, to: str | None = None, **attributes: Any) -> str:
        from onnx import helper

        name = to or f"{kind.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def clip(self, x: str, bound: float) -> str:
        return self.add("Clip", x, self.constant(-bound), self.constant(bound))

    def normalized(self, x: str, normalizer: Normalizer) -> str:
        """``rpl.learner.normalizer.Normalizer``."""
        low, high = map(self.constant, normalizer.input_range)
        x = self.add("Min", self.add("Max", x, low), high)
        x = self.add("Sub", x, self.constant(normalizer.mean))
        x = self.add("Div", x, self.constant(normalizer.std))
        return self.clip(x, normalizer.output_clip)

    def mlp(self, x: str, network: MLP, outputs: int) -> str:
        """``rpl.learner.networks.MLP``, the first ``outputs`` of its last layer."""
        layers = list(zip(network.weights, network.biases, strict=True))
        for weight, bias in layers[:-1]:
            x = self.add("Gemm", x, self.constant(weight), self.constant(bias))
            x = self.add("Relu", x)
        weight, bias = layers[-1]
        return self.add(
            "Gemm", x, self.constant(weight[:, :outputs]), self.constant(bias[:outputs])
        )

    def columns(self, x: str, first: int, end: int) -> str:
        """x[:, first:end]"""
        return self.add("Slice", x, *(self.constant([at], np.int64) for at in (first, end, 1)))

    def mean(self, parts: list[str]) -> str:
        return parts[0] if len(parts) == 1 else self.add("Mean", *parts)


def input_name(part: str) -> str:
    """What the file calls a part of an observation."""
    return f"observed_{part}" if part in (CONTROLLER_ACTION, ACTION, RESIDUAL) else part


def _model(policy: Policy) -> ModelProto:
    from onnx import TensorProto, helper

    action_size = len(policy.action_low)
    widths = {input_name(part): width for part, width in policy.widths.items()}
    widths |= {CONTROLLER_ACTION: action_size} if policy.is_residual else {}
    graph = _Graph()
    base = _base(graph, policy) if policy.is_residual else None
    residual = _actor(graph, policy, base)
    _sum(graph, policy, base, residual)
    floats = TensorProto.FLOAT
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "policy",
            [helper.make_tensor_value_info(k, floats, ["n", w]) for k, w in widths.items()],
            [
                helper.make_tensor_value_info(k, floats, ["n", action_size])
                for k in (ACTION, RESIDUAL)
            ],
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
        "action_low": policy.action_low.tolist(),
        "action_high": policy.action_high.tolist(),
        "residual_scale": np.broadcast_to(policy.scale, policy.action_low.shape).tolist(),
    }


def _base(graph: _Graph, policy: Policy) -> str:
    """``Policy.to_unit`` of the controller's action."""
    middle, reach = _middle_and_reach(graph, policy)
    base = graph.add("Div", graph.add("Sub", CONTROLLER_ACTION, middle), reach)
    assert policy.base is not None
    return graph.clip(base, 1.0) if policy.base.clip else base


def _actor(graph: _Graph, policy: Policy, base: str | None) -> str:
    """f(s, g), over a history the mean of what the network says of each frame."""
    state, sizes = policy.state, policy.seen.sizes
    names = [base if name == BASE_ACTION and base else input_name(name) for name in sizes]
    shown = names[0] if len(names) == 1 else graph.add("Concat", *names, axis=1)
    shown = graph.normalized(shown, state.normalizer)
    number, size = state.actor.frames.number, sizes[OBSERVATION]
    frames = [shown]
    if number > 1:
        beside = graph.columns(shown, size, policy.seen.width)
        frames = [
            graph.add("Concat", graph.columns(shown, *ends), beside, axis=1)
            for ends in pairwise(range(0, size + 1, size // number))
        ]
    outputs = [graph.mlp(x, state.actor.network, len(policy.action_low)) for x in frames]
    return graph.add("Identity", state.actor.to_onnx(graph, outputs), to=RESIDUAL)


def _sum(graph: _Graph, policy: Policy, base: str | None, residual: str) -> None:
    """``rpl.residual.combine``, to the environment's units."""
    unit = residual
    if base is not None:
        scale = np.broadcast_to(policy.scale, policy.action_low.shape)
        unit = graph.add("Add", base, graph.add("Mul", residual, graph.constant(scale)))
    unit = graph.clip(unit, 1.0)
    middle, reach = _middle_and_reach(graph, policy)
    action = graph.add("Add", graph.add("Mul", unit, reach), middle)
    # Rounding must not lead out of the action space.
    low, high = graph.constant(policy.action_low), graph.constant(policy.action_high)
    graph.add("Min", graph.add("Max", action, low), high, to=ACTION)


def _middle_and_reach(graph: _Graph, policy: Policy) -> tuple[str, str]:
    low, high = policy.action_low, policy.action_high
    return graph.constant((high + low) / 2.0), graph.constant((high - low) / 2.0)


def largest_difference(policy: Policy, path: Path) -> float:
    """Between the file and the learner, in halves of the action range."""
    session = open_session(path)
    generator = np.random.default_rng(0)
    worst = 0.0
    for observation in (policy.random_observations(1000, generator), *policy.real_observations()):
        plain = not isinstance(observation, Mapping)
        parts = {OBSERVATION: observation} if plain else dict(observation)
        count = len(parts[OBSERVATION])
        reach = (policy.action_high - policy.action_low) / 2.0
        uniform = generator.uniform(-1.5, 1.5, (count, len(reach)))
        given = (policy.action_high + policy.action_low) / 2.0 + reach * uniform
        feed = {**{input_name(k): v for k, v in parts.items()}, CONTROLLER_ACTION: given}
        names = [entry.name for entry in session.get_inputs()]
        inputs = {name: np.asarray(feed[name], np.float32) for name in names}
        action, residual = session.run([ACTION, RESIDUAL], inputs)
        expected = policy.residual(observation, policy.to_unit(given))
        worst = max(worst, float(np.abs(residual - expected).max()))
        total = policy.combine(given, expected)
        worst = max(worst, float(np.abs((action - total) / reach).max()))
    return worst
