"""The learner: pure functions on an immutable state. It sees arrays only."""

from rpl.learner.state import LearnerState, act, act_with_noise, is_finite, observe
from rpl.learner.update import ALGORITHMS, Setting, algorithm_of, create, update
from rpl.replay.batch import Batch

__all__ = [
    "ALGORITHMS",
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
