"""Checkpoints: one step from the old to the new, and held to their checksums."""

import json
import os

import jax
import numpy as np
import pytest

from rpl.errors import RunError
from rpl.runs import files
from rpl.runs.checkpoint import load_checkpoint, read_stored
from rpl.runs.folder import RunFolder
from rpl.training.progress import Progress
from small import RECORD, small_learner


def saved(folder, rows: int = 1) -> RunFolder:
    run = RunFolder(folder, RECORD)
    for row in range(rows):
        run.append({"environment_steps": 50 * row, "policy_success": row / 10})
    run.save(small_learner(), Progress(cycle=rows, environment_steps=50, rows=rows), best=True)
    return run


@pytest.mark.parametrize("writes", [0, 1, 2])
def test_killed_between_its_renames_a_run_keeps_the_best_that_its_rows_show(
    writes, tmp_path, monkeypatch
) -> None:
    run, done, replace = saved(tmp_path), [], os.replace

    def killed(*names):
        if len(done) == writes:
            raise KeyboardInterrupt
        done.append(names)
        replace(*names)

    monkeypatch.setattr(files.os, "replace", killed)
    if writes < 2:
        with pytest.raises(KeyboardInterrupt):
            run.save(small_learner(1), Progress(cycle=2, environment_steps=99, rows=1), best=True)
    else:
        run.save(small_learner(1), Progress(cycle=2, environment_steps=99, rows=1), best=True)
    monkeypatch.undo()
    run.close()
    cycles = {
        n: load_checkpoint(tmp_path, small_learner(), Progress, n)[1].cycle
        for n in ("last", "best")
    }
    assert cycles == ({"last": 1, "best": 1} if writes == 0 else {"last": 2, "best": 2})
    again = RunFolder(tmp_path, RECORD, resume=True)
    _, progress = again.restore(small_learner(), Progress)
    progress.cycle += 1
    again.save(small_learner(3), progress, best=False)
    again.close()
    assert load_checkpoint(tmp_path, small_learner(), Progress, "best")[1].cycle == cycles["best"]


def test_a_rename_is_synced_with_its_folder(tmp_path, monkeypatch) -> None:
    synced, sync = [], os.fsync
    monkeypatch.setattr(
        os,
        "fsync",
        lambda number: synced.append(os.readlink(f"/proc/self/fd/{number}")) or sync(number),
    )
    files.write_durably(tmp_path / "file", b"1")
    assert synced[-1] == str(tmp_path)


@pytest.mark.parametrize(
    "kept",
    [b"", b"environment_steps,policy_success\r\n0,0.0\r\n", b"a,b\r\n1,2\r\n3,4\r\n5,6\r\n", None],
)
def test_rows_that_are_not_those_of_the_run_are_refused(kept, tmp_path) -> None:
    saved(tmp_path, rows=3).close()
    path = tmp_path / "metrics.csv"
    path.unlink() if kept is None else path.write_bytes(kept)
    run = RunFolder(tmp_path, RECORD, resume=True)
    with pytest.raises(RunError, match="does not hold the 3 rows"):
        run.restore(small_learner(), Progress)
    run.close()
    assert (path.read_bytes() if path.exists() else None) == kept


def test_no_flipped_bit_of_a_checkpoint_is_loaded(tmp_path) -> None:
    saved(tmp_path).close()
    path = tmp_path / "checkpoint/last.eqx"
    data, rng = path.read_bytes(), np.random.default_rng(0)
    state, stood = load_checkpoint(tmp_path, small_learner(), Progress)
    at = {*range(0, 400, 3), *rng.integers(len(data), size=300)}
    for i in at:
        damaged = bytearray(data)
        damaged[i] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        try:
            read, where = load_checkpoint(tmp_path, small_learner(1), Progress)
        except RunError:
            continue
        assert where == stood
        assert jax.tree.all(jax.tree.map(np.array_equal, read, state))


@pytest.mark.parametrize(
    "change",
    [{"cycle": "three"}, {"environment_steps": None}, {"epoch_sums": 3}, {"cycle": True}, {"x": 1}],
    ids=str,
)
def test_progress_of_another_type_is_refused_in_files_that_have_no_checksum(change, tmp_path):
    saved(tmp_path).close()
    path = tmp_path / "checkpoint/last.eqx"
    stored = read_stored(path)
    line = json.dumps({"format": 1} | stored.progress | change).encode()
    path.write_bytes(line + b"\n" + stored.arrays)
    with pytest.raises(RunError, match="cannot be read, it is damaged"):
        load_checkpoint(tmp_path, small_learner(), Progress)


def test_a_checkpoint_of_format_1_is_read_as_it_was(tmp_path) -> None:
    saved(tmp_path).close()
    path = tmp_path / "checkpoint/last.eqx"
    stored, before = read_stored(path), load_checkpoint(tmp_path, small_learner(1), Progress)
    path.write_bytes(json.dumps({"format": 1} | stored.progress).encode() + b"\n" + stored.arrays)
    state, stood = load_checkpoint(tmp_path, small_learner(1), Progress)
    assert stood == before[1]
    assert jax.tree.all(jax.tree.map(np.array_equal, state, before[0]))
    assert RunFolder(tmp_path, RECORD, resume=True).restore(small_learner(), Progress)[1] == stood
