"""The learner: pure functions on an immutable state. It sees arrays only."""

from rpl.learner.algorithm import algorithm_of
from rpl.learner.gate import GATE_METRICS, Gate
from rpl.learner.state import (
    LearnerState,
    act,
    advantage,
    is_finite,
    observe,
    start_critics_at,
    with_pessimism,
    without_residual,
)
from rpl.learner.update import Setting, create, update
from rpl.replay.batch import Batch

__all__ = [
    "GATE_METRICS",
    "Batch",
    "Gate",
    "LearnerState",
    "Setting",
    "act",
    "advantage",
    "algorithm_of",
    "create",
    "is_finite",
    "observe",
    "start_critics_at",
    "update",
    "with_pessimism",
    "without_residual",
]
