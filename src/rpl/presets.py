"""Settings that go together: learners by name, and presets: see PRESETS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from rpl.config import (
    BurnInConfig,
    Config,
    ExplorationConfig,
    LearnerConfig,
    ReplayConfig,
    ResidualConfig,
)
from rpl.errors import InvalidValue
from rpl.settings import Record

LEARNERS: dict[str, Record] = {
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
    changes = LEARNERS[name]
    if config.learner.gate:  # which has critics enough, and asks them together
        changes = {key: value for key, value in changes.items() if key not in OF_CRITICS}
    return replace(config, learner=replace(config.learner, algorithm=name, **changes))


OF_CRITICS = ("critics", "aggregate")


PAPER = Config(learner=LearnerConfig(batch_size=19 * 256))


# The hook tasks had one worker with four episodes a cycle, and less noise.
PAPER_HOOK = Config(episodes_per_cycle=4, exploration=ExplorationConfig(noise=0.1))


WITHOUT_GATE = Config(
    steps=400_000,
    episodes_per_cycle=8,
    learner=LearnerConfig(
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
"""``fast`` for methods that learn no residual."""

FAST = replace(
    WITHOUT_GATE,
    cycles_per_epoch=25,
    learner=replace(
        WITHOUT_GATE.learner,
        updates_per_cycle=80,
        actor_every=2,
        learning_rate_halving=20_000,
        gate=True,
        critics=4,
        critics_drawn=2,
        critic_hidden=(128, 128, 128),
        layer_norm=True,
        aggregate="bound",
        pessimism=2.0,
        trusted_pessimism=1.0,
        act_by_target=True,
        start_at_mean=True,
    ),
    replay=ReplayConfig(n_step=3, ask_controller=True),
    exploration=ExplorationConfig(noise=0.2, random=0.0, ladder=True, hold=5.0, alone_share=0.12),
    burn_in=BurnInConfig(rule="steps", minimum_steps=10_000, quiet_share=0.0, polyak=0.2),
    residual=ResidualConfig(
        scale=1.0, clip_controller=True, observe_controller=True, critic_input="sum"
    ),
)
"""The residual acts where critics are sure that it is better than the controller."""

FRUGAL_UPDATES = 3
"""How many times as many gradient steps ``frugal`` takes for each environment step."""


def frugal(config: Config) -> Config:
    """FAST where environment steps are dear, as on a robot, and seconds are not."""
    more = FRUGAL_UPDATES * config.learner.updates_per_cycle
    return replace(config, learner=replace(config.learner, updates_per_cycle=more))


MOST_ALONE = 0.25
"""The largest share of cycles that ``paced`` lets the policy act alone in."""

FAST_HORIZON = 50
"""The length of the episodes that FAST is written for."""


DENSE_SUM = 3
"""Rewards that are summed where they are dense, in episodes of FAST_HORIZON steps; FAST sums as
many where they are not."""


def paced(config: Config, horizon: int) -> Config:
    """FAST for episodes of ``horizon`` steps.

    A value has to travel back through an episode, n steps an update of the target networks, which
    move once a cycle. So cycles stay as long in steps, and over T / 50 times as many of them
    values arrive: n grows with T, and so does the burn-in. Of n rewards the critics learn what a
    disturbance does that stays as long, and so that grows too, and is smaller the longer it
    stays: an action of these tasks is a displacement, so that both together say how far it
    leads. Of fewer episodes the policy plays a larger share alone, up to a quarter, so that as
    many of them show how it stands.
    """
    longer = horizon / FAST_HORIZON
    alone = config.exploration.alone_share * longer
    hold = held_over(config.exploration.hold, longer)
    return replace(
        config,
        episodes_per_cycle=max(round(config.episodes_per_cycle / longer), 1),
        replay=replace(config.replay, n_step=max(round(config.replay.n_step * longer), 1)),
        burn_in=replace(config.burn_in, minimum_steps=round(config.burn_in.minimum_steps * longer)),
        exploration=replace(
            config.exploration,
            alone_share=min(alone, MOST_ALONE),
            noise=config.exploration.noise * config.exploration.hold / hold,
            hold=hold,
        ),
    )


def held_over(steps: float, longer: float) -> float:
    """How long a disturbance stays in episodes that are ``longer`` times as long; 1 stays 1."""
    return max(steps * longer, 1.0) if steps > 1.0 else steps


def for_dense_rewards(config: Config, sooner: float) -> Config:
    """A preset where rewards are not -1 and 0: values arrive sooner.

    Every step's reward says how good it was, so that the actions of older policies in a longer
    sum mislead less than where all depends on reaching the goal.

    Args:
        config: paced.
        sooner: how many times as many rewards are summed.
    """
    return replace(
        config,
        replay=replace(config.replay, n_step=round(sooner * config.replay.n_step)),
        burn_in=replace(config.burn_in, minimum_steps=round(config.burn_in.minimum_steps / sooner)),
    )


LONG_SUM = 2
"""Rewards that are summed where goals are relabelled in episodes longer than FAST_HORIZON."""


def for_long_ways_to_goals(config: Config) -> Config:
    """A preset for longer episodes whose goals are relabelled: short sums, unbiased targets.

    What a longer sum holds was done for another goal, and is as uncertain as all that it meets.
    Short sums take many targets to travel through an episode, and the least of two critics would
    make values lower with each.

    Args:
        config: paced.
    """
    if not config.learner.gate:
        return config
    return replace(
        config,
        replay=replace(config.replay, n_step=min(config.replay.n_step, LONG_SUM)),
        learner=replace(config.learner, critics_drawn=1),
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
    without_residual: Config | None = None
    """For methods that learn no residual; None is the same."""

    def of(self, residual: bool) -> Preset:
        """The preset of methods that learn a residual, or of those that learn none."""
        return self if residual else replace(self, config=self.without_residual or self.config)

    def on(self, task: str, horizon: int, sparse: bool) -> Config:
        """The configuration on a task of the catalog."""
        config = self.on_tasks.get(task, self.config)
        if not self.paced:
            return config
        fitted = paced(config, horizon)
        if not sparse:
            return for_dense_rewards(fitted, DENSE_SUM / config.replay.n_step)
        return for_long_ways_to_goals(fitted) if horizon > FAST_HORIZON else fitted


ONE_WORKER = ("hook", "noisy-hook", "complex-hook", "mbrl-pusher")

PRESETS = {
    "paper": Preset(PAPER, on_tasks=dict.fromkeys(ONE_WORKER, PAPER_HOOK)),
    "fast": Preset(FAST, "lean", paced=True, without_residual=WITHOUT_GATE),
    "frugal": Preset(frugal(FAST), "lean", paced=True, without_residual=WITHOUT_GATE),
    "ungated": Preset(WITHOUT_GATE, "lean", paced=True),
}
"""By name; another preset is another row. ``ungated`` is what ``fast`` was before the gate."""
PUBLISHED = "paper"
"""The preset whose exploration the published baselines keep, whatever the preset."""
