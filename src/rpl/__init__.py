"""Residual policy learning: a controller plus a learned correction."""

from rpl import controllers, tasks
from rpl.residual import Controller, ControllerError, Residual, ResidualWrapper, per_env

__all__ = [
    "Controller",
    "ControllerError",
    "Residual",
    "ResidualWrapper",
    "controllers",
    "per_env",
    "tasks",
]
