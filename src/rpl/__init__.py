"""Residual policy learning: a controller plus a learned correction."""

from typing import TYPE_CHECKING, Any

from rpl import controllers, tasks
from rpl.residual import Controller, ControllerError, Residual, ResidualWrapper, per_env

if TYPE_CHECKING:
    from rpl.improving import improve
    from rpl.policy import load

__all__ = [
    "Controller",
    "ControllerError",
    "Residual",
    "ResidualWrapper",
    "controllers",
    "improve",
    "load",
    "per_env",
    "tasks",
]


def __getattr__(name: str) -> Any:
    """What needs the learner is imported where it is first used: JAX is slow to import."""
    if name == "improve":
        from rpl.improving import improve

        return improve
    if name == "load":
        from rpl.policy import load

        return load
    raise AttributeError(f"module 'rpl' has no attribute '{name}'")
