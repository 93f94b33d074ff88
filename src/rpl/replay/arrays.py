"""Arrays of a replay, in memory or as memory-mapped files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from rpl.errors import InvalidValue


def array_in(folder: Path | None, name: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """The array of a name in a folder, made if missing; in memory without a folder.

    Raises:
        ValueError: if the folder holds one of another shape or type.
        OSError: if the disk is full.
    """
    if folder is None:
        return np.zeros(shape, dtype)
    path = folder / f"{name}.npy"
    if path.exists():
        array = np.lib.format.open_memmap(path, mode="r+")
        if array.shape != shape or array.dtype != dtype:
            raise InvalidValue(
                f"{path} holds {array.dtype} {array.shape}, not {dtype} {shape}: it belongs to a "
                "run with other settings; choose another folder"
            )
        return array
    folder.mkdir(parents=True, exist_ok=True)
    array = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    if array.nbytes:
        _claim_space(path, array.nbytes)
    return array


def _claim_space(path: Path, size: int) -> None:
    """Claims the disk space now: a disk that fills up under a memory map kills the process."""
    try:
        if hasattr(os, "posix_fallocate"):
            with open(path, "r+b") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    except OSError as error:
        path.unlink()
        raise OSError(
            f"cannot keep {size / 1e6:.0f} MB of replay in {path.parent} ({error.strerror}): free "
            "some space, choose another folder with --out, or lower --replay.capacity"
        ) from error
