"""Numbers as people read them."""

from __future__ import annotations


def format_steps(steps: float, position: object = None) -> str:
    """1500000 -> 1.5M, 40000 -> 40k, 0 -> 0."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if abs(steps) >= size:
            return f"{steps / size:g}{letter}"
    return f"{steps:g}"
