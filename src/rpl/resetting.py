"""Which environments of a vector a reset is for."""

from __future__ import annotations

from typing import Any

import numpy as np


def reset_mask(options: dict[str, Any] | None, num_envs: int) -> np.ndarray:
    """``options["reset_mask"]`` as (num_envs,) bool; without one all are reset.

    Raises:
        ValueError: if it has another shape.
    """
    mask = np.asarray((options or {}).get("reset_mask", np.ones(num_envs)), bool)
    if mask.shape != (num_envs,):
        raise ValueError(f"reset_mask has shape {mask.shape}, expected ({num_envs},)")
    return mask
