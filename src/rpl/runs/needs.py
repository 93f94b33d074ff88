"""Whether a run fits: what it will hold in memory and on the disk, before anything is made."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from rich.filesize import decimal

from rpl.config import Config
from rpl.errors import InvalidValue, check_settings
from rpl.pets.config import PETSConfig
from rpl.registry.names import EnvironmentOptions
from rpl.registry.resolve import RunSpec

NUMBERS = 48  # of a step with all that is kept of it, as on the paper's tasks
WIDTH = 32  # of what networks see
FLOAT = 4  # bytes
SIMULATION = 200_000  # bytes of one environment, at least
USUAL_HORIZON = 200  # where only the environment knows


@dataclass(frozen=True)
class Need:
    """What a setting asks for, in bytes."""

    option: str
    value: int
    each: float
    """Bytes for each."""
    on_disk: bool = False

    @property
    def size(self) -> float:
        """Bytes in all."""
        return self.value * self.each


def check_fits(spec: RunSpec, folder: Path) -> None:
    """Refuses settings whose arrays cannot fit; what is left then may still be slow.

    Raises:
        InvalidValue: naming the setting, what it needs and what would fit.
    """
    needs = _of_learner(spec) if isinstance(spec.config, Config) else _of_planner(spec)
    memory, disk = memory_here(), free_disk(folder)
    for need in needs:
        room = disk if need.on_disk else memory
        if need.size > room:
            where = f"of the disk at {folder}" if need.on_disk else "of memory"
            raise InvalidValue(
                f"{need.option} {need.value} needs about {decimal(int(need.size))} {where}, where "
                f"{decimal(int(room))} are free: at most {int(room // need.each):,} would fit"
            )


def _horizon(spec: RunSpec) -> int:
    if spec.task.entry is not None:
        return spec.task.entry.horizon
    options = spec.task.options
    assert isinstance(options, EnvironmentOptions)
    return options.max_episode_steps or USUAL_HORIZON


def _of_learner(spec: RunSpec) -> Iterator[Need]:
    config, horizon = spec.config, _horizon(spec)
    assert isinstance(config, Config)
    episode = (horizon + 1) * NUMBERS * FLOAT
    for option, count in (
        ("--episodes-per-cycle", config.episodes_per_cycle),
        ("--evaluation-episodes", config.evaluation_episodes),
        ("--final-evaluation-episodes", config.final_evaluation_episodes),
        ("--num-envs", config.num_envs or 0),
    ):
        yield Need(option, count, SIMULATION if option == "--num-envs" else episode)
    learner = config.learner
    updates = learner.updates(config.steps_per_cycle(horizon))
    transition = 2 * NUMBERS * FLOAT
    yield Need("--learner.batch-size", learner.batch_size, updates * transition)
    how = (
        "--learner.updates-per-step" if learner.updates_per_step else "--learner.updates-per-cycle"
    )
    yield Need(how, updates, learner.batch_size * transition)
    yield _of_networks("--learner.hidden", learner.hidden, 4 * (1 + learner.critics))
    yield Need("--learner.critics", learner.critics, 4 * FLOAT * _weights(learner.hidden))
    row = NUMBERS * FLOAT
    steps = min(config.replay.capacity, config.steps)
    yield Need("--replay.capacity", steps, row, on_disk=True)


def _of_planner(spec: RunSpec) -> Iterator[Need]:
    config = spec.config
    assert isinstance(config, PETSConfig)
    # A single random trial teaches a model that nobody would ever ask.
    check_settings({"--trials": config.trials}, lambda count: count >= 1, "at least 1")
    yield Need("--trials", config.trials, (_horizon(spec) + 1) * NUMBERS * FLOAT)
    yield _of_networks("--model.hidden", config.model.hidden, 3 * config.model.networks)
    yield Need(
        "--model.batch-size", config.model.batch_size, config.model.networks * NUMBERS * FLOAT
    )
    for name, planner in (("planner", config.planner), ("early-planner", config.early_planner)):
        row = FLOAT * max(*config.model.hidden, WIDTH)
        yield Need(f"--{name}.population", planner.population, planner.particles * row)
        yield Need(f"--{name}.particles", planner.particles, planner.population * row)
        actions = planner.population * planner.particles * 8 * FLOAT
        yield Need(f"--{name}.horizon", planner.horizon, actions)


def _weights(hidden: tuple[int, ...]) -> int:
    return sum(a * b for a, b in pairwise((WIDTH, *hidden, WIDTH)))


def _of_networks(option: str, hidden: tuple[int, ...], copies: int) -> Need:
    """Weights with their copies: those that follow, and what the optimiser knows of each."""
    return Need(option, max(hidden), copies * FLOAT * _weights(hidden) / max(hidden))


def memory_here() -> int:
    """Bytes of memory that this machine has, or this process may use where that is said."""
    size = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = Path("/sys/fs/cgroup/memory.max")
    try:
        return min(size, int(limit.read_text()))
    except (OSError, ValueError):  # no such limit
        return size


def free_disk(folder: Path) -> int:
    """Bytes that are free where the folder is, or will be."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    return shutil.disk_usage(there).free
