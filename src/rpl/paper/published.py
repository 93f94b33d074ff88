"""What the paper reports (sections V-E and figures 3, 4, read off where only drawn)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """The paper's numbers for one method on one task; None where it gives none."""

    final: float | None = None
    """Success rate, or return on mbrl-pusher, where the curve ends."""
    steps: float | None = None
    """Environment steps after which it is there."""
    words: str = ""
    """What it says, where a number alone would not do."""

    def __str__(self) -> str:
        if self.words:
            return self.words
        reached = "-" if self.final is None else f"{self.final:.{int(abs(self.final) <= 1)}f}"
        return reached if self.steps is None else f"{reached} after {self.steps / 1e6:g}M"


INITIAL = {
    "push": 0.5,
    "slippery-push": 0.45,
    "pick-and-place": 0.5,
    "noisy-hook": 0.15,
    "complex-hook": 0.55,
}
"""Success rate of the initial policy."""

PUBLISHED: dict[tuple[str, str], Published] = {
    ("push", "rpl"): Published(1.0, words="1.0; 0.9 with a tenth of scratch's steps"),
    ("push", "scratch"): Published(1.0, 2e6),
    ("push", "expert-explore"): Published(1.0, words="1.0, between the two"),
    ("slippery-push", "rpl"): Published(1.0, 1e6),
    ("slippery-push", "scratch"): Published(1.0, 1e6),
    ("slippery-push", "expert-explore"): Published(1.0, words="1.0, below RPL at first"),
    ("pick-and-place", "rpl"): Published(1.0, 1e6),
    ("pick-and-place", "scratch"): Published(1.0, 10e6),
    ("pick-and-place", "expert-explore"): Published(words="between the two"),
    ("noisy-hook", "rpl"): Published(0.8),
    ("noisy-hook", "scratch"): Published(0.0),
    ("noisy-hook", "expert-explore"): Published(words="nontrivial only after 5M"),
    ("complex-hook", "rpl"): Published(0.8, words="just below 0.8"),
    ("complex-hook", "scratch"): Published(words="as a policy that does nothing"),
    ("complex-hook", "expert-explore"): Published(words="slightly above the controller"),
    ("mbrl-pusher", "rpl"): Published(words="above PETS, before scratch"),
    ("mbrl-pusher", "scratch"): Published(words="reaches RPL's return, later"),
    ("mbrl-pusher", "pets"): Published(-75.0),
}
