"""One thing changed at a time: what the paper proposes, and what it leaves open. Data."""

from dataclasses import dataclass, replace

from rpl.paper.matrix import Cell, cell_at

SLIPPERY = cell_at("slippery-push/rpl")


@dataclass(frozen=True)
class Ablation:
    """One thing changed at a time, against a cell that stays as it is."""

    name: str
    """Its folder below results/ablations."""
    title: str
    question: str
    """What is changed, in a line."""
    reference_label: str
    """What the reference is called among the variants."""
    variants: tuple[tuple[str, str, str], ...]
    """Name of the folder, name for readers, further words of ``rpl train``."""
    reference: Cell = SLIPPERY
    """The cell that it changes; its runs count up to ``steps``."""
    steps: int = 200_000
    """How far the comparison goes; on slippery-push past where RPL has been at its level."""
    seeds: int = 3

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The runs it needs besides the reference's."""
        return tuple(
            replace(
                self.reference,
                steps=self.steps,
                words=(*self.reference.words, *words.split()),
                variant=variant,
                above=f"ablations/{self.name}",
                seeds=self.seeds,
            )
            for variant, _, words in self.variants
        )


def _rule(name: str, threshold: float) -> str:
    return f"--burn-in.rule {name} --burn-in.threshold {threshold} --burn-in.minimum-steps 0"


LEARNERS = (
    ("td3", "TD3", "--learner td3"),
    ("sac", "SAC", "--learner sac"),
    ("layer-norm", "layer-normalised critic", "--learner.layer-norm"),
    ("three-steps", "three-step returns", "--replay.n-step 3"),
    ("twice-the-updates", "twice the gradient steps", "--learner.updates-per-step 0.2"),
)

GATE = (
    ("always-acting", "the residual always acts", "--learner.no-gate"),
    ("no-caution", "the mean of the critics' advantages", "--learner.aggregate mean"),
    (
        "least-of-two",
        "the least of two critics",
        "--learner.aggregate least --learner.critics 2 --learner.critics-drawn 2",
    ),
    ("same-caution", "no less caution once better", "--learner.trusted-pessimism None"),
    ("no-layer-norm", "critics without layer normalisation", "--learner.no-layer-norm"),
    ("no-penalty", "no penalty on the residual", "--learner.action-l2 0"),
    ("newest-networks", "acting by the newest networks", "--learner.no-act-by-target"),
    ("one-step-returns", "one-step returns", "--replay.n-step 1"),
    ("not-asked", "the episode's own base action", "--replay.no-ask-controller"),
    ("short-disturbances", "disturbances of one step", "--exploration.hold 1"),
    ("never-alone", "never acting alone", "--exploration.alone-share 0"),
    (
        "ten-critics",
        "ten critics, two drawn, their mean, always acting (DAWN, ResFiT)",
        "--learner.no-gate --learner.aggregate mean --learner.critics 10 --learner.critics-drawn 2",
    ),
)
"""What the default adds; ten critics are what others climb beside a base policy."""

ABLATIONS = (
    *(
        Ablation(
            name,
            f"The default, {title}",
            "one ingredient of the preset `fast` taken away or put in another's place",
            "the default",
            GATE,
            cell_at(reference),
            steps=60_000,
        )
        for name, title, reference in (
            ("gate", "slippery-push", "slippery-push/rpl-gated"),
            ("gate-tuned-push", "push, tuned", "push/rpl-reactive-push-gated"),
        )
    ),
    Ablation(
        "zero-initialisation",
        "Zero initialisation",
        "the actor's last layer: zero (section IV-A) or random",
        "last layer zero",
        (("off", "last layer random", "--learner.no-zero-last"),),
    ),
    Ablation(
        "burn-in",
        "Burn-in",
        "how long only the critic learns (section IV-B): a fixed time, or until its loss (the "
        "paper's text) or the change of the mean value (its code) is small",
        "40k steps",
        (
            ("off", "off", "--burn-in.minimum-steps 0"),
            ("steps-20k", "20k steps", "--burn-in.minimum-steps 20000"),
            ("steps-80k", "80k steps", "--burn-in.minimum-steps 80000"),
            ("loss-1", "loss below 1.0 (paper)", _rule("critic-loss", 1.0)),
            ("loss-0.05", "loss below 0.05", _rule("critic-loss", 0.05)),
            ("value-1", "value moves less than 1.0", _rule("q-change", 1.0)),
            ("value-0.3", "value moves less than 0.3", _rule("q-change", 0.3)),
        ),
    ),
    Ablation(
        "residual-scale",
        "Residual scale",
        "what a residual of 1 adds to the action",
        "0.5",
        (
            ("0.25", "0.25", "--residual.scale 0.25"),
            ("1", "1", "--residual.scale 1"),
            ("2", "2 (paper)", "--residual.scale 2"),
        ),
    ),
    Ablation(
        "critic-input",
        "Input of the critic",
        "the critic sees the residual (the paper's code) or the executed action",
        "residual",
        (("sum", "sum", "--residual.critic-input sum"),),
    ),
    Ablation(
        "target-speed",
        "Target networks",
        "the Polyak factor: the share of the target networks that a cycle keeps",
        "0.8",
        (
            ("0.5", "0.5", "--learner.polyak 0.5"),
            ("0.9", "0.9", "--learner.polyak 0.9"),
            ("0.95", "0.95 (paper)", "--learner.polyak 0.95"),
        ),
    ),
    *(
        Ablation(
            name,
            f"Learners, {task}",
            "TD3 or SAC in place of DDPG, or one idea of later learners alone",
            "DDPG",
            LEARNERS,
            cell_at(f"{task}/rpl"),
            seeds=seeds,
        )
        for name, task, seeds in (
            ("learners", "slippery-push", 3),
            ("learners-pick-and-place", "pick-and-place", 1),
        )
    ),
    Ablation(
        "frames",
        "Frames under sensor noise",
        "one frame, or two: averaged, 0.5 (f(s1) + f(s2)) (section V-C), or side by side",
        "two, averaged",
        (
            ("one", "one", "--task.frames 1"),
            ("concatenated", "two, side by side", "--learner.no-average-frames"),
        ),
        cell_at("noisy-hook/rpl"),
        steps=400_000,
        seeds=1,
    ),
)
