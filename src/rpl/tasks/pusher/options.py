"""The variations of MBRLPusher, which can be named without MuJoCo."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PusherOptions:
    """The variations of MBRLPusher."""

    max_torque: float = 2.0
    """N m of an action of 1, at every joint. The published environment's is 2; the residual
    learner of 2018 clipped the sum of controller and residual to 1 N m."""


MBRL_PUSHER = PusherOptions()
