"""What several test files share: small tasks, and observations made by hand."""

import sys
from collections.abc import Callable
from pathlib import Path

import hypothesis
import numpy as np
import pytest

import compiling  # noqa: F401
from rpl.tasks import PICK_AND_PLACE, PUSH, FetchOptions, FetchTask, Layout

# A loaded machine is slow now and then, which says nothing of the code.
hypothesis.settings.register_profile("any-machine", deadline=None)
hypothesis.settings.load_profile("any-machine")


@pytest.fixture
def make_task():
    """Builds one-threaded Fetch tasks and closes them afterwards."""
    tasks: list[FetchTask] = []

    def make(num_envs: int = 1, options: FetchOptions = PUSH, **keywords) -> FetchTask:
        tasks.append(FetchTask(num_envs, options, **{"num_threads": 1, **keywords}))
        return tasks[-1]

    yield make
    for task in tasks:
        task.close()


@pytest.fixture(scope="session")
def layout() -> Layout:
    """The names of the 25 numbers that every Fetch task observes."""
    task = FetchTask(1, PICK_AND_PLACE, num_threads=1)
    task.close()
    return task.layout


@pytest.fixture
def make_observation(layout: Layout) -> Callable[..., dict[str, np.ndarray]]:
    """Builds read-only observations from named parts; everything else is zero."""

    def make(goal, **parts) -> dict[str, np.ndarray]:
        goal = np.atleast_2d(np.asarray(goal, float))
        rows = np.zeros((len(goal), layout.size))
        for name, value in parts.items():
            rows[:, getattr(layout, name)] = value
        achieved = rows[:, layout.object_position].copy()
        return read_only(
            {"observation": rows, "achieved_goal": achieved, "desired_goal": goal.copy()}
        )

    return make


@pytest.fixture(autouse=True)
def _same_path(monkeypatch) -> None:
    """Commands import a user's modules from where one is; later tests are elsewhere."""
    monkeypatch.setattr(sys, "path", list(sys.path))


@pytest.fixture
def workplace(tmp_path, monkeypatch) -> Path:
    """An empty folder to be in, whose modules can be imported and are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    sys.path.insert(0, str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None) or ""
        if Path(file).is_relative_to(tmp_path):
            del sys.modules[name]


def read_only(observation: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same observation; writing into it raises."""
    for part in observation.values():
        part.flags.writeable = False
    return observation
