"""A folder of runs is as good as its runs."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from rpl.errors import RunError
from rpl.runs.files import write_config
from rpl.runs.load import is_planner
from rpl.runs.many import make_ready, run_folders, runs_in, runs_named
from small import RECORD


@pytest.fixture
def many(tmp_path: Path) -> Path:
    for name in ("seed10", "seed9"):
        (tmp_path / "many" / name / "checkpoint").mkdir(parents=True)
        write_config(tmp_path / "many" / name, RECORD)
        (tmp_path / "many" / name / "metrics.csv").write_text("environment_steps\n0\n")
    (tmp_path / "many/seed9.log").touch()
    (tmp_path / "many/notes").mkdir()
    return tmp_path / "many"


def test_a_folder_stands_for_the_runs_in_it_by_number(many):
    assert runs_in(many) == [many / "seed9", many / "seed10"]
    assert runs_in(many / "seed9") == []
    assert run_folders([many / "seed10", many, many / "none"]) == [
        *(many / "seed10", many / "seed9"),
        many / "none",
    ], "each run once, however it is named"


def test_a_task_s_name_is_the_task_whatever_folders_are_there(workplace, many):
    many.rename(workplace / "push")
    assert runs_named("push") == []
    assert runs_named("./push") == [Path("push/seed9"), Path("push/seed10")]
    assert not is_planner("push")


def test_runs_are_only_deleted_where_that_was_asked_for_and_nobody_uses_them(many):
    run = many / "seed9"
    (run / "mine.txt").touch()
    with pytest.raises(RunError, match="holds a run already"):
        make_ready(many, [run], resume=False, overwrite=False)
    with open(run / "lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(RunError, match="in use by another process"):
            make_ready(many, [run], resume=False, overwrite=True)
    assert (run / "metrics.csv").exists()
    make_ready(many, [run], resume=True, overwrite=False)
    make_ready(many, [run], resume=False, overwrite=True)
    assert not (run / "metrics.csv").exists()
    assert runs_in(many) == [many / "seed10"]
    assert (run / "mine.txt").exists(), "somebody's file is gone"
    make_ready(many, [run], resume=False, overwrite=False)


def test_what_is_no_run_of_ours_is_not_deleted(many):
    (many / "seed9/config.json").write_text('{"task": "dishes"}')
    with pytest.raises(RunError, match="not a run's"):
        make_ready(many, [many / "seed9"], resume=False, overwrite=True)
    assert (many / "seed9/metrics.csv").exists()
