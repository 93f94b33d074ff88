"""The learner: pure functions on an immutable state. It sees arrays only."""

from rpl.learner.cycle import update
from rpl.learner.state import (
    Batch,
    LearnerState,
    act,
    act_with_noise,
    create,
    is_finite,
    observe,
)

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
