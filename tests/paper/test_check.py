"""The checker accepts what the matrix's commands make, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rpl.cli.main import run
from rpl.paper.ablations import ABLATIONS
from rpl.paper.check import check_results, expected_record
from rpl.paper.matrix import MATRIX, cell_at

SHIPPED = Path(__file__).parents[2] / "results"
CELL = cell_at("slippery-push/rpl")
METRICS = "environment_steps,wall_seconds,policy_return,controller_return,burning_in\n"


def row(results: Path, change=lambda record: None, folder: str = "slippery-push/rpl/seed1") -> Path:
    """A row as the matrix's command would leave it, with one change."""
    record = dict(expected_record(CELL, 1))
    record = json.loads(json.dumps(record)) | {"commit": "abc", "versions": {"mujoco": "4"}}
    change(record)
    path = results / folder
    path.mkdir(parents=True)
    (path / "config.json").write_text(json.dumps(record))
    lines = [f"{steps},{steps},-1,-1,0" for steps in (0, 250_000, CELL.steps)]
    (path / "metrics.csv").write_text(METRICS + "\n".join(lines) + "\n")
    return path


def complaints(results: Path) -> list[str]:
    return check_results(results, MATRIX)[1]


def setting(path: str, value):
    """A change of one dotted setting; None removes it."""

    def change(record: dict) -> None:
        *parents, name = path.split(".")
        for parent in parents:
            record = record[parent]
        if value is None:
            del record[name]
        else:
            record[name] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda record: None,
        setting("config.num_threads", 7),  # speed, not numbers
        setting("config.learner.average_frames", None),  # older than the setting
        setting("config.steps", 900_000),  # a run may go further
        setting("config.learner.action_l2_relative", False),  # a setting of then, not used
    ],
)
def test_a_row_that_the_matrix_would_make_passes(tmp_path, change):
    row(tmp_path, change)
    assert complaints(tmp_path) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (setting("config.learner.polyak", 0.95), "polyak is 0.95; the matrix says 0.8"),
        (setting("config.learner.polyak", None), "polyak is 0.95; the matrix says 0.8"),
        (setting("controller", "discrete-mpc-push"), "controller is discrete-mpc-push"),
        (setting("task_options.friction", [1, 2, 3]), "task_options.friction is [1, 2, 3]"),
        (setting("controller_options.gain", 9.0), "gain is 9.0; the matrix says 10.0"),
        (setting("preset", "paper"), "preset is paper; the matrix says ungated"),
        (setting("seed", 2), "seed is 2; the matrix says 1"),
        (setting("config.learner.action_l2_relative", True), "relative is True; the matrix knows"),
        (setting("config.learner.magic", 3), "magic is 3; the matrix knows no such setting"),
        (setting("commit", None), "config.json does not say its commit"),
        (setting("versions", {}), "config.json does not say its versions"),
        (setting("command", None), "config.json does not say its command"),
    ],
)
def test_any_difference_earns_a_sentence(tmp_path, change, sentence):
    path = row(tmp_path, change)
    found = complaints(tmp_path)
    assert found
    assert all(complaint.startswith(f"{path}: ") for complaint in found)
    assert any(sentence in complaint for complaint in found)


@pytest.mark.parametrize(
    ("folder", "sentence"),
    [
        ("slippery-push/rpl/seed5", "seeds 0 to 4"),
        ("slippery-push/rpl/one", "seeds 0 to 4"),
        ("slippery-push/mine/seed1", "the matrix has no such cell"),
        ("push/scratch/seed1", "task is slippery-push; the matrix says push"),
    ],
)
def test_a_row_in_the_wrong_place_is_refused(tmp_path, folder, sentence):
    row(tmp_path, folder=folder)
    assert any(sentence in complaint for complaint in complaints(tmp_path))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (METRICS + "0,1,-1,-1,1\n", "ends at 0 steps; the matrix asks for 500,000"),
        (METRICS + "9,1,-1,-1,1\n5,1,-1,-1,0\n", "do not rise"),
        ("environment_steps\n5\n", "lacks wall_seconds"),
    ],
)
def test_metrics_must_be_whole(tmp_path, text, sentence):
    path = row(tmp_path)
    (path / "metrics.csv").write_text(text)
    assert any(sentence in complaint for complaint in complaints(tmp_path))
    (path / "metrics.csv").unlink()
    assert complaints(tmp_path) == [f"{path}: lacks metrics.csv"]


def test_from_scratch_the_controller_is_only_a_level(tmp_path):
    cell = cell_at("push/scratch")
    path = tmp_path / "push/scratch/seed0"
    row(tmp_path, folder="push/scratch/seed0")
    record = json.loads(json.dumps(expected_record(cell, 0))) | {"commit": "abc"}
    record["controller"] = "another"
    (path / "config.json").write_text(json.dumps(record))
    (path / "metrics.csv").write_text(METRICS + f"{cell.steps},1,-1,-1,0\n")
    assert complaints(tmp_path) == []


def test_a_planner_has_neither_a_controller_beside_it_nor_a_burn_in(tmp_path):
    cell = cell_at("mbrl-pusher/pets")
    path = row(tmp_path, folder="mbrl-pusher/pets/seed0")
    record = json.loads(json.dumps(expected_record(cell, 0))) | {"commit": "abc"}
    (path / "config.json").write_text(json.dumps(record | {"versions": {"mujoco": "4"}}))
    text = f"environment_steps,wall_seconds,policy_return\n{cell.steps},1,-1\n"
    (path / "metrics.csv").write_text(text)
    assert complaints(tmp_path) == []
    (path / "metrics.csv").write_text(text.replace("policy_return", "x"))
    assert complaints(tmp_path) == [f"{path}: metrics.csv lacks policy_return"]


def test_the_command_says_what_is_wrong_and_fails(tmp_path, capfd):
    row(tmp_path)
    assert run(["paper", "check", "--results", str(tmp_path)]) == 0
    assert "all 1 rows are as the matrix says" in capfd.readouterr().out
    row(tmp_path, folder="slippery-push/rpl/seed3")
    assert run(["paper", "check", "--results", str(tmp_path)]) == 1
    output = capfd.readouterr()
    assert "seed is 1; the matrix says 3" in output.out
    assert "rpl: 1 thing is wrong with the rows of" in output.err
    assert run(["paper", "check", "--results", str(tmp_path / "none")]) == 1


def test_the_rows_that_are_shipped_are_as_the_matrix_says():
    assert run(["paper", "check", "--results", str(SHIPPED)]) == 0


def test_every_cell_has_a_folder_of_its_own_and_ablations_change_what_they_say():
    cells = [*MATRIX, *(cell for ablation in ABLATIONS for cell in ablation.cells)]
    assert len({cell.folder for cell in cells}) == len(cells)
    for ablation in ABLATIONS:
        reference = expected_record(ablation.reference, 0)
        for cell in ablation.cells:
            assert expected_record(cell, 0)["config"] != reference["config"] or (
                expected_record(cell, 0)["task_options"] != reference["task_options"]
            ), cell.folder


def test_what_the_check_refuses_is_not_drawn(tmp_path, capsys):
    refused = row(tmp_path / "results", setting("config.learner.polyak", 0.95))
    docs, readme = str(tmp_path / "docs"), str(tmp_path / "README.md")
    words = ["--results", str(tmp_path / "results"), "--docs", docs, "--readme", readme]
    assert run(["paper", "plot", *words]) == 0
    assert f"left out {refused}" in capsys.readouterr().out.replace("\n", "")
    assert "slippery-push | rpl | 1" not in (tmp_path / "docs" / "results.md").read_text()
