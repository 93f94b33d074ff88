"""Minari's datasets as recorded episodes, read through Minari's own interface."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from rpl.errors import Failure
from rpl.replay.recorded import (
    BASE_ACTIONS,
    SUCCESS,
    MadeIn,
    Recorded,
    Recording,
    UnsuitablePrior,
    checksum,
    flat,
)


def read_minari(name: str) -> Recording:
    """A dataset by its id or its folder; the infos may hold ``success`` and ``base_actions``.

    Raises:
        UnsuitablePrior: if there is none on this machine, or it cannot be read.
        Failure: if Minari is not installed.
    """
    folder = Path(name) / "data" if (Path(name) / "data").is_dir() else Path(name)
    try:
        import minari

        found = minari.MinariDataset(folder) if folder.is_dir() else minari.load_dataset(name)
        episodes = [_recorded(episode) for episode in found.iterate_episodes()]
    except ModuleNotFoundError as error:
        raise Failure(
            f"there is no file {name}, and to read a Minari dataset of that name "
            f"{error.name} is missing: pip install 'rpl[data]'"
        ) from error
    except Exception as error:  # of whatever kind
        raise UnsuitablePrior(
            f"there is no file {name}, nor a Minari dataset on this machine that can be read "
            f"({error}): `minari list local` shows those there are"
        ) from error
    files = sorted(path for path in Path(found.spec.data_path).rglob("*") if path.is_file())
    made_in = MadeIn(None if found.env_spec is None else found.env_spec.id)
    return Recording(name, episodes, made_in, checksum(files))


def _recorded(episode: Any) -> Recorded:
    infos = episode.infos or {}
    success, base = infos.get("is_success", infos.get(SUCCESS)), infos.get(BASE_ACTIONS)
    return Recorded(
        {name: np.asarray(part) for name, part in flat(episode.observations).items()},
        np.asarray(episode.actions),
        np.asarray(episode.rewards),
        bool(episode.terminations[-1]),
        None if success is None else bool(success[-1]),
        None if base is None else np.asarray(base),
    )
