"""What needs MuJoCo is imported where it is needed, and says so in a sentence."""

from __future__ import annotations

import importlib
import importlib.metadata
from types import ModuleType

from rpl.errors import Failure

LEAST = "3.17"  # the first with mujoco.batch


class NeedsMuJoCo(Failure, ImportError):
    """Something of the paper's tasks was asked for, and MuJoCo is missing or too old."""


def needed(module: str) -> ModuleType:
    """A module of this package that imports MuJoCo.

    Raises:
        NeedsMuJoCo: if there is none that it can use.
    """
    try:
        return importlib.import_module(module)
    except (ImportError, OSError) as error:
        missing = str(getattr(error, "name", None) or error)
        if "mujoco" not in missing:
            raise
        raise NeedsMuJoCo(
            f"the paper's tasks need mujoco >= {LEAST} and gymnasium-robotics, and {_found()}: "
            "pip install -e '.[paper]'; environments of your own need neither"
        ) from error


def _found() -> str:
    try:
        return f"there is mujoco {importlib.metadata.version('mujoco')}"
    except importlib.metadata.PackageNotFoundError:
        return "there is no mujoco"
