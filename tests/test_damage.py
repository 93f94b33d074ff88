"""Random damage of every kind of file: refused in a sentence, or nothing is different by it.

A few examples of each kind here; 1,000 each under ``make soak``.
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from numbered import draw, make_episodes, make_replay
from rpl.controllers.cached import Cache
from rpl.errors import Failure
from rpl.registry.resolve import resolve
from rpl.runs.checkpoint import load_checkpoint
from rpl.runs.files import read_config
from rpl.runs.folder import RunFolder
from rpl.runs.record import record_of, recorded_spec
from rpl.tasks.fetch.objects import choose_objects
from rpl.training.progress import Progress
from rpl.viz.run_data import read_run
from small import small_learner

EXAMPLES = int(os.environ.get("RPL_SOAK", "12"))
NUMBERS = {"policy_success": 0.5, "policy_return": -3.25, "controller_return": -4.0}


def make_run(folder: Path) -> None:
    """A run with every kind of file that one leaves."""
    run = RunFolder(folder, json.loads(json.dumps(record_of(resolve("push"), "rpl train push"))))
    for row in range(3):
        run.append({"environment_steps": 400 * row, **NUMBERS, "burning_in": 0})
    replay = make_replay(4, slack=2, folder=run.replay_folder)
    replay.store(make_episodes(0, [6, 2, 5, 1, 3]))
    replay.flush()
    progress = Progress(cycle=3, environment_steps=800, rows=3, stored_episodes=replay.stored)
    run.save(small_learner(), progress, best=True)
    run.close()


def settings_of(folder: Path) -> Any:
    """What decides numbers when a policy of the run acts."""
    spec = recorded_spec(read_config(folder))
    load_checkpoint(folder, small_learner(1), Progress)
    # What may differ without a difference, and names, which lead to something or to nothing.
    config = replace(spec.config, num_threads=0, num_envs=None, steps=1)
    return config, spec.task.options, spec.controller.options


def learned(folder: Path) -> Any:
    state, stood = load_checkpoint(folder, small_learner(1), Progress)
    return [np.asarray(leaf).tolist() for leaf in jax.tree.leaves(state)], stood


def drawn(folder: Path) -> Any:
    replay = make_replay(4, slack=2, folder=folder / "replay")
    replay.restore(5)
    return jax.tree.map(lambda part: part.tolist(), tuple(draw(replay, 50)))


def plotted(folder: Path) -> Any:
    run = read_run(folder)
    return {name: column.tolist() for name, column in run.columns.items()}


def make_cache(folder: Path) -> None:
    parts = np.random.default_rng(0).normal(size=(3, 9, 2)).astype(np.float32)
    Cache(*parts, {"charged_steps": 7}).save(folder / "cache.npz")


def cached(folder: Path) -> Any:
    found = Cache.load(folder / "cache.npz")
    return found.observation.tolist(), found.action.tolist(), found.provenance


def make_mesh(folder: Path) -> None:
    corners = "v 0 0 0\nv .08 0 0\nv 0 .08 0\nv 0 0 .06\n"
    for i in range(2):
        (folder / f"wedge{i}.obj").write_text(corners + "f 1 3 2\nf 1 2 4\nf 2 3 4\nf 3 1 4\n")


def meshes(folder: Path) -> None:
    """A text without a checksum: it is only not to end in a traceback."""
    choose_objects(str(folder), "all")


KINDS: dict[str, tuple[Callable[[Path], None], Callable[[Path], Any]]] = {
    "config.json": (make_run, settings_of),
    "metrics.csv": (make_run, plotted),
    "checkpoint/last.eqx": (make_run, learned),
    "replay/observation.npy": (make_run, drawn),
    "replay/reward.npy": (make_run, drawn),
    "replay/length.npy": (make_run, drawn),
    "replay/checksum.npy": (make_run, drawn),
    "cache.npz": (make_cache, cached),
    "wedge0.obj": (make_mesh, meshes),
}


@st.composite
def damages(make: Any) -> Callable[[bytes], bytes]:
    """What may befall a file: bits, bytes, an end, a hole, something between, something else."""
    kind = make(st.sampled_from(["flip", "cut", "hole", "insert", "write", "all"]))
    where, some = make(st.floats(0, 1)), make(st.binary(min_size=1, max_size=40))
    length = make(st.integers(1, 200))

    def damage(data: bytes) -> bytes:
        at = int(where * (len(data) - 1))
        if kind == "flip":
            return data[:at] + bytes([data[at] ^ (1 << length % 8)]) + data[at + 1 :]
        return {
            "cut": data[:at],
            "hole": data[:at] + bytes(min(length, len(data) - at)) + data[at + length :],
            "insert": data[:at] + some + data[at:],
            "write": data[:at] + some + data[at + len(some) :],
            "all": some,
        }[kind]

    return damage


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Iterator[Callable[[str], Path]]:
    """A folder with the file of a kind, made once."""

    @cache
    def folder_of(make: Callable[[Path], None]) -> Path:
        folder = tmp_path_factory.mktemp("made")
        make(folder)
        return folder

    return lambda name: folder_of(KINDS[name][0])


@pytest.mark.parametrize("name", KINDS)
def test_damage_is_refused_in_a_sentence_or_changes_nothing(name, made) -> None:
    folder, use = made(name), KINDS[name][1]
    path, expected = folder / name, use(folder)
    whole = path.read_bytes()

    @settings(
        max_examples=EXAMPLES,
        database=None,
        derandomize=EXAMPLES < 100,
        suppress_health_check=list(HealthCheck),
    )
    @given(damages())
    def hold(damage: Callable[[bytes], bytes]) -> None:
        path.write_bytes(damage(whole))
        try:
            found = use(folder)
        except Failure as failure:
            assert "\n" not in str(failure)  # noqa: PT017
            return
        assert found == expected

    try:
        hold()
    finally:
        path.write_bytes(whole)
