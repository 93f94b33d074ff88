"""Residual policy learning: a controller plus a learned correction."""

from __future__ import annotations

import pkgutil
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from rpl import controllers, tasks
from rpl.controllers.contract import Controller, ControllerError
from rpl.controllers.per_environment import per_env
from rpl.replay.log import EpisodeLog
from rpl.residual import Residual, ResidualWrapper

if TYPE_CHECKING:
    from rpl.api import improve, load
    from rpl.registry.names import EnvironmentOptions

__version__ = version("rpl")

__all__ = [
    "Controller",
    "ControllerError",
    "EnvironmentOptions",
    "EpisodeLog",
    "Residual",
    "ResidualWrapper",
    "controllers",
    "improve",
    "load",
    "per_env",
    "tasks",
]

ELSEWHERE = {
    "improve": "rpl.api:improve",
    "load": "rpl.api:load",
    "EnvironmentOptions": "rpl.registry.names:EnvironmentOptions",
    "OwnOptions": "rpl.registry.names:EnvironmentOptions",  # its name until version 0.1
}
"""Where the names are whose modules need the learner."""


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])


def __getattr__(name: str) -> Any:
    """What needs the learner is imported where it is first used: JAX is slow to import."""
    if name not in ELSEWHERE:
        raise AttributeError(f"module 'rpl' has no attribute '{name}'")
    return pkgutil.resolve_name(ELSEWHERE[name])
