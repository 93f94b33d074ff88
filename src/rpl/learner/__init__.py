"""The learner: pure functions on an immutable state. It sees arrays only."""

from rpl.learner.state import LearnerState, act, act_with_noise, create, is_finite, observe
from rpl.learner.update import update
from rpl.replay.batch import Batch

__all__ = [
    "Batch",
    "LearnerState",
    "act",
    "act_with_noise",
    "create",
    "is_finite",
    "observe",
    "update",
]
