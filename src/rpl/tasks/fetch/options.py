"""The variations of the Fetch and hook tasks, which can be named without MuJoCo."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from rpl.errors import at_least_0, check_settings

Physics = Literal["exact", "lean"]
Split = Literal["training", "held-out", "all"]
LIBRARY = "library"  # of objects, in the package
MOST_FRAMES = 100
SUBSTEPS = 20  # physics steps of an environment step


@dataclass(frozen=True)
class FetchOptions:
    """The variations of the Fetch tasks."""

    physics: Physics = "exact"
    """exact: the published model. lean: without collisions that cannot take part in the task."""
    friction: tuple[float, float, float] | None = None
    """Sliding, torsional and rolling friction of every geom; None keeps the published values."""
    gripper_locked: bool = True
    """Keep the fingers closed; the fourth action component then has no effect."""
    target_in_the_air: bool = False
    """Draw half of the goals above the table."""

    def __post_init__(self) -> None:
        """Refuses what no physics has.

        Raises:
            InvalidValue: naming the option.
        """
        for value in self.friction or ():
            check_settings({"--task.friction": value}, at_least_0, "at least 0")


PUSH = FetchOptions()
SLIPPERY_PUSH = replace(PUSH, friction=(0.18, 0.005, 0.0001))
PICK_AND_PLACE = replace(PUSH, gripper_locked=False, target_in_the_air=True)


@dataclass(frozen=True)
class HookOptions:
    """The variations of the hook tasks."""

    physics: Physics = "exact"
    """exact: the published arm. lean: without collisions that cannot take part in the task."""
    noise: float = 0.0
    """Standard deviation of the sensor noise on the object's x and y, the hook's position
    (metres) and both rotations (radians)."""
    noisy_rewards: bool = True
    """Rewards and achieved goals are derived from the noisy state. Success never is."""
    objects: str | None = None
    """None: a cube. "library": the shipped objects. Else a folder of STL and OBJ files."""
    split: Split = "training"
    """Which of the objects: training, held-out or all."""
    bumps: bool = False
    """Strew boxes over the table, others in every episode."""
    frames: int = 1
    """Observations seen together, the newest first; ``make_hook_task`` adds the history."""

    def __post_init__(self) -> None:
        """Refuses what cannot be.

        Raises:
            InvalidValue: naming the option.
        """
        check_settings({"--task.noise": self.noise}, at_least_0, "at least 0")
        frames = {"--task.frames": self.frames}
        check_settings(frames, lambda count: 1 <= count <= MOST_FRAMES, "between 1 and 100")


HOOK = HookOptions()
NOISY_HOOK = replace(HOOK, noise=0.025, frames=2)
COMPLEX_HOOK = replace(HOOK, objects=LIBRARY, bumps=True)
