"""A replay on disk: it grows with what is stored, and is refused where it is not what it was."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from numbered import HORIZON, SEEN, draw, make_episodes, make_replay, state_of
from rpl.errors import Failure
from rpl.observations import Seen
from rpl.replay import arrays
from rpl.replay.arrays import ArrayFile, ReplayLost, delete_arrays
from rpl.replay.buffer import Replay


def stored(folder: Path, lengths=(6, 2, 5, 1, 3, 4, 6)) -> int:
    """A replay on disk that has wrapped around."""
    replay = make_replay(4, slack=2, folder=folder)
    replay.store(make_episodes(0, list(lengths)))
    replay.store(make_episodes(len(lengths), list(lengths)))
    replay.flush()
    return replay.stored


def restored(folder: Path, count: int) -> Replay:
    replay = make_replay(4, slack=2, folder=folder)
    replay.restore(count)
    return replay


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def test_disk_grows_with_what_is_stored_and_nothing_stored_is_lost(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(arrays, "FEWEST_ROWS", 2)
    replay = Replay(100_000, HORIZON, SEEN, 1, 1, 10, tmp_path)
    assert not list(tmp_path.iterdir())
    sizes = []
    for first in range(0, 400, 10):
        replay.store(make_episodes(first, [6] * 10))
        sizes.append(size_of(tmp_path))
    assert_array_equal(np.unique(state_of(draw(replay, 20_000))[:, 0]), np.arange(400))
    assert sizes[0] < 10_000
    assert sizes[-1] < 2 * 400 * 7 * 4 * 10
    again = Replay(100_000, HORIZON, SEEN, 1, 1, 10, tmp_path)
    again.restore(400)
    assert_array_equal(state_of(draw(again)), state_of(draw(replay)))


def test_a_million_transitions_are_not_claimed_before_they_are_there(tmp_path) -> None:
    replay = Replay(20_000, 50, Seen({"observation": 25, "desired_goal": 3}), 4, 4, 100, tmp_path)
    assert len(replay) == 0
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["observation", "action", "start", "length", "checksum"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "empty", "zeros", "flipped", "other"])
def test_a_replay_that_is_not_what_it_was_is_refused(name, damage, tmp_path) -> None:
    count = stored(tmp_path)
    path = tmp_path / f"{name}.npy"
    data = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    elif damage == "other":
        np.save(path, np.zeros((3, 9)))
    else:
        at = 128 + {"start": 13 * 8, "length": 13 * 4, "checksum": 13 * 4}.get(name, 32)
        data[at] ^= 1 if damage == "flipped" else 0
        zeros = bytes(data[:128]) + bytes(len(data) - 128)
        cut = {"truncated": bytes(data[:-9]), "empty": b"", "zeros": zeros}
        path.write_bytes(cut.get(damage, bytes(data)))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ReplayLost):
        restored(tmp_path, count)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_replay_older_than_checksums_gets_them_once(tmp_path) -> None:
    count = stored(tmp_path)
    expected = state_of(draw(restored(tmp_path, count)))
    (tmp_path / "checksum.npy").unlink()
    make_replay(4, slack=2, folder=tmp_path).restore(count, has_checksums=False)
    assert_array_equal(state_of(draw(restored(tmp_path, count))), expected)


def test_killed_as_it_grows_an_array_is_as_it_was(tmp_path) -> None:
    file = ArrayFile(tmp_path / "reward.npy", (9000,), np.dtype(np.float32))
    file.grown(1)[:3] = 1, 2, 3
    with open(file.path, "ab") as longer:
        longer.write(bytes(1000))
    assert_array_equal(file.opened(3)[:3], [1, 2, 3])
    grown = file.grown(8000)
    assert_array_equal(grown[:4], [1, 2, 3, 0])
    assert len(grown) == 9000


def test_a_full_disk_is_said_with_the_folder_and_what_to_do(tmp_path, monkeypatch) -> None:
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(arrays.os, "posix_fallocate", full)
    with pytest.raises(Failure, match=r"replay in .*No space left.*lower --replay.capacity"):
        make_replay(4, folder=tmp_path).store(make_episodes(0, [6]))


def test_only_arrays_of_ours_are_deleted(tmp_path) -> None:
    stored(tmp_path)
    np.save(tmp_path / "mine.npy", np.zeros(3))
    delete_arrays(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.npy"]
