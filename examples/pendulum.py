"""Gymnasium's Pendulum with a PD law that is too weak to swing it up.

    rpl train Pendulum-v1 --controller examples.pendulum:controller --learner td3 \\
        --residual.scale 1.0 --steps 60000 --learner.hidden 64 64
    rpl eval runs/Pendulum-v1-rpl-td3-seed0
"""

from __future__ import annotations

import numpy as np

GAIN, DAMPING = 1.5, 0.3  # N m / rad, N m s / rad: holds the pendulum up, but cannot lift it


def controller(observation: np.ndarray) -> np.ndarray:
    """Torques (n, 1) in N m for observations (n, 3): cosine, sine, angular velocity."""
    cosine, sine, velocity = observation.T
    angle = np.arctan2(sine, cosine)
    return np.clip(-GAIN * angle - DAMPING * velocity, -2.0, 2.0)[:, None]


if __name__ == "__main__":
    import rpl

    rpl.improve("Pendulum-v1", controller, learner="td3", scale=1.0, steps=60_000)
