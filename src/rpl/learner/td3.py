"""TD3: DDPG with two critics, smoothed targets and a slower actor, which are its settings.

See ``rpl.presets.LEARNERS``.
"""

from rpl.learner.ddpg import (
    METRICS,
    improve_actor,
    is_bounded,
    make_actor,
    make_extra,
    next_value,
)

__all__ = ["METRICS", "improve_actor", "is_bounded", "make_actor", "make_extra", "next_value"]
