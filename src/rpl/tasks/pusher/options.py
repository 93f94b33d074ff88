"""The variations of MBRLPusher, which can be named without MuJoCo."""

from __future__ import annotations

from dataclasses import dataclass

from rpl.errors import above_0, check_settings


@dataclass(frozen=True)
class PusherOptions:
    """The variations of MBRLPusher."""

    max_torque: float = 2.0
    """N m of an action of 1, at every joint. The published environment's is 2; the residual
    learner of 2018 clipped the sum of controller and residual to 1 N m."""

    def __post_init__(self) -> None:
        """Refuses what no motor has.

        Raises:
            InvalidValue: naming the option.
        """
        check_settings({"--task.max-torque": self.max_torque}, above_0, "above 0")


MBRL_PUSHER = PusherOptions()
