"""Arrays of a replay on disk, which grow with what is stored in them."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from rich.filesize import decimal

from rpl.errors import Failure, sync_folder

OURS = re.compile(
    r"(observation|base_action|desired_goal|achieved_goal|action|reward|start|length|terminated"
    r"|checksum|part\d+)\.npy"
)
"""The files that a replay writes."""
FEWEST_ROWS = 4096
GROWTH = 1.25


class ReplayLost(Failure):
    """The replay's arrays are not those that a checkpoint belongs to."""


class ArrayFile:
    """An array in a ``.npy`` file, mapped into memory, with as many rows as were needed so far.

    The disk space is claimed before it is used: a disk that fills up under a memory map kills
    the process.

    Args:
        path: the file.
        shape: of the array when it is whole.
        dtype: of its numbers.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: np.dtype) -> None:
        self.path, self.shape, self.dtype = path, shape, dtype

    def opened(self, rows: int) -> np.ndarray:
        """The array as a run left it.

        Raises:
            ReplayLost: if the file is missing, is another's, or holds fewer rows.
        """
        try:
            with open(self.path, "rb") as file:
                shape, dtype = _header(file)
                whole = file.tell() + int(np.prod(shape, dtype=object)) * dtype.itemsize
                size = os.fstat(file.fileno()).st_size
        except FileNotFoundError as error:
            raise ReplayLost(f"{self.path} is missing") from error
        except Exception as error:  # whatever bytes may do to a reader of headers
            raise ReplayLost(f"{self.path} is damaged ({error})") from error
        if (shape[1:], dtype) != (self.shape[1:], self.dtype) or shape[0] > self.shape[0]:
            raise ReplayLost(f"{self.path} holds {dtype} {shape}, and is another run's")
        if shape[0] < rows or size < whole:
            raise ReplayLost(f"{self.path} is cut off")
        return np.lib.format.open_memmap(self.path, mode="r+")

    def grown(self, rows: int) -> np.ndarray:
        """The array with room for so many rows, and a quarter more; made if missing.

        Raises:
            Failure: if the disk is full.
        """
        rows = min(max(int(GROWTH * rows), FEWEST_ROWS), self.shape[0])
        try:
            if not self.path.exists():
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self.path.write_bytes(b"")
                sync_folder(self.path.parent)
            with open(self.path, "r+b") as file:
                head = self._written_header(file, 0) if not os.path.getsize(self.path) else 0
                head = head or _header_length(file)
                size = rows * self.dtype.itemsize * int(np.prod(self.shape[1:]))
                _claim(file, head + size)
                self._written_header(file, rows)  # last: killed before, it is as it was
        except OSError as error:
            raise Failure(
                f"cannot keep {size_in_words(rows, self)} of replay in {self.path.parent} "
                f"({error.strerror or error}): free some space, choose another folder with --out, "
                "or lower --replay.capacity"
            ) from error
        return np.lib.format.open_memmap(self.path, mode="r+")

    def _written_header(self, file: BinaryIO, rows: int) -> int:
        """Writes the header for so many rows; its length, which does not depend on them."""
        file.seek(0)
        shape = (rows, *self.shape[1:])
        about: dict[str, Any] = {"descr": np.lib.format.dtype_to_descr(self.dtype)}
        about |= {"fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, about)
        file.flush()
        return file.tell()


def _header(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(file)
    if version != (1, 0):
        raise ValueError("it is no array of format 1.0")
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    return shape, dtype


def _header_length(file: BinaryIO) -> int:
    file.seek(0)
    _header(file)
    return file.tell()


def _claim(file: BinaryIO, size: int) -> None:
    """Claims the disk space of a file of that size."""
    if os.fstat(file.fileno()).st_size >= size:
        return
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
    else:
        file.truncate(size)


def size_in_words(rows: int, array: ArrayFile) -> str:
    """What so many rows of an array take."""
    size = rows * array.dtype.itemsize * int(np.prod(array.shape[1:]))
    return decimal(size)


def delete_arrays(folder: Path) -> None:
    """Deletes the arrays that a replay wrote into a folder, and it, if nothing else is there."""
    for path in folder.glob("*.npy"):
        if OURS.fullmatch(path.name):
            path.unlink()
    with contextlib.suppress(OSError):  # somebody's files may be there too
        folder.rmdir()
