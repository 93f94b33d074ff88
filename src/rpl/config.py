"""Every setting, its meaning and its published value; presets are differences from these.

The defaults are the paper's (appendix B) where the paper gives one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, get_args

from tyro.conf import Fixed, Suppress

from rpl.errors import InvalidValue, check_settings
from rpl.settings import LARGEST_SEED, MOST_THREADS, Limits, PlainValues, check_limits, check_widths

BurnInRule = Literal["steps", "critic-loss", "q-change"]
CriticInput = Literal["residual", "sum"]
Aggregate = Literal["first", "least", "mean", "bound"]


@dataclass(frozen=True)
class LearnerConfig(PlainValues):
    """The learner; DDPG unless `--learner` names another, which changes some of these defaults."""

    algorithm: Suppress[Fixed[str]] = "ddpg"
    """A name in LEARNERS, and the file of ``rpl.learner`` that improves the actor."""
    hidden: tuple[int, ...] = (256, 256, 256)
    """Widths of the hidden layers of actor and critic."""
    actor_learning_rate: float = 1e-3
    """Adam's learning rate for the actor."""
    critic_learning_rate: float = 1e-3
    """Adam's learning rate for the critic."""
    learning_rate_halving: float | None = None
    """Gradient steps N that halve the learning rates: lr / (1 + n / N); None keeps them."""
    batch_size: int = 256
    """Transitions a gradient step; a multiple stands for the paper's parallel workers."""
    updates_per_cycle: int = 40
    """Gradient steps after each cycle of episodes."""
    updates_per_step: float | None = None
    """Gradient steps for each environment step; None goes by the cycle."""
    polyak: float = 0.95
    """Share of the old slow copy that remains after its one step per cycle."""
    action_l2: float = 1.0
    """Weight of the squared action in the actor's loss."""
    action_l2_by_error: bool = False
    """Multiply that weight with E[(Q - y)^2] / ((1 - gamma) std(y)), the critic's squared error
    over what its targets differ by per step: a residual is held back as far as values are
    uncertain, whatever rewards are counted in."""
    discount: float | None = None
    """Gamma; None is 1 - 1/T for episodes of T steps."""
    average_frames: bool = True
    """Over a history, average what one network says of each frame; else it sees all at once."""
    zero_last: bool = True
    """Start the actor's last layer at zero, so that the policy starts as its controller."""
    layer_norm: bool = False
    """Normalise the critics' hidden layers."""
    start_at_mean: bool = False
    """Start the critics at what the first cycle's mean reward is worth if it is paid for ever, so
    that only differences of values have to travel; else at zero."""
    critics: int = 1
    """Critics whose least value is the target (clipped double Q-learning); TD3 and SAC: 2."""
    critics_drawn: int | None = None
    """Critics that a target goes by, drawn anew in each gradient step (REDQ); None, or as
    many as there are, is all."""
    critic_hidden: tuple[int, ...] | None = None
    """Widths of the critics' hidden layers; None is those of the actor."""
    aggregate: Aggregate = "first"
    """What the actor maximises of several critics: the first, the least, their mean, or the bound,
    their mean less `pessimism` standard deviations; SAC: least."""
    pessimism: float = 2.0
    """Standard deviations of the critics between their mean and the bound."""
    trusted_pessimism: float | None = None
    """With the gate: the same, while the last paired evaluation that told the policy from its
    controller showed it to be better, and by degrees also while none shows it to be worse, unless
    the controller succeeds in nine of ten episodes; None is `pessimism` throughout."""
    gate: bool = False
    """Use the residual only where the critics together, by `aggregate`, say that it is better than
    the controller's action, and act as the controller elsewhere: exploring, deployed, and in
    targets. The actor then maximises that advantage. Needs `--residual.observe-controller` and
    `--residual.critic-input sum`; nothing where there is no residual."""
    act_by_target: bool = False
    """With the gate: act by the target networks, exploring and deployed."""
    target_noise: float = 0.0
    """Standard deviation of the noise on the target's action; TD3: 0.2."""
    target_noise_clip: float = 0.5
    """Most that noise may be."""
    actor_every: int = 1
    """Gradient steps of the critic for one of the actor; TD3: 2."""
    initial_std: float = 0.1
    """SAC: the Gaussian's standard deviation at the start, before squashing."""
    target_entropy: float = -1.0
    """SAC: entropy that the temperature aims at, per action component; -1 is a Gaussian with
    a standard deviation of 0.09."""
    initial_temperature: float = 0.01
    """SAC: what a unit of entropy is worth at first."""
    temperature_learning_rate: float = 3e-4
    """SAC: Adam's learning rate for the logarithm of the temperature."""
    entropy_in_value: bool = True
    """SAC: count future entropy as reward; else values are returns and keep their bounds."""

    def discount_over(self, horizon: int) -> float:
        """Gamma, for episodes of ``horizon`` steps."""
        return 1.0 - 1.0 / horizon if self.discount is None else self.discount

    def updates(self, steps: int) -> int:
        """Gradient steps after a cycle of ``steps`` environment steps."""
        if self.updates_per_step is None:
            return self.updates_per_cycle
        return max(round(self.updates_per_step * steps), 1)


@dataclass(frozen=True)
class ReplayConfig(PlainValues):
    """What is kept and how it is relabelled: hindsight experience replay."""

    capacity: int = 1_000_000
    """Transitions kept; the oldest episodes make room."""
    hindsight: float = 0.8
    """Share of sampled transitions whose goal is replaced by one reached later in the episode."""
    ask_controller: bool = False
    """Ask the controller what it would do for a relabelled goal, where it has no memory and needs
    nothing but what is stored; else its action for the episode's own goal stands for that."""
    n_step: int = 1
    """Rewards summed before the critic's value takes over; more carry values back faster, but
    count the rewards of old policies' actions."""
    prior: tuple[str, ...] = ()
    """Episodes to learn from beside the run's own, as demonstrations or the controller's: files
    that rpl.EpisodeLog writes (.npz, .h5), or Minari datasets by id or folder."""
    prior_share: float = 0.5
    """Share of each batch that is drawn from them (RLPD: a half)."""


@dataclass(frozen=True)
class ExplorationConfig(PlainValues):
    """How actions are disturbed while training, in the space the learner acts in."""

    noise: float = 0.2
    """Standard deviation of the Gaussian added to the action; SAC draws from its own instead,
    unless this is 0."""
    random: float = 0.3
    """Probability of a uniform random action instead."""
    expert: float = 0.0
    """Probability of the controller's action instead (Expert Explore: epsilon times alpha)."""
    ladder: bool = False
    """Disturb the episodes of a cycle unequally, from hardly to twice as much as said."""
    hold: float = 1.0
    """Steps for which the Gaussian stays what it is, on average. What one step changes a feedback
    controller takes back in the next, so that only what stays shows what it does."""
    alone_share: float = 0.0
    """Share of an epoch's cycles, the last ones, in which the policy acts undisturbed and does not
    change. Where it does worse in them than its controller, that is evaluated in its place."""


@dataclass(frozen=True)
class BurnInConfig(PlainValues):
    """How long only the critic learns (paper, IV-B)."""

    rule: BurnInRule = "q-change"
    """steps: a fixed time. critic-loss: until the loss is below the threshold. q-change: until
    the mean value moves by less than the threshold between two epochs."""
    threshold: float = 1.0
    """The paper's beta; unused by the rule 'steps'."""
    minimum_steps: int = 0
    """Environment steps of burn-in before any rule may end it."""
    quiet_share: float = 0.5
    """Share of the burn-in cycles that run without exploration."""
    polyak: float | None = None
    """Share of the old target networks that remains meanwhile, when nothing but the critic learns
    and values may travel faster; None is the learner's."""

    @property
    def is_none(self) -> bool:
        """Whether the actor learns from the first step on."""
        return self.rule == "steps" and self.minimum_steps == 0


@dataclass(frozen=True)
class ResidualConfig(PlainValues):
    """How the residual and the controller are added."""

    scale: float | tuple[float, ...] = 2.0
    """What a residual of 1 adds to the action, for all of its components or for each: how far
    the policy may be from its controller, in halves of the action range."""
    two_valued: tuple[int, ...] = ()
    """Components of the action that only know two values, as a gripper's, counted from 0: they
    stay the controller's, or go to the other bound where the sum is on the other side of the
    middle. Give them a scale of 2, or the sum cannot get there."""
    clip_controller: bool = False
    """Clip the controller's action to [-1, 1] before the residual is added."""
    observe_controller: bool = False
    """Show the learner what the controller is about to do, at the end of its observation: for
    controllers whose next move cannot be told from the state."""
    critic_input: CriticInput = "residual"
    """What the critic judges: the residual that took effect, as in the paper's code, or its sum
    with the base action, which is what was executed. Where goals are relabelled, the base action
    stays that for the episode's own goal: judge sums with observe-controller there."""

    @property
    def lets_critics_compare(self) -> bool:
        """Whether critics can tell what is executed from the base action."""
        return self.observe_controller and self.critic_input == "sum"


@dataclass(frozen=True)
class Config(PlainValues):
    """A training run."""

    steps: int = 1_000_000
    """Environment steps to train for."""
    seed: int = 0
    """Decides everything random in the run."""
    episodes_per_cycle: int = 38
    """Episodes collected between updates (the paper: 19 workers times 2); where they end early,
    more of them, for as many steps."""
    cycles_per_epoch: int = 50
    """Cycles between evaluations."""
    evaluation_episodes: int = 100
    """Episodes of each evaluation."""
    final_evaluation_episodes: int = 500
    """Episodes of the last evaluation."""
    num_envs: int | None = None
    """Simulations at once while collecting, on one's own environment in evaluations too; None runs
    all episodes of a cycle side by side."""
    num_threads: int = 0
    """Physics threads; 0 uses every core. Changes speed, never results."""
    learner: LearnerConfig = field(default_factory=LearnerConfig)
    replay: ReplayConfig = field(default_factory=ReplayConfig)
    exploration: ExplorationConfig = field(default_factory=ExplorationConfig)
    burn_in: BurnInConfig = field(default_factory=BurnInConfig)
    residual: ResidualConfig = field(default_factory=ResidualConfig)

    def steps_per_cycle(self, horizon: int) -> int:
        """Environment steps of a cycle, with episodes of ``horizon``; at most one episode more."""
        return self.episodes_per_cycle * horizon

    def __post_init__(self) -> None:
        """Refuses what would fail only hours later.

        Raises:
            ValueError: naming the option and what it may be.
        """
        super().__post_init__()
        check_limits(self, LIMITS)
        check_widths({"--learner.hidden": self.learner.hidden})
        if self.learner.critic_hidden is not None:
            check_widths({"--learner.critic-hidden": self.learner.critic_hidden})
        self._check_choices()
        together = self.exploration.random + self.exploration.expert
        both = {"--exploration.random and --exploration.expert together": together}
        check_settings(both, lambda value: value <= 1.0, "between 0 and 1")
        if self.learner.gate and not self.residual.lets_critics_compare:
            raise InvalidValue(
                "--learner.gate compares what is executed with the controller's action: it needs "
                "--residual.observe-controller and --residual.critic-input sum"
            )

    def _check_choices(self) -> None:
        for name, value, rows in (
            ("--burn-in.rule", self.burn_in.rule, get_args(BurnInRule)),
            ("--residual.critic-input", self.residual.critic_input, get_args(CriticInput)),
            ("--learner.aggregate", self.learner.aggregate, get_args(Aggregate)),
        ):
            if value not in rows:
                raise InvalidValue(f"{name} must be one of {', '.join(rows)}, not {value!r}")


LIMITS: Limits = {
    "at least 1": (
        lambda value: value >= 1,
        "steps episodes_per_cycle cycles_per_epoch evaluation_episodes final_evaluation_episodes "
        "num_envs learner.batch_size learner.updates_per_cycle learner.critics "
        "learner.critics_drawn learner.actor_every replay.n_step replay.capacity",
    ),
    "1.0 or more": (lambda value: value >= 1.0, "exploration.hold"),
    "above 0": (
        lambda value: 0.0 < value < math.inf,
        "learner.actor_learning_rate learner.critic_learning_rate learner.learning_rate_halving "
        "learner.temperature_learning_rate learner.updates_per_step learner.initial_std "
        "learner.initial_temperature",
    ),
    "at least 0": (
        lambda value: 0.0 <= value < math.inf,
        "exploration.noise learner.action_l2 learner.target_noise learner.target_noise_clip "
        "learner.pessimism learner.trusted_pessimism burn_in.minimum_steps burn_in.threshold",
    ),
    "between 0 and 1024": (lambda value: 0 <= value <= MOST_THREADS, "num_threads"),
    "finite": (math.isfinite, "learner.target_entropy"),
    "between 0 and 1": (
        lambda value: 0.0 <= value <= 1.0,
        "learner.polyak replay.hindsight exploration.random exploration.expert "
        "exploration.alone_share burn_in.quiet_share burn_in.polyak",
    ),
    "at least 0 and below 1": (lambda value: 0.0 <= value < 1.0, "learner.discount"),
    "above 0 and below 1": (lambda value: 0.0 < value < 1.0, "replay.prior_share"),
    "at least 0 and below 2^63": (lambda value: 0 <= value < LARGEST_SEED, "seed"),
}
"""What settings can be; None stands for one that was left open."""
