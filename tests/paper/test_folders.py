"""Where runs stand follows from what lies in their folders."""

from __future__ import annotations

import fcntl
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from rpl.paper.folders import (
    Places,
    Run,
    Standing,
    cheapest_first,
    runs_of,
    seconds_left,
    speeds,
)
from rpl.paper.matrix import Cell
from rpl.sweeps.progress import read_progress

CELL = Cell("push", "rpl", steps=400, cost=2.0)
RUN = Run(CELL, 3)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "runs", tmp_path / "results")


def write(folder: Path, *rows: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = "\n".join(["environment_steps,wall_seconds,x", *rows])
    (folder / "metrics.csv").write_text(text)
    (folder / "config.json").write_text("{}")


def test_a_run_is_missing_stopped_running_and_done(places):
    assert places.standing(RUN) == Standing(RUN, "missing")
    folder = places.runs / "push/rpl/seed3"
    write(folder, "0,0.0,1", "200,4.0,1", "")
    assert places.standing(RUN) == Standing(RUN, "stopped", 200, 50.0)
    with open(folder / "lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert places.standing(RUN).state == "running"
    assert places.standing(RUN).state == "stopped"
    write(folder, "0,0.0,1", "400,8.0,1", "")
    assert places.standing(RUN).state == "done"


def test_what_is_finished_is_kept_once_and_shorter_results_do_not_count(places):
    write(places.results / RUN.folder, "200,4.0,1", "")
    assert places.standing(RUN).state == "missing"
    write(places.runs / RUN.folder, "400,8.0,1", "")
    places.keep_finished([RUN])
    assert read_progress(places.results / RUN.folder / "metrics.csv") == (400, 50.0)
    write(places.runs / RUN.folder, "400,1.0,1", "")
    places.keep_finished([RUN])
    assert read_progress(places.results / RUN.folder / "metrics.csv") == (400, 50.0)


def test_a_result_made_under_other_settings_is_made_again(places):
    write(places.results / RUN.folder, "400,8.0,1", "")
    assert places.standing(RUN).state == "done"
    of_now = Places(places.runs, places.results, lambda row, run: row.is_relative_to(places.runs))
    assert of_now.standing(RUN).state == "missing"
    write(places.runs / RUN.folder, "400,2.0,1", "")
    of_now.keep_finished([RUN])
    assert read_progress(places.results / RUN.folder / "metrics.csv") == (400, 200.0)


def test_a_finished_run_of_other_settings_is_outdated_until_it_is_deleted(places):
    outdated = Places(places.runs, places.results, lambda row, run: False)
    write(places.runs / RUN.folder, "400,8.0,1", "")
    assert outdated.standing(RUN) == Standing(RUN, "outdated")
    outdated.keep_finished([RUN])
    assert not (places.results / RUN.folder).exists()
    shutil.rmtree(places.runs / RUN.folder)
    assert outdated.standing(RUN).state == "missing"


def test_a_finished_row_is_looked_into_once(tmp_path):
    looked = []
    places = Places(tmp_path, tmp_path / "results", lambda row, run: not looked.append(run))
    write(places.results / RUN.folder, "400,8.0,1", "")
    assert [places.standing(RUN).state for _ in range(3)] == ["done"] * 3
    assert looked == [RUN]
    write(places.results / RUN.folder, "0,0.0,1", "400,9.0,1", "")
    os.utime(places.results / RUN.folder / "metrics.csv", ns=(1, 1))
    assert places.standing(RUN).state == "done"
    assert looked == [RUN, RUN]


def test_a_row_still_being_written_does_not_count(places):
    write(places.runs / RUN.folder, "0,0.0,1", "200,4.0,1", "400")
    assert read_progress(places.runs / RUN.folder / "metrics.csv") == (200, 50.0)


def test_speed_is_measured_on_the_cell_else_on_its_like_else_stated():
    alike, unlike = replace(CELL, method="scratch"), replace(CELL, method="scratch", cost=10.0)
    standings = [
        Standing(Run(CELL, 0), "done", 400, 100.0),
        Standing(Run(CELL, 1), "stopped", 200, 300.0),
        Standing(Run(alike, 0), "missing"),
    ]
    speed = speeds(standings)
    assert speed(CELL) == (200.0, True)
    assert speed(alike) == (200.0, True)
    assert speed(unlike) == (100.0, False)
    assert seconds_left(standings, speed) == 200 / 200.0 + 400 / 200.0


def test_runs_are_a_cells_seeds_or_those_chosen():
    assert [run.seed for run in runs_of([CELL])] == [0, 1, 2, 3, 4]
    assert [run.seed for run in runs_of([replace(CELL, seeds=2)], [1, 4])] == [1]


def test_cheapest_runs_come_first_and_low_seeds_before_high_ones():
    cheap, dear = (Cell("push", method, 100, 1.0) for method in ("rpl", "scratch"))
    standings = [Standing(Run(dear, 0), "missing"), Standing(Run(cheap, 1), "stopped", 50)]
    standings += [Standing(Run(cheap, seed), "missing") for seed in (3, 2)]
    order = cheapest_first(standings, lambda cell: (9.0 if cell is cheap else 1.0, True))
    assert [(run.cell, run.seed) for run in order] == [
        (cheap, 1),
        (cheap, 2),
        (cheap, 3),
        (dear, 0),
    ]
