"""What the paper reports (sections V-E and figures 3, 4, read off where only drawn)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """The paper's numbers for one method on one task; None where it gives none."""

    final: float | None = None
    """Success rate, or return on mbrl-pusher, where the curve ends."""
    steps: float | None = None
    """Environment steps after which it is there."""
    note: str = ""
    """What it says where it gives no number."""

    def __str__(self) -> str:
        reached = "" if self.final is None else f"{self.final:g}"
        after = "" if self.steps is None else f" after {self.steps / 1e6:g}M"
        return f"{self.note} {reached}{after}".strip() or "–"


INITIAL = {
    "push": 0.5,
    "slippery-push": 0.45,
    "pick-and-place": 0.5,
    "noisy-hook": 0.15,
    "complex-hook": 0.55,
}
"""Success rate of the initial policy."""

PUBLISHED: dict[tuple[str, str], Published] = {
    ("push", "rpl"): Published(1.0, note="0.9 with a tenth of scratch's steps;"),
    ("push", "scratch"): Published(1.0, 2e6),
    ("push", "expert-explore"): Published(1.0, note="between the two;"),
    ("slippery-push", "rpl"): Published(1.0, 1e6),
    ("slippery-push", "scratch"): Published(1.0, 1e6),
    ("slippery-push", "expert-explore"): Published(1.0, note="below RPL at first;"),
    ("pick-and-place", "rpl"): Published(1.0, 1e6),
    ("pick-and-place", "scratch"): Published(1.0, 10e6),
    ("pick-and-place", "expert-explore"): Published(note="between the two"),
    ("noisy-hook", "rpl"): Published(0.8),
    ("noisy-hook", "scratch"): Published(0.0),
    ("noisy-hook", "expert-explore"): Published(note="nontrivial only after 5M"),
    ("complex-hook", "rpl"): Published(0.8, note="just below"),
    ("complex-hook", "scratch"): Published(note="as a policy that does nothing"),
    ("complex-hook", "expert-explore"): Published(note="slightly above the controller"),
    ("mbrl-pusher", "rpl"): Published(note="above PETS, before scratch"),
    ("mbrl-pusher", "scratch"): Published(note="reaches RPL's return, later"),
    ("mbrl-pusher", "pets"): Published(-75.0),
}
