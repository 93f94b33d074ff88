"""The learner: pure functions on an immutable state. It sees arrays only."""

from rpl.learner.algorithm import algorithm_of
from rpl.learner.state import LearnerState, act, act_with_noise, is_finite, observe
from rpl.learner.update import Setting, create, update
from rpl.replay.batch import Batch

__all__ = [
    "Batch",
    "LearnerState",
    "Setting",
    "act",
    "act_with_noise",
    "algorithm_of",
    "create",
    "is_finite",
    "observe",
    "update",
]
