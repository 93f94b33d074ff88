"""Somebody else's folders, files and links are never changed."""

import json
import os
from pathlib import Path

import pytest

from rpl.errors import RunError
from rpl.registry.resolve import resolve
from rpl.runs.folder import RunFolder
from rpl.runs.record import record_of
from small import RECORD

WAYS = [{}, {"resume": True}, {"overwrite": True}]


def look(folder: Path) -> dict[str, bytes | str]:
    """Everything in a folder: contents, and where links lead."""
    return {
        str(path.relative_to(folder)): os.readlink(path)
        if path.is_symlink()
        else (path.read_bytes() if path.is_file() else "folder")
        for path in sorted(folder.rglob("*"))
    }


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize(
    "files",
    [
        {"config.json": '{"task": "build"}', "checkpoint/model.bin": "1", "replay/a.npy": "2"},
        {"config.json": '{"task": "build", "format": 1}', "events/log": "mine"},
        {"config.json": '{"task": "t", "method": "m", "config": {}, "command": "make"}'},
        {"metrics.csv": "a,b\n1,2\n"},
        {"checkpoint/last.eqx": "1"},
        {"notes.txt": "mine"},
        {"lock": "pid 7"},
        {"config.json": "[1]"},
        {"config.json": "\xff{"},
    ],
    ids=lambda files: "+".join(files),
)
def test_a_folder_that_is_not_ours_is_refused_and_not_changed(files, way, tmp_path) -> None:
    write(tmp_path, files)
    before = look(tmp_path)
    with pytest.raises(RunError, match=r"choose another folder|no run to resume"):
        RunFolder(tmp_path, RECORD, **way)
    assert look(tmp_path) == before


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize(
    "name",
    [
        *("metrics.csv", "checkpoint", "replay", "events", "lock", "checkpoint/last.eqx.new"),
        *("replay/observation.npy", "config.json.new", "events/events.out.tfevents.1.x"),
    ],
)
def test_nothing_is_written_or_deleted_through_a_link(name, way, tmp_path) -> None:
    theirs, folder = tmp_path / "theirs", tmp_path / "run"
    theirs.mkdir()
    (theirs / "file").write_text("mine")
    RunFolder(folder, RECORD).close()
    target = theirs if name in ("checkpoint", "replay", "events") else theirs / "file"
    entry = folder / name
    entry.parent.mkdir(exist_ok=True)
    if entry.is_dir():
        entry.rmdir()
    entry.unlink(missing_ok=True)
    entry.symlink_to(target)
    before = look(tmp_path)
    with pytest.raises(RunError, match="is a link"):
        RunFolder(folder, RECORD, **way)
    assert look(tmp_path) == before


def test_a_pipe_in_place_of_a_file_is_refused_and_does_not_hang(tmp_path) -> None:
    RunFolder(tmp_path, RECORD).close()
    os.mkfifo(tmp_path / "metrics.csv")
    with pytest.raises(RunError, match="no ordinary file"):
        RunFolder(tmp_path, RECORD, resume=True)


def test_a_folder_that_is_reached_by_a_link_is_as_good_as_another(tmp_path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "disk")
    RunFolder(tmp_path / "run", RECORD).close()
    assert (tmp_path / "disk" / "config.json").exists()


def test_what_somebody_put_into_a_runs_folders_stays(tmp_path) -> None:
    RunFolder(tmp_path, RECORD).close()
    mine = {"checkpoint/mine.eqx": "1", "replay/mine.npy": "2", "events/notes": "3", "a/b": "4"}
    write(tmp_path, mine | {"checkpoint/last.eqx.new": "ours", "replay/action.npy": "ours"})
    RunFolder(tmp_path, RECORD, overwrite=True).close()
    assert {name: (tmp_path / name).read_text() for name in mine} == mine
    assert not (tmp_path / "replay/action.npy").exists()
    assert not (tmp_path / "checkpoint/last.eqx.new").exists()


def test_a_kill_before_its_record_leaves_a_folder_that_is_free(tmp_path) -> None:
    write(tmp_path, {"lock": "", "config.json.new": '{"task'})
    RunFolder(tmp_path, RECORD).close()
    assert not (tmp_path / "config.json.new").exists()


@pytest.mark.parametrize("age", [0, 1])
def test_a_run_that_is_older_than_the_mark_is_ours(age, tmp_path) -> None:
    record = json.loads(json.dumps(record_of(resolve("push"), "rpl train push")))
    write(tmp_path, {"config.json": json.dumps(record | ({"format": 1} if age else {}))})
    RunFolder(tmp_path, record, overwrite=True).close()
    assert json.loads((tmp_path / "config.json").read_text())["written_by"] == "rpl"
