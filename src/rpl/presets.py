"""Settings that go together: learners by name, and the presets ``paper`` and ``fast``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from rpl.config import (
    BurnInConfig,
    Config,
    ExplorationConfig,
    LearnerConfig,
    ResidualConfig,
)
from rpl.errors import InvalidValue

LEARNERS: dict[str, dict[str, Any]] = {
    "ddpg": {},
    "td3": {"critics": 2, "target_noise": 0.2, "actor_every": 2},
    "sac": {"critics": 2, "aggregate": "least"},
}
"""The learners by name: what each changes of a preset's settings."""


def with_learner(config: Config, name: str) -> Config:
    """The configuration with a learner of LEARNERS in place of DDPG.

    Raises:
        ValueError: if there is no such learner.
    """
    if name not in LEARNERS:
        raise InvalidValue(f"there is no learner '{name}'; choose one of {', '.join(LEARNERS)}")
    return replace(config, learner=replace(config.learner, algorithm=name, **LEARNERS[name]))


PAPER = Config(learner=LearnerConfig(batch_size=19 * 256))


# The hook tasks had one worker with four episodes a cycle, and less noise.
PAPER_HOOK = Config(episodes_per_cycle=4, exploration=ExplorationConfig(noise=0.1))


FAST = Config(
    steps=400_000,
    episodes_per_cycle=8,
    learner=replace(
        LearnerConfig(),
        actor_learning_rate=1e-4,
        learning_rate_halving=10_000,
        polyak=0.8,
        action_l2=0.12,
        action_l2_by_error=True,
    ),
    exploration=ExplorationConfig(noise=0.1, random=0.1),
    burn_in=BurnInConfig(rule="steps", minimum_steps=40_000),
    residual=ResidualConfig(scale=0.5, clip_controller=True),
)


FAST_HORIZON = 50
"""The length of the episodes that FAST is written for."""


DENSE_SUM = 3
"""How many times as many rewards are summed where they are dense."""


def paced(config: Config, horizon: int) -> Config:
    """FAST for episodes of ``horizon`` steps.

    A value has to travel back through an episode, n steps an update of the target networks, which
    move once a cycle. So cycles stay as long in steps, and over T / 50 times as many of them
    values arrive: n grows with T, and so does the burn-in.
    """
    longer = horizon / FAST_HORIZON
    return replace(
        config,
        episodes_per_cycle=max(round(config.episodes_per_cycle / longer), 1),
        replay=replace(config.replay, n_step=max(round(config.replay.n_step * longer), 1)),
        burn_in=replace(config.burn_in, minimum_steps=round(config.burn_in.minimum_steps * longer)),
    )


def for_dense_rewards(config: Config) -> Config:
    """FAST where rewards are not -1 and 0: values arrive three times as soon.

    Every step's reward says how good it was, so that the actions of older policies in a longer
    sum mislead less than where all depends on reaching the goal.
    """
    return replace(
        config,
        replay=replace(config.replay, n_step=DENSE_SUM * config.replay.n_step),
        burn_in=replace(
            config.burn_in, minimum_steps=round(config.burn_in.minimum_steps / DENSE_SUM)
        ),
    )


@dataclass(frozen=True)
class Preset:
    """A configuration, the physics it trains on, and what it is on each task."""

    config: Config
    physics: Literal["exact", "lean"] = "exact"
    on_tasks: Mapping[str, Config] = field(default_factory=dict)
    """Where a task has a configuration of its own."""
    paced: bool = False
    """Fit it to the length of a task's episodes, and to rewards that are dense."""

    def on(self, task: str, horizon: int, sparse: bool) -> Config:
        """The configuration on a task of the catalog."""
        config = self.on_tasks.get(task, self.config)
        if not self.paced:
            return config
        config = paced(config, horizon)
        return config if sparse else for_dense_rewards(config)


ONE_WORKER = ("hook", "noisy-hook", "complex-hook", "mbrl-pusher")

PRESETS = {
    "paper": Preset(PAPER, on_tasks=dict.fromkeys(ONE_WORKER, PAPER_HOOK)),
    "fast": Preset(FAST, "lean", paced=True),
}
"""By name; another preset is another row."""
PUBLISHED = "paper"
"""The preset whose exploration the published baselines keep, whatever the preset."""
