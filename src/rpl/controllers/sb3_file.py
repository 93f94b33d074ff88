"""A policy that Stable-Baselines3 saved, as a controller."""

from __future__ import annotations

import importlib
import json
import zipfile
from pathlib import Path

from rpl.controllers.contract import ControllerError, Source
from rpl.settings import Record

PACKAGES = ("stable_baselines3", "sb3_contrib")
SHARED = {"cg_damping": "sb3_contrib.TRPO", "clip_range": "stable_baselines3.PPO"}
"""Algorithms whose policies are of one module, by a setting that only they have; else A2C."""


def load_model(path: str | Path) -> Source:
    """The model in a ``.zip`` file that ``model.save`` wrote.

    Stable-Baselines3 unpickles parts of its files, and so runs what is in them: load only files
    of people you trust.

    Raises:
        ControllerError: if there is no such file, or nothing here that reads it.
    """
    path = Path(path)
    if not path.is_file():
        raise ControllerError(f"there is no file {path}")
    try:
        with zipfile.ZipFile(path) as archive:
            data = json.loads(archive.read("data"))
        where = data["policy_class"]["__module__"]
    except Exception as error:  # whatever bytes may do to a reader of archives
        raise ControllerError(f"{path} was not saved by Stable-Baselines3") from error
    algorithm = _algorithm(where, data)
    if algorithm is None:
        raise ControllerError(
            f"{path} holds a policy of {where}, whose algorithm cannot be told: load it yourself, "
            "and give the model as module:model"
        )
    try:
        return algorithm.load(path, device="cpu")
    except Exception as error:
        raise ControllerError(f"{path} cannot be loaded by {where}: {error}") from error


def _algorithm(where: str, data: Record) -> Source:
    """The class that saved a policy of a module; None if it cannot be told."""
    package, name = ([*where.split("."), ""])[:2]
    if where.startswith("stable_baselines3.common."):
        fits = (found for setting, found in SHARED.items() if setting in data)
        package, name = next(fits, "stable_baselines3.A2C").split(".")
    elif where.startswith("sb3_contrib.common.recurrent."):
        name = "RecurrentPPO"
    if package not in PACKAGES:
        return None
    try:
        module = importlib.import_module(package)
    except ImportError as error:
        raise ControllerError(
            f"a policy of {package} needs it: pip install {package.replace('_', '-')}"
        ) from error
    classes = {known.lower(): found for known, found in vars(module).items()}
    return classes.get(name.lower())
