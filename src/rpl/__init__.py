"""Residual policy learning: a controller plus a learned correction."""

import importlib
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from rpl import controllers, tasks
from rpl.controllers.contract import Controller, ControllerError, per_env
from rpl.residual import Residual, ResidualWrapper

if TYPE_CHECKING:
    from rpl.api import improve, load
    from rpl.registry.names import OwnOptions

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

ELSEWHERE = {"improve": "rpl.api", "load": "rpl.api", "OwnOptions": "rpl.registry.names"}
"""Where the names are whose modules need the learner."""


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])


def __getattr__(name: str) -> Any:
    """What needs the learner is imported where it is first used: JAX is slow to import."""
    if name not in ELSEWHERE:
        raise AttributeError(f"module 'rpl' has no attribute '{name}'")
    return getattr(importlib.import_module(ELSEWHERE[name]), name)
