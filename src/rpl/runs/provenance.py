"""Where a run comes from: versions, commit and machine; and whose code it leads to."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

from rich.console import Console

from rpl.registry.names import code_behind
from rpl.settings import Record
from rpl.training.console import say

PACKAGES = ("rpl", "mujoco", "gymnasium", "gymnasium-robotics", "jax", "equinox", "optax", "numpy")


def provenance() -> Record:
    """Versions, commit and machine, for ``config.json``."""
    return {
        "versions": {"python": platform.python_version()} | _versions(),
        "commit": _commit(),
        "machine": {
            "system": f"{platform.system()} {platform.machine()}",
            "cores": usable_cores(),
        },
    }


def usable_cores() -> int:
    """Cores that this process may use, where the system says; else all there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _commit() -> str | None:
    """The commit of this code; None where the repository around it is somebody else's."""
    here = Path(__file__)

    def git(*words: str) -> str:
        command = ["git", "-C", str(here.parent), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", here.name)
        return git("describe", "--always", "--dirty")
    except (OSError, subprocess.CalledProcessError):
        return None


def say_what_runs(folder: Path, *names: str | None) -> None:
    """Says on standard error, once, whose code a run's names lead to, before any of it runs."""
    for name in names:
        if name is not None and (file := code_behind(name)):
            _say_once(folder, name, file)


@functools.cache
def _say_once(folder: Path, name: str, file: Path) -> None:
    say(
        Console(stderr=True),
        f"note: {folder} names {name}, and so runs the code of {file}: "
        "open no run of people whom you do not trust",
    )
