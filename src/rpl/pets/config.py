"""The settings of a run of PETS, and those that go together."""

from __future__ import annotations

from dataclasses import dataclass, field

from rpl.errors import InvalidValue, above_0, at_least_0, check_settings
from rpl.pets.dynamics import ModelConfig
from rpl.pets.planner import OFFICIAL, SMALL, SMALL_AND_WIDE, PlannerConfig, check_planner
from rpl.settings import LARGEST_SEED, MOST_THREADS, Limits, PlainValues, check_limits, check_widths


@dataclass(frozen=True)
class PETSConfig(PlainValues):
    """A run of PETS; PRESETS has the published one."""

    trials: int = 100
    """Planned episodes, after one of random actions."""
    seed: int = 0
    """Decides everything random in the run."""
    num_threads: int = 1
    """Physics threads; one environment has work for one. Changes speed, never results."""
    model: ModelConfig = field(default_factory=ModelConfig)
    planner: PlannerConfig = SMALL
    early_planner: PlannerConfig = SMALL_AND_WIDE
    """Plans the first ``early_trials`` instead: for data to learn from."""
    early_trials: int = 0
    whole_trials: int | None = None
    """Trials at the end that are whole; those before, the random one too, are cut off after
    ``short_steps``: where an episode is decided at its beginning, more beginnings teach more.
    None: all are whole."""
    short_steps: int = 75
    """Steps of a short trial."""

    def __post_init__(self) -> None:
        """Refuses what would fail only hours later.

        Raises:
            InvalidValue: naming the option and what it may be.
        """
        super().__post_init__()
        check_limits(self, LIMITS)
        check_widths({"--model.hidden": self.model.hidden})
        layers, decays = len(self.model.hidden) + 1, len(self.model.weight_decay)
        if layers != decays:
            raise InvalidValue(
                f"--model.weight-decay has {decays} numbers: --model.hidden makes {layers} layers"
            )
        for decay in self.model.weight_decay:
            check_settings({"--model.weight-decay": decay}, at_least_0, "at least 0")
        for name in ("planner", "early_planner") if self.early_trials else ("planner",):
            check_planner(getattr(self, name), self.model.networks, f"--{name.replace('_', '-')}")

    def steps_in(self, trial: int, horizon: int) -> int:
        """The most steps of a trial, in episodes of ``horizon``."""
        whole = self.whole_trials is None or trial > self.trials - self.whole_trials
        return horizon if whole else min(self.short_steps, horizon)

    def steps(self, horizon: int) -> int:
        """The most steps of the whole run."""
        return sum(self.steps_in(trial, horizon) for trial in range(self.trials + 1))

    def planner_in(self, trial: int) -> PlannerConfig:
        """The planner of a trial."""
        return self.early_planner if trial <= self.early_trials else self.planner


LIMITS: Limits = {
    "at least 1": (
        lambda value: value >= 1,
        "short_steps whole_trials model.networks model.batch_size model.epochs "
        "planner.horizon planner.population planner.elites planner.particles "
        "early_planner.horizon early_planner.population "
        "early_planner.elites early_planner.particles",
    ),
    "above 0": (
        above_0,
        "model.learning_rate planner.variance early_planner.variance",
    ),
    "at least 0": (
        at_least_0,
        "trials early_trials model.bound_penalty planner.colour early_planner.colour "
        "planner.iterations early_planner.iterations",
    ),
    "between 0 and 1024": (lambda value: 0 <= value <= MOST_THREADS, "num_threads"),
    "between 0 and 1": (
        lambda value: 0.0 <= value <= 1.0,
        "planner.smoothing early_planner.smoothing",
    ),
    "at least 0 and below 2^63": (lambda value: 0 <= value < LARGEST_SEED, "seed"),
}
"""What settings can be; None stands for one that was left open."""


PRESETS = {
    "official": PETSConfig(planner=OFFICIAL),
    # 160 trials of 75 steps, then 20 of 150: as many steps as in the published hundred.
    "small": PETSConfig(
        trials=179,
        model=ModelConfig(decay=True),
        planner=SMALL,
        early_trials=60,
        whole_trials=20,
    ),
}
