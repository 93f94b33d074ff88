"""Which runs make up the paper's figures and tables: data, and nothing else.

A cell is a column of seeds of one experiment; a run is a cell and a seed, and its result is
``results/<cell.folder>/seed<k>/{config.json,metrics.csv}``. The command of a run follows
from its cell alone, so that it can be repeated, and a result can be held to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

SEEDS = 5
PETS_STEPS, PETS_HORIZON = 15_000, 150
"""Planned episodes of PETS and their steps; one more episode is random."""


@dataclass(frozen=True)
class Cell:
    """One method on one task, with one configuration, over some seeds."""

    task: str
    """A name in the catalog."""
    method: str
    """A name in the catalog."""
    steps: int
    """Environment steps a run must reach."""
    cost: float
    """Milliseconds a step on one core, roughly; orders the queue until a run has measured it."""
    words: tuple[str, ...] = ()
    """Further options of ``rpl train``."""
    preset: str = "ungated"
    """A name in PRESETS."""
    variant: str = ""
    """What tells it from another cell of the same task and method."""
    above: str = ""
    """The folder, below results/, that stands in for the task's."""
    seeds: int = SEEDS
    """Seeds 0 .. seeds - 1."""
    trial_steps: int | None = None
    """Steps of an episode, where a run's length is counted in planned episodes."""

    @property
    def label(self) -> str:
        """What ``--methods`` calls it: the method and, if there is one, the variant."""
        return f"{self.method}-{self.variant}" if self.variant else self.method

    @property
    def folder(self) -> str:
        """Where it stands below results/ and the run folders."""
        return f"{self.above or self.task}/{self.label}"

    def arguments(self, seed: int) -> list[str]:
        """The arguments of ``rpl`` that make one run."""
        names = ["train", self.task, "--method", self.method, "--preset", self.preset]
        return [*names, *self.words, *self._length(self.steps), "--seed", str(seed)]

    def _length(self, steps: int) -> tuple[str, ...]:
        """The words that say how long a run is."""
        if self.trial_steps is None:
            return ("--steps", str(steps))
        return () if steps == self.steps else ("--trials", str(steps // self.trial_steps))

    def limited(self, steps: int) -> Cell:
        """The same cut short, judged on few episodes: to try things out, never a result."""
        if self.trial_steps is not None:  # it has no evaluations, and no less than an episode
            steps = max(steps, self.trial_steps)
            return replace(self, steps=steps, words=(*self.words, *self._length(steps)))
        words = ("--evaluation-episodes", "10", "--final-evaluation-episodes", "10")
        return replace(self, steps=steps, words=(*self.words, *words))


def _methods(
    task: str, steps: int, cost: float, baseline_steps: int | None = None, **settings
) -> tuple[Cell, ...]:
    """RPL, from scratch and Expert Explore on one task."""
    rpl = Cell(task, "rpl", steps, cost, **settings)
    baseline = replace(rpl, steps=baseline_steps or steps)
    return (
        rpl,
        replace(baseline, method="scratch"),
        replace(baseline, method="expert-explore"),
    )


# The planner's model is lean with steps of 10 ms: no worse than the exact model, at six times
# the speed (results/planner.csv).
PLANNER = (
    *("--controller", "discrete-mpc-push"),
    *("--controller.physics", "lean", "--controller.substeps", "4"),
)

OVERRULING = (*PLANNER, "--residual.scale", "1.0")

# What is judged is what is executed, so that little is left to learn in burn-in, and four times
# the updates do not make a critic worse that sees what the planner is about to do.
OBSERVING = (
    *OVERRULING,
    *("--residual.observe-controller", "--residual.critic-input", "sum"),
    *("--burn-in.minimum-steps", "8000", "--learner.updates-per-cycle", "160"),
    *("--learner.polyak", "0.15", "--learner.layer-norm", "--cycles-per-epoch", "25"),
)

# A hundred episodes of the hook tasks are half an epoch's steps.
RARELY_JUDGED = ("--cycles-per-epoch", "100")

# A large residual is learned roughly, unless the critic judges what is executed.
JUDGING_SUMS = (
    *RARELY_JUDGED,
    *("--residual.scale", "1.0"),
    *("--residual.observe-controller", "--residual.critic-input", "sum"),
)


def _gated() -> tuple[Cell, ...]:
    """RPL by default, and where steps are dear in half as many, judged twice as closely."""

    def cell(task: str, steps: int, cost: float, *words: str, variant: str = "gated") -> Cell:
        closely = (*words, "--evaluation-episodes", "200")
        return Cell(task, "rpl", steps, cost, closely, "fast", variant)

    def frugal(task: str, steps: int, cost: float) -> Cell:
        return replace(cell(task, steps, cost, variant="frugal"), preset="frugal")

    return (
        cell("push", 150_000, 9.0, *PLANNER),
        cell("push", 80_000, 3.5, variant="reactive-push-gated"),
        cell("slippery-push", 150_000, 3.5),
        cell("pick-and-place", 300_000, 3.5),
        cell("noisy-hook", 600_000, 6.0),
        cell("complex-hook", 1_000_000, 7.0),
        cell("mbrl-pusher", 300_000, 4.0),
        frugal("slippery-push", 75_000, 8.0),
        frugal("pick-and-place", 150_000, 8.0),
        frugal("complex-hook", 500_000, 12.0),
    )


def _published(*lengths: tuple[Sequence[Cell], int]) -> tuple[Cell, ...]:
    """Cells with the paper's settings, each as long as said."""
    return tuple(
        replace(cell, preset="paper", variant="paper", steps=steps, cost=3.5)
        for cells, steps in lengths
        for cell in cells
    )


def _matrix() -> tuple[Cell, ...]:
    push = _methods("push", 400_000, 8.0, 1_000_000, words=PLANNER)
    push = (push[0], replace(push[1], cost=1.2, words=()), push[2])
    # The largest of moves can be overruled by a residual as large only.
    overruling = replace(push[0], variant="scale-1", steps=200_000, words=OVERRULING)
    observing = replace(overruling, variant="observing", cost=6.0, words=OBSERVING)
    reactive = Cell("push", "rpl", 200_000, 1.2, variant="reactive-push")
    # A controller that is nearly always right needs little added.
    small = ("--residual.scale", "0.25")
    little = replace(reactive, variant="reactive-push-scale-0.25", words=small)
    slippery = _methods("slippery-push", 500_000, 1.2, 1_000_000)
    pick = _methods("pick-and-place", 800_000, 1.3)
    published = _published((slippery[:2], 1_000_000), (pick[:1], 1_500_000), (pick[1:2], 1_000_000))
    noisy = _methods("noisy-hook", 600_000, 3.0, words=RARELY_JUDGED)
    complex_ = _methods("complex-hook", 1_000_000, 4.0, words=RARELY_JUDGED)
    # It begins to learn at 600k steps; from scratch nothing is learned at all.
    complex_ = (*complex_[:2], replace(complex_[2], steps=2_000_000))
    judging_sums = replace(complex_[0], variant="observing", words=JUDGING_SUMS)
    pusher = _methods("mbrl-pusher", 600_000, 1.5)
    pets = Cell(
        "mbrl-pusher", "pets", PETS_STEPS, 500.0, preset="small", seeds=3, trial_steps=PETS_HORIZON
    )
    return (
        *_gated(),
        *push,
        overruling,
        observing,
        reactive,
        little,
        *slippery,
        *pick,
        *published,
        *noisy,
        *complex_,
        judging_sums,
        *pusher,
        pets,
    )


MATRIX = _matrix()


def cell_at(folder: str) -> Cell:
    """The cell of the matrix with this folder.

    Raises:
        KeyError: if there is none.
    """
    return {cell.folder: cell for cell in MATRIX}[folder]
