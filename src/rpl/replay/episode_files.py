"""Files of episodes: ``.npz`` and HDF5 with one plain layout, and Minari's datasets.

Episodes lie end to end. With E of them, and N steps in all, a file has

| name | shape | |
|---|---|---|
| ``observations``, or ``observations/PART`` for each part of a dict | (N + E, ...) | also after
the last step |
| ``actions`` | (N, action_dim) | in the environment's units |
| ``rewards`` | (N,) | |
| ``lengths`` | (E,) | steps of each episode |
| ``terminated`` | (E,) | ended by itself rather than by the clock |
| ``success`` | (E,) | may be missing |
| ``base_actions`` | (N + E, action_dim) | may be missing: what the controller would have done |
| ``environment``, ``environment_class`` | text | may be missing |
| ``action_bounds`` | (2, action_dim) | the least and the greatest action; may be missing |
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from rpl.errors import Failure, InvalidValue, whole_file
from rpl.replay.minari_datasets import read_minari
from rpl.replay.recorded import (
    ACTIONS,
    BASE_ACTIONS,
    REWARDS,
    SUCCESS,
    TERMINATED,
    MadeIn,
    Recorded,
    Recording,
    UnsuitablePrior,
    checksum,
    leaves,
)

LENGTHS = "lengths"
ENVIRONMENT, ENVIRONMENT_CLASS, BOUNDS = "environment", "environment_class", "action_bounds"
HDF5 = (".h5", ".hdf5")
Fields = dict[str, np.ndarray]


def read_recording(name: str, space: gymnasium.Space) -> Recording:
    """The episodes of a file, not yet held to an environment.

    Args:
        name: a path, or the id of a Minari dataset that is on this machine.
        space: of the environment's observations, whose parts are read.

    Raises:
        UnsuitablePrior: if it is missing, damaged, or laid out otherwise.
        Failure: if an extra is needed.
    """
    path = Path(name)
    if path.suffix in (".npz", *HDF5) and path.is_file():
        fields = _fields_of(path)
        made_in = MadeIn(
            _text(fields, ENVIRONMENT), _text(fields, ENVIRONMENT_CLASS), _bounds(fields)
        )
        return Recording(name, _episodes(name, fields, space), made_in, checksum([path]))
    if path.is_file():
        raise UnsuitablePrior(
            f"{name} is no file of episodes: those end in .npz, .h5 or .hdf5, and a Minari dataset "
            "is named by its id or its folder"
        )
    return read_minari(name)


def write_recording(path: Path, episodes: Sequence[Recorded], made_in: MadeIn) -> None:
    """Writes episodes in the plain layout; the file appears whole or not at all.

    Raises:
        InvalidValue: if there is no episode, or if they do not have the same parts and shapes.
        CannotWrite: if it cannot be written.
    """
    if not episodes:
        raise InvalidValue(f"no episode has ended, so there is nothing to write to {path}")
    fields = _joined(path, episodes)
    texts = {ENVIRONMENT: made_in.id, ENVIRONMENT_CLASS: made_in.kind}
    fields |= {name: np.array(text) for name, text in texts.items() if text is not None}
    if made_in.bounds is not None:
        fields[BOUNDS] = np.array(made_in.bounds)
    with whole_file(path) as beside:
        if path.suffix in HDF5:
            with _h5py().File(beside, "w") as file:
                for name, array in fields.items():
                    is_text = array.dtype.kind == "U"
                    file.create_dataset(name, data=str(array) if is_text else array)
        else:
            np.savez_compressed(beside, **fields)  # type: ignore[arg-type]


def _joined(path: Path, episodes: Sequence[Recorded]) -> Fields:
    def all_of(parts: Iterator[np.ndarray]) -> np.ndarray:
        return np.concatenate(list(parts))

    names = episodes[0].observations
    try:
        fields = {name: all_of(e.observations[name] for e in episodes) for name in names}
        fields[ACTIONS] = all_of(e.actions for e in episodes)
        based = [e.base_actions for e in episodes if e.base_actions is not None]
        if based:
            fields[BASE_ACTIONS] = np.concatenate(based)
    except (KeyError, ValueError) as error:
        raise InvalidValue(
            f"the episodes for {path} differ in what they observe or in their actions ({error}): "
            "write a file for each kind"
        ) from error
    if based and len(based) < len(episodes):
        raise InvalidValue(f"some episodes for {path} have base actions and others none")
    fields[REWARDS] = all_of(e.rewards for e in episodes)
    fields[LENGTHS] = np.array([len(e) for e in episodes])
    fields[TERMINATED] = np.array([e.terminated for e in episodes])
    if any(e.success is not None for e in episodes):  # what says nothing has not succeeded
        fields[SUCCESS] = np.array([bool(e.success) for e in episodes])
    return fields


def _fields_of(path: Path) -> Fields:
    """All arrays of a file by their names."""
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
        h5py, found = _h5py(), Fields()
        with h5py.File(path, "r") as file:
            file.visititems(
                lambda name, item: (
                    found.update({name: np.asarray(item[()])})
                    if isinstance(item, h5py.Dataset)
                    else None
                )
            )
        return found
    except Failure:
        raise
    except Exception as error:  # whatever bytes may do to a reader
        raise UnsuitablePrior(f"{path} cannot be read, it is damaged ({error})") from error


def _episodes(name: str, fields: Fields, space: gymnasium.Space) -> list[Recorded]:
    parts = [part for part, _ in leaves(space)]
    needed = (LENGTHS, ACTIONS, REWARDS, TERMINATED, *parts)
    for field in needed:
        if field not in fields:
            raise UnsuitablePrior(
                f"{name} has no {field}; it has {', '.join(fields) or 'nothing'}: it was made for "
                "another environment, or has another layout than rpl.EpisodeLog writes"
            )
    lengths = _lengths(name, fields[LENGTHS])
    once = np.ones_like(lengths)
    rows = {ACTIONS: lengths, REWARDS: lengths, TERMINATED: once, SUCCESS: once}
    pieces: dict[str, list[np.ndarray]] = {}
    for field in (*needed[1:], *({BASE_ACTIONS, SUCCESS} & fields.keys())):
        counts = rows.get(field, lengths + 1)
        if fields[field].shape[:1] != (counts.sum(),):
            raise UnsuitablePrior(
                f"{name}: {field} has shape {fields[field].shape}, and by the lengths it has "
                f"{counts.sum()} rows"
            )
        pieces[field] = np.split(fields[field], np.cumsum(counts)[:-1])
    each = zip(*pieces.values(), strict=True)
    return [_recorded(dict(zip(pieces, episode, strict=True)), parts) for episode in each]


def _recorded(fields: Fields, parts: Sequence[str]) -> Recorded:
    """One episode of its own rows."""
    return Recorded(
        {part: fields[part] for part in parts},
        fields[ACTIONS],
        fields[REWARDS],
        bool(fields[TERMINATED][0]),
        bool(fields[SUCCESS][0]) if SUCCESS in fields else None,
        fields.get(BASE_ACTIONS),
    )


def _lengths(name: str, lengths: np.ndarray) -> np.ndarray:
    if lengths.ndim != 1 or lengths.dtype.kind not in "ui" or (lengths < 1).any():
        raise UnsuitablePrior(f"{name}: {LENGTHS} must be whole numbers of at least 1, one each")
    return lengths.astype(np.int64)


def _text(fields: Fields, name: str) -> str | None:
    if name not in fields:
        return None
    value = fields[name].item()
    return value.decode() if isinstance(value, bytes) else str(value)


def _bounds(fields: Fields) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    if BOUNDS not in fields:
        return None
    said = fields[BOUNDS]
    if said.ndim != 2 or len(said) != 2 or said.dtype.kind not in "fiu":
        return (), ()  # of no environment
    low, high = (tuple(map(float, side)) for side in said)
    return low, high


def _h5py() -> Any:
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise Failure("HDF5 files need the extra data: pip install 'rpl[data]'") from error
    return h5py
