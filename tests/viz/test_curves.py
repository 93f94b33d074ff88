"""Learning curves say what the run folders say."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from rpl.presets import FAST, with_learner
from rpl.viz.curves import (
    curve,
    draw_task,
    format_steps,
    learning_curves,
    metric_of_runs,
    variants,
)
from rpl.viz.run_data import read_run

COLUMNS = (
    "environment_steps,policy_success,policy_success_low,policy_success_high,policy_return,"
    "controller_success,controller_return,burning_in"
)


def make_run(
    folder: Path, rows: list[str], task: str = "push", method: str = "rpl", seed: int = 0
) -> Path:
    folder.mkdir(parents=True)
    record = {"task": task, "method": method, "seed": seed, "controller": "reactive-push"}
    (folder / "config.json").write_text(json.dumps(record))
    (folder / "metrics.csv").write_text("\n".join([COLUMNS, *rows]) + "\n")
    return folder


def row(steps: int, success: float, burning_in: int = 0) -> str:
    return f"{steps},{success},{success - 0.1},{success + 0.1},-40,0.4,-45,{burning_in}"


def test_a_single_run_keeps_its_points_and_shows_its_own_interval(tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path / "a", [row(0, 0.4, 1), row(100, 0.5, 1), row(200, 0.8)]))
    steps, middle, low, high = curve([run], "success")
    assert steps.tolist() == [0, 100, 200]
    np.testing.assert_allclose(middle, [0.4, 0.5, 0.8])
    np.testing.assert_allclose(low, [0.3, 0.4, 0.7])
    np.testing.assert_allclose(high, [0.5, 0.6, 0.9])
    assert run.burn_in_end == 100


def test_seeds_become_mean_and_deviation_on_the_steps_they_share(tmp_path: Path) -> None:
    runs = [
        read_run(make_run(tmp_path / "a", [row(0, 0.0), row(200, 0.8), row(400, 1.0)])),
        read_run(make_run(tmp_path / "b", [row(0, 0.2), row(100, 0.2), row(200, 0.4)], seed=1)),
    ]
    steps, middle, low, high = curve(runs, "success")
    assert steps.tolist() == [0, 100, 200]  # 400 lies beyond the second run
    np.testing.assert_allclose(middle, [0.1, 0.3, 0.6])  # 0.4 interpolated in the first run
    deviation = np.array([0.2, 0.2, 0.4]) / np.sqrt(2.0)
    np.testing.assert_allclose(low, np.maximum(middle - deviation, 0.0))
    np.testing.assert_allclose(high, np.minimum(middle + deviation, 1.0))


def test_the_picture_names_methods_controller_and_every_task(tmp_path: Path) -> None:
    rows = [row(0, 0.4, 1), row(50_000, 0.9)]
    blank = ["0,,,,-60,,-50,1", "50000,,,,-30,,-50,0"]
    folders = [
        make_run(tmp_path / "a", rows),
        make_run(tmp_path / "b", rows, method="scratch"),
        make_run(tmp_path / "c", rows, method="my-method"),
        make_run(tmp_path / "d", blank, task="pusher"),
    ]
    out = tmp_path / "new" / "curves.svg"
    learning_curves(folders, out)
    # Matplotlib draws letters as shapes but notes each text in a comment.
    svg = out.read_text()
    for text in ("RPL", "From scratch", "my-method", "Initial", "push (reactive-push)", "pusher ("):
        assert f"<!-- {text}" in svg
    assert "<!-- return -->" in svg
    assert "<!-- success rate -->" in svg
    assert "<!-- 50k -->" in svg
    learning_curves(folders[:1], tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def make_planner_run(folder: Path, returns: list[float]) -> Path:
    make_run(folder, [], task="mbrl-pusher", method="pets")
    rows = [f"{150 * (i + 1)},{earned}" for i, earned in enumerate(returns)]
    (folder / "metrics.csv").write_text(
        "\n".join(["environment_steps,policy_return", *rows]) + "\n"
    )
    return folder


def test_steps_that_a_learned_controller_cost_are_charged(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "a", [row(0, 0.4, 1), row(100, 0.5, 1), row(200, 0.8)])
    record = json.loads((folder / "config.json").read_text())
    facts = {"charged_steps": 15_500, "metric": "return", "task": "mbrl-pusher"}
    (folder / "config.json").write_text(json.dumps(record | facts))
    run = read_run(folder)
    assert run.steps.tolist() == [15_500, 15_600, 15_700]
    assert run.burn_in_end == 15_600
    assert metric_of_runs([run]) == "return"


def test_a_planner_is_a_line_of_its_trials_and_a_level(tmp_path: Path) -> None:
    planner = make_planner_run(tmp_path / "p", [-300.0] * 5 + [-80.0] * 5 + [-70.0] * 5)
    learner = make_run(tmp_path / "a", [row(0, 0.4), row(3000, 0.5)], task="mbrl-pusher")
    figure = Figure()
    axes = figure.subplots()
    draw_task(axes, "mbrl-pusher", [read_run(planner), read_run(learner)])
    levels = {line.get_label(): line.get_ydata() for line in axes.get_lines()}
    assert levels["PETS (mean of its last 10 trials)"] == [-75.0, -75.0]
    assert axes.get_ylabel() == "return"
    trials = next(line for line in axes.get_lines() if len(line.get_xdata()) == 15)
    assert trials.get_xdata()[-1] == 2250
    learning_curves([planner], tmp_path / "alone.png")
    assert (tmp_path / "alone.png").stat().st_size > 10_000


def test_a_level_is_reached_when_three_evaluations_average_it(tmp_path: Path) -> None:
    values = [0.0, 1.0, 0.7, 1.0, 0.96, 0.97, 0.9]
    rows = [row(100 * i, value) for i, value in enumerate(values)]
    run = read_run(make_run(tmp_path / "a", rows))
    assert run.steps_to(0.95) == 500  # (1.0 + 0.96 + 0.97) / 3, the first such three
    assert run.steps_to(0.99) is None


def test_runs_of_other_settings_are_no_seeds_of_one_curve(tmp_path: Path) -> None:
    def make(name: str, seed: int, **record: object) -> Path:
        folder = make_run(tmp_path / name, [row(0, 0.4), row(100, 0.5)], seed=seed)
        known = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(known | record))
        return folder

    config = json.loads(json.dumps(asdict(FAST)))
    twin = config | {"seed": 1, "num_threads": 1, "evaluation_episodes": 3}
    large = config | {"residual": config["residual"] | {"scale": 0.5}}
    folders = [
        make("a", 0, config=config),
        make("b", 1, config=twin),
        make("c", 0, config=large),
        make("d", 0, config=asdict(with_learner(FAST, "td3")), learner="td3"),
    ]
    runs = [read_run(folder) for folder in folders]
    assert variants(runs[:2]) == [("", runs[:2])]
    assert variants(runs[:3]) == [("scale 1.0", runs[:2]), ("scale 0.5", runs[2:3])]
    assert [name for name, _ in variants(runs)] == ["a", "c", "d"]
    assert [name for name, _ in variants([runs[0], runs[3]])] == ["ddpg", "td3"]
    axes = Figure().subplots()
    draw_task(axes, "push", runs)
    names = [line.get_label() for line in axes.get_lines()]
    assert len(names) == len(set(names)) == 4


def test_a_level_of_the_controller_alone_is_not_reached_by_learning(tmp_path: Path) -> None:
    values = [1.0, 1.0, 1.0, 0.5, 0.9, 1.0, 1.0]
    rows = [row(100 * i, value, burning_in=int(i < 3)) for i, value in enumerate(values)]
    assert read_run(make_run(tmp_path / "a", rows)).steps_to(0.9) == 600


def test_a_row_that_is_half_written_is_left_out(tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path / "a", [row(0, 0.4), "100,0.5,0."]))
    assert run.steps.tolist() == [0]


def test_what_is_not_a_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"is not a run: it has no config\.json"):
        learning_curves([tmp_path], tmp_path / "x.png")
    with pytest.raises(ValueError, match="no evaluation yet"):
        read_run(make_run(tmp_path / "empty", []))
    with pytest.raises(ValueError, match="not a number"):
        read_run(make_run(tmp_path / "broken", [row(0, 0.4).replace("0.4", "oops", 1)]))
    with pytest.raises(ValueError, match="no run folders"):
        learning_curves([], tmp_path / "x.png")


@pytest.mark.parametrize(
    ("steps", "text"), [(0, "0"), (500, "500"), (40_000, "40k"), (1.5e6, "1.5M")]
)
def test_steps_are_written_short(steps: float, text: str) -> None:
    assert format_steps(steps) == text
