"""Episodes end to end in a ring of rows, in memory or as memory-mapped ``.npy`` files."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np

from rpl.observations import BASE_ACTION, DESIRED_GOAL, OBSERVATION, Seen
from rpl.replay.arrays import ArrayFile, ReplayLost
from rpl.replay.episodes import Episodes

LEAST_ROWS = 2  # of an episode: before and after its only step
PER_SLOT = {"start": np.int64, "length": np.int32, "terminated": np.bool_, "checksum": np.uint32}
"""What there is once for each episode; all else has a row for each observation."""
PER_STEP = ("action", "reward")  # the row of an episode's last observation has none
SUMMED_AT_ONCE = 1000  # episodes


class Ring:
    """The newest episodes there is room for, in memory or as memory-mapped ``.npy`` files.

    Episodes lie end to end in a ring of rows, one for each observation, so that short ones
    take little room. The ring has more rows than it shows, ``slack``. What is stored after a
    checkpoint overwrites only rows that the checkpoint no longer shows, as long as it fits into
    ``slack``: a killed run therefore finds its replay as the checkpoint left it.

    Args:
        capacity: episodes of full length that are shown to the learner, or as many rows.
        horizon: T, the most steps an episode has.
        seen: what the learner is shown.
        action_size: width of an action.
        base_size: width of a base action; 0 without a base policy.
        slack: hidden room, in episodes of full length: at least for what is stored between two
            checkpoints.
        folder: where the arrays live, made as they are needed, see ``restore``; None keeps them
            in memory.
    """

    def __init__(
        self,
        capacity: int,
        horizon: int,
        seen: Seen,
        action_size: int,
        base_size: int = 0,
        slack: int = 0,
        folder: Path | None = None,
    ) -> None:
        self._most_rows_shown = capacity * (horizon + 1)
        self._horizon = horizon
        self._rows = rows = (capacity + slack) * (horizon + 1)
        self._slots = slots = rows // LEAST_ROWS
        self._stored = self._shown = 0
        # Under names of ours: a user's may be those of other arrays, or lead out of the folder.
        ours = (OBSERVATION, BASE_ACTION, DESIRED_GOAL)
        self._parts = {
            name: name if name in ours else f"part{i}" for i, name in enumerate(seen.sizes)
        }
        shapes = {
            **{self._parts[name]: (rows, size) for name, size in seen.sizes.items()},
            "achieved_goal": (rows, seen.goal_size),
            BASE_ACTION: (rows, base_size),
            "action": (rows, action_size),
            "reward": (rows,),
            **dict.fromkeys(PER_SLOT, (slots,)),
        }
        dtypes = {name: np.dtype(PER_SLOT.get(name, np.float32)) for name in shapes}
        # What has no width needs no file.
        self._files = {
            name: ArrayFile(folder / f"{name}.npy", shape, dtypes[name])
            for name, shape in shapes.items()
            if folder is not None and shape[-1]
        }
        self._arrays: dict[str, np.ndarray] = {
            name: np.zeros((0 if name in self._files else shape[0], *shape[1:]), dtypes[name])
            for name, shape in shapes.items()
        }

    def __len__(self) -> int:
        """Episodes shown."""
        return self._shown

    @property
    def stored(self) -> int:
        """Episodes ever stored; with the arrays, all of the replay's state."""
        return self._stored

    def restore(self, stored: int, has_checksums: bool = True) -> None:
        """Shows the newest of the first ``stored`` episodes, as a checkpoint left them.

        Args:
            stored: how many.
            has_checksums: False of a replay that is older than they are: it gets them now.

        Raises:
            ReplayLost: if the arrays do not hold them as they were stored.
        """
        at, slots = self._arrays, min(stored, self._slots)
        self._open([name for name in PER_SLOT if name != "checksum" or has_checksums], slots)
        if not has_checksums:
            self._make_room("checksum", slots)
        start, length = at["start"][:slots], at["length"][:slots]
        sane = (length >= 1) & (length <= self._horizon) & (start >= 0) & (start < self._rows)
        if not sane.all():
            raise ReplayLost(f"the replay does not hold the {stored} episodes it is to continue")
        rows = int(min((start + length).max(initial=-1) + 1, self._rows))
        self._open([name for name in at if name not in PER_SLOT], rows)
        self._show(stored)
        newest = (stored - 1 - np.arange(self._shown)) % self._slots
        if not has_checksums:
            at["checksum"][newest] = self._checksums(newest)
        elif (at["checksum"][newest] != self._checksums(newest)).any():
            raise ReplayLost("an episode of the replay has another checksum than when it was kept")

    def _open(self, names: list[str], rows: int) -> None:
        for name in names:
            if name in self._files and rows:
                self._arrays[name] = self._files[name].opened(rows)

    def _make_room(self, name: str, rows: int) -> None:
        if name in self._files and rows > len(self._arrays[name]):
            self._arrays[name] = self._files[name].grown(rows)

    def _checksums(self, slots: np.ndarray) -> np.ndarray:
        """CRC-32 of all that is stored of the episodes in these slots, (n,) uint32."""
        found = np.zeros(len(slots), np.uint32)
        for first in range(0, len(slots), SUMMED_AT_ONCE):
            some = slots[first : first + SUMMED_AT_ONCE]
            found[first : first + len(some)] = self._checksums_of_some(some)
        return found

    def _checksums_of_some(self, slots: np.ndarray) -> list[int]:
        at, sums = self._arrays, [0] * len(slots)
        length = at["length"][slots]
        t = np.arange(self._horizon + 1)
        row = (at["start"][slots][:, None] + t) % self._rows
        for name, array in at.items():
            if name == "checksum":
                continue
            counts = np.ones_like(length) if name in PER_SLOT else length + (name not in PER_STEP)
            where = slots if name in PER_SLOT else row[t < counts[:, None]]
            ends = np.cumsum(counts)
            parts = np.ascontiguousarray(array[where])
            for i, (begin, end) in enumerate(zip(ends - counts, ends, strict=True)):
                sums[i] = zlib.crc32(parts[begin:end].tobytes(), sums[i])
        return sums

    def _show(self, stored: int) -> None:
        self._stored = stored
        newest_first = (stored - 1 - np.arange(min(stored, self._slots))) % self._slots
        rows = np.cumsum(self._arrays["length"][newest_first] + 1)
        self._shown = int(np.searchsorted(rows, self._most_rows_shown, side="right"))

    def store(self, episodes: Episodes) -> None:
        """Adds episodes; the oldest make room.

        Raises:
            Failure: if the disk is full.
        """
        at = self._arrays
        slots = (self._stored + np.arange(len(episodes))) % self._slots
        rows = episodes.length + 1
        start = (self._next_row() + np.cumsum(rows) - rows) % self._rows
        for name in at:
            last = slots if name in PER_SLOT else np.minimum(start + rows, self._rows) - 1
            self._make_room(name, int(last.max(initial=-1)) + 1)
        at["start"][slots], at["length"][slots] = start, episodes.length
        at["terminated"][slots] = episodes.terminated
        t = np.arange(episodes.action.shape[1] + 1)
        row = (start[:, None] + t) % self._rows
        seen, taken = t <= episodes.length[:, None], episodes.taken
        states = {self._parts[name]: part for name, part in episodes.observation.items()}
        states |= {"achieved_goal": episodes.achieved_goal, BASE_ACTION: episodes.base_action}
        for name, part in states.items():
            at[name][row[seen]] = part[seen]
        for name, steps in (("action", episodes.action), ("reward", episodes.reward)):
            at[name][row[:, :-1][taken]] = steps[taken]
        at["checksum"][slots] = self._checksums(slots)
        self._show(self._stored + len(episodes))

    def _next_row(self) -> int:
        if self._stored == 0:
            return 0
        newest = (self._stored - 1) % self._slots
        return int(self._arrays["start"][newest] + self._arrays["length"][newest]) + 1

    def flush(self) -> None:
        """Writes memory-mapped arrays to disk."""
        for array in self._arrays.values():
            if isinstance(array, np.memmap):
                array.flush()

    def _row(self, episode: np.ndarray, t: np.ndarray) -> np.ndarray:
        """Where the steps of episodes in these slots lie."""
        return (self._arrays["start"][episode] + t) % self._rows
