"""``rpl.learner.gate`` in an ONNX graph: the critics' advantages over the base action."""

from __future__ import annotations

import numpy as np

from rpl.deploy.graph import Graph
from rpl.deploy.policy import Policy
from rpl.learner.gate import TINY, Gate
from rpl.learner.networks import Critic


def add_sum(graph: Graph, policy: Policy, base: str, residual: str) -> str:
    """``rpl.residual.combine``."""
    added = graph.add("Mul", residual, graph.constant(policy.scale))
    total = graph.add("Add", base, added)
    executed, two_valued = graph.clip(total, 1.0), policy.problem.two_valued
    if not two_valued:
        return executed
    zero = graph.constant(0.0)
    above, base_above = (graph.add("GreaterOrEqual", x, zero) for x in (total, base))
    bound = graph.add("Where", above, graph.constant(1.0), graph.constant(-1.0))
    stays = graph.add("Equal", above, base_above)
    chosen = graph.add("Where", stays, graph.clip(base, 1.0), bound)
    is_two_valued = np.isin(np.arange(len(policy.scale)), two_valued)
    return graph.add("Where", graph.constant(is_two_valued, bool), chosen, executed)


def add_gate(graph: Graph, policy: Policy, frames: list[str], base: str, residual: str) -> str:
    """Adds the output ``advantage`` (n, 1), and returns where the residual acts, (n, 1) bool.

    Args:
        frames: what the networks see, for each frame.
        base: the base action in halves of the action range.
        residual: f.
    """
    gate, (_, critics) = policy.state.gate, policy.state.acting
    assert gate is not None
    actions = add_sum(graph, policy, base, residual), graph.clip(base, 1.0)
    members = critics.members[:1] if gate.how == "first" else critics.members
    advantages = [
        graph.add("Sub", *(_value(graph, member, frames, action) for action in actions))
        for member in members
    ]
    advantage = graph.add("Identity", _aggregate(graph, advantages, gate), to="advantage")
    return graph.add("Greater", advantage, graph.constant(0.0))


def _value(graph: Graph, critic: Critic, frames: list[str], action: str) -> str:
    """Q(s, g, a), (n, 1)."""
    inputs = [graph.add("Concat", frame, action, axis=1) for frame in frames]
    return graph.mean([graph.mlp(x, critic.network, 1) for x in inputs])


def _aggregate(graph: Graph, advantages: list[str], gate: Gate) -> str:
    """``rpl.learner.gate.aggregate``."""
    if len(advantages) == 1 and gate.how != "bound":
        return advantages[0]
    if gate.how == "least":
        return graph.add("Min", *advantages)
    mean = graph.mean(advantages)
    if gate.how == "mean":
        return mean
    apart = [graph.add("Sub", advantage, mean) for advantage in advantages]
    variance = graph.mean([graph.add("Mul", part, part) for part in apart])
    std = graph.add("Sqrt", graph.add("Add", variance, graph.constant(TINY)))
    doubt = graph.add("Mul", std, graph.constant(float(gate.pessimism)))
    return graph.add("Sub", mean, doubt)
