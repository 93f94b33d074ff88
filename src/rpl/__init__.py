"""Residual policy learning: a controller plus a learned correction."""

import importlib
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from rpl import controllers, tasks
from rpl.residual import Controller, ControllerError, Residual, ResidualWrapper, per_env

if TYPE_CHECKING:
    from rpl.improving import improve
    from rpl.own import OwnOptions
    from rpl.policy import load

__version__ = version("rpl")

__all__ = [
    "Controller",
    "ControllerError",
    "OwnOptions",
    "Residual",
    "ResidualWrapper",
    "controllers",
    "improve",
    "load",
    "per_env",
    "tasks",
]

ELSEWHERE = {"improve": "rpl.improving", "load": "rpl.policy", "OwnOptions": "rpl.own"}
"""Where the names are whose modules need the learner."""


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])


def __getattr__(name: str) -> Any:
    """What needs the learner is imported where it is first used: JAX is slow to import."""
    if name not in ELSEWHERE:
        raise AttributeError(f"module 'rpl' has no attribute '{name}'")
    return getattr(importlib.import_module(ELSEWHERE[name]), name)
