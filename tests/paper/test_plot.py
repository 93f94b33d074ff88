"""The paper's numbers, tables and figures say what the results say, the same every time."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rpl.paper.ablations import ABLATIONS
from rpl.paper.check import expected_record
from rpl.paper.figures import cache_figure, shortened
from rpl.paper.matrix import Cell, cell_at
from rpl.paper.pages import comparison_level, first_claim, second_claim
from rpl.paper.plot import rewrite_sections, write_all
from rpl.paper.results import Results
from rpl.paper.statistics import mean_until, summarise
from rpl.paper.tables import across_tasks, full_table, readme_table, variants_table

COLUMNS = (
    "environment_steps,wall_seconds,policy_success,policy_success_low,policy_success_high,"
    "policy_return,controller_success,controller_return,burning_in,evaluation_episodes"
)


def make_row(results: Path, cell: Cell, seed: int, levels: list[float], controller=0.4) -> None:
    """A result with evenly spaced evaluations of these levels; the first is burn-in."""
    folder = results / cell.folder / f"seed{seed}"
    folder.mkdir(parents=True)
    record = {"task": cell.task, "method": cell.method, "seed": seed, "controller": "c"}
    (folder / "config.json").write_text(json.dumps(record))
    rows = [
        f"{steps:.0f},{steps},{v},{v - 0.1},{v + 0.1},{v - 100},{controller},-100,{i == 0:d},500"
        for i, (steps, v) in enumerate(
            zip(np.linspace(0, cell.steps, len(levels)), levels, strict=True)
        )
    ]
    (folder / "metrics.csv").write_text("\n".join([COLUMNS, *rows]) + "\n")


SLIPPERY, SCRATCH = cell_at("slippery-push/rpl"), cell_at("slippery-push/scratch")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Two seeds of RPL and one from scratch on slippery-push; RPL on the pusher."""
    folder = tmp_path / "results"
    make_row(folder, SLIPPERY, 0, [0.4, 0.6, 1.0, 1.0, 1.0, 1.0])
    make_row(folder, SLIPPERY, 2, [0.4, 0.5, 0.9, 0.9, 0.9, 0.8])
    make_row(folder, SCRATCH, 0, [0.0, 0.0, 0.0, 0.5, 1.0, 1.0, 1.0])
    make_row(folder, cell_at("mbrl-pusher/rpl"), 0, [0.0, 1.0, 2.0])
    return folder


def test_rows_that_are_left_out_do_not_count(results):
    row = results / SLIPPERY.folder / "seed2"
    assert [run.seed for run in Results(results, {row}).runs(SLIPPERY)] == [0]


def test_a_cell_in_numbers(results):
    s = Results(results).summary(SLIPPERY)
    assert s.final == pytest.approx(0.9)
    assert s.final_interval is not None
    assert s.final_interval == pytest.approx((0.8798, 0.9171), abs=1e-3)  # 900 of 1000
    assert s.initial == pytest.approx(0.4)
    assert s.lowest == 0.5
    # Evaluations 100,000 steps apart: three of them average 0.9 at the fifth and at the sixth.
    assert s.reached == 2
    assert s.steps_to_level == pytest.approx((400_000 + 400_000) / 2)
    areas = [(0.5 + 0.8 + 1 + 1 + 1) / 5, (0.45 + 0.7 + 0.9 + 0.9 + 0.85) / 5]
    assert s.area == pytest.approx(np.mean(areas))


def test_the_intervals_of_returns_join_as_independent_errors(results):
    cell = cell_at("mbrl-pusher/rpl")
    (run,) = Results(results).runs(cell)
    ends = run.columns | {"policy_return_low": [-101.0], "policy_return_high": [-96.0]}
    alone = replace(run, columns={name: np.asarray(values) for name, values in ends.items()})
    s = summarise(cell, [alone], 600_000)
    assert (s.final, s.final_interval) == (-98.0, (-101.0, -96.0))
    s = summarise(cell, [alone, alone, alone, alone], 600_000)
    assert s.final_interval == pytest.approx((-98.0 - 1.5, -98.0 + 1.0))
    assert s.initial_interval is None


def test_the_area_ends_where_rpls_budget_ends(results):
    run = Results(results).runs(SCRATCH)[0]
    half = mean_until(run, "policy_success", 500_000)  # evaluations every 166,667 steps
    assert half == pytest.approx((0 + 0 + 0.25) / 3, abs=1e-5)
    assert mean_until(run, "policy_success", 2_000_000) is None


def test_rows_cut_short_do_not_count(results):
    shorter = replace(SLIPPERY, steps=SLIPPERY.steps + 1)
    assert len(Results(results).runs(SLIPPERY)) == 2
    assert Results(results).runs(shorter) == []


def test_a_seed_that_never_gets_there_is_said(results):
    runs = Results(results).runs(SLIPPERY)
    never = shortened(runs[1], 200_000)
    s = summarise(SLIPPERY, [runs[0], never], 500_000)
    assert (s.reached, s.steps_to_level, s.area) == (1, 400_000, None)


def test_tables_show_what_there_is_and_what_is_missing(results):
    table = full_table(Results(results))
    assert "| slippery-push | rpl | 2/5 | 500k | 0.400 | 0.900 [0.880, 0.917] | 400k |" in table
    assert "| slippery-push | rpl-paper |" in table
    assert re.search(r"\| noisy-hook \| rpl \| 0/5 \| \w+ \| - \| missing \|", table)
    shortest = readme_table(Results(results))
    assert "| push | ungated | - | 400k | - | missing | 0.5 to 1.0" in shortest
    assert "| slippery-push | ungated | 2 | 500k | 0.400 | 0.900 [0.880, 0.917] |" in shortest
    assert len(shortest.splitlines()) == 2 + 6  # RPL on each task, and nothing else


def test_the_variants_that_have_run_stand_beside_each_other(results):
    make_row(results, cell_at("slippery-push/rpl-frugal"), 0, [0.3, 0.35, 1.0])
    rows = variants_table(Results(results), ("mbrl-pusher", "slippery-push")).splitlines()[2:]
    assert [row.split(" | ")[:3] for row in rows] == [
        ["| mbrl-pusher", "`rpl`", "ungated"],
        ["| slippery-push", "`rpl-frugal`", "frugal"],
        ["| slippery-push", "`rpl`", "ungated"],
    ]
    assert rows[1].endswith("| 75k | 0.400 | 1.000 [0.992, 1.000] | -0.050 |")


def test_the_default_stands_for_rpl_where_it_has_run(results):
    gated = cell_at("slippery-push/rpl-gated")
    assert Results(results).rpl("slippery-push") == SLIPPERY
    make_row(results, gated, 0, [0.3, 0.35, 1.0])
    assert Results(results).rpl("slippery-push") == gated
    row = "| slippery-push | fast, earlier | 1 | 150k | 0.400"
    assert f"{row} | 1.000" in readme_table(Results(results))
    assert "0.45 to 1.0 after 1M |" in readme_table(Results(results))
    (said,) = [line for line in first_claim(Results(results)).splitlines() if row in line]
    assert said.endswith("| -0.050 | 0.45 to 1.0 after 1M |")


def test_a_row_of_today_is_no_earlier_one(results):
    gated = cell_at("slippery-push/rpl-gated")
    make_row(results, gated, 1, [0.4, 1.0])
    path = results / gated.folder / "seed1" / "config.json"
    config = expected_record(gated, 1)["config"]
    path.write_text(json.dumps(json.loads(path.read_text()) | {"config": config}))
    assert "| slippery-push | fast | 1 | 150k" in readme_table(Results(results))


def test_claims_are_answered_with_numbers(results):
    first, second = first_claim(Results(results)), second_claim(Results(results))
    assert "| all with runs | - | - | - | - | - | - | 2 of 2 | - | - |" in first
    assert "[0.880, 0.917] | yes, by 0.500 | none | 0.45 to 1.0 after 1M |" in first
    assert "| RPL first, of those with runs of all | - | - | - | - | 0 of 0 |" in second
    assert "| slippery-push | 0.900 | 400k | missing | 1M | 2.5 |" in second
    without = Results(results, {results / SLIPPERY.folder / f"seed{seed}" for seed in (0, 2)})
    assert "| slippery-push | - | missing | missing | - | - |" in second_claim(without)


@pytest.mark.parametrize(("level", "steps", "first"), [(0.9, "150k", 0), (0.8, "not within 1M", 1)])
def test_expert_explore_may_be_first(results, level, steps, first):
    make_row(results, cell_at("slippery-push/expert-explore"), 0, [level] * 21)
    told = second_claim(Results(results))
    assert f"| RPL first, of those with runs of all | - | - | - | - | {first} of 1 |" in told
    assert f"| 400k | {steps} | 1M |" in told


def test_methods_are_compared_over_the_tasks_that_all_have_run(results):
    assert "on no task yet" in across_tasks(Results(results))
    make_row(results, cell_at("slippery-push/expert-explore"), 0, [0.9, 0.9, 0.9, 0.9, 1.0])
    table = across_tasks(Results(results))
    assert table.startswith("Interquartile mean on slippery-push; probability on slippery-push.")
    rows = [line.split(" | ") for line in table.splitlines()]
    ends = {row[0].removeprefix("| "): row[1:] for row in rows if len(row) == 4}
    assert ends["rpl"][0] == "2"
    assert re.fullmatch(r"0\.900 \[0\.\d+, [01]\.\d+\]", ends["rpl"][1])
    assert ends["scratch"][2] == "1.000 |"  # of one seed nothing is drawn again
    assert ends["expert-explore"][2] == "0.000 |"


def test_a_tuned_controller_stands_beside_the_residual(results):
    assert Results(results).tuned("slippery-push") is None
    for seed, (level, steps) in enumerate([(0.9, 70_000), (0.8, 73_000)]):
        outcome = {"tuned": {"success_rate": level}}
        result = {"result": {"steps": steps, "evaluation": outcome}}
        folder = results / "tuning" / "any" / f"seed{seed}"
        folder.mkdir(parents=True)
        record = {"format": 1, "written_by": "rpl", "task": "slippery-push"} | result
        (folder / "tuning.json").write_text(json.dumps(record))
    assert Results(results).tuned("pick-and-place") is None
    assert "| 0.850 after 72k | 0.900 [0.880, 0.917] |" in first_claim(Results(results))


def test_steps_that_made_the_controller_are_charged(results):
    cell = cell_at("mbrl-pusher/rpl")
    path = results / cell.folder / "seed0" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"charged_steps": 15_500}))
    (run,) = Results(results).runs(cell)
    assert run.steps[0] == 15_500
    assert run.steps[-1] == cell.steps + 15_500
    area = mean_until(run, "policy_return", cell.steps)
    assert Results(results).summary(cell).area == area
    assert Results(results).summary(cell).final_interval is None


def test_a_planner_is_summed_up_by_its_last_trials(results):
    cell = cell_at("mbrl-pusher/pets")
    folder = results / cell.folder / "seed0"
    folder.mkdir(parents=True)
    record = {"task": "mbrl-pusher", "method": "pets", "seed": 0, "controller": None}
    (folder / "config.json").write_text(json.dumps(record))
    rows = [f"{150 * (i + 1)},{-200.0 if i < 91 else -80.0}" for i in range(101)]
    (folder / "metrics.csv").write_text("\n".join(["environment_steps,policy_return", *rows]))
    summary = Results(results).summary(cell)
    assert (summary.final, summary.initial) == (-80.0, None)
    assert (
        comparison_level(Results(results), Results(results).summary(cell_at("mbrl-pusher/rpl")))
        == -80
    )


def test_everything_is_written_twice_the_same_and_ablations_only_with_runs(results, tmp_path):
    (ablation,) = [a for a in ABLATIONS if a.name == "zero-initialisation"]
    make_row(results, ablation.cells[0], 0, [0.1, 0.2, 0.3])
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- results -->\nold\n<!-- /results -->\nafter\n")
    files = write_all(results, tmp_path / "docs", readme)
    first = {path: path.read_bytes() for path in files}
    again = write_all(results, tmp_path / "docs", readme)
    assert {path: path.read_bytes() for path in again} == first
    assert readme.read_text().startswith("before\n<!-- results -->\n\n| task |")
    assert readme.read_text().endswith("<!-- /results -->\nafter\n")
    assert "old" not in readme.read_text()
    names = {path.name for path in files}
    assert {"figure3.png", "figure3.svg", "figure4.png", "presets.svg"} <= names
    assert {name for name in names if name.startswith("ablation-")} == {
        "ablation-zero-initialisation.png", "ablation-zero-initialisation.svg"
    }  # fmt: skip
    page = (tmp_path / "docs/ablations.md").read_text()
    assert page.count("![") == 1
    last_layer, burn_in = page.splitlines()[6:8]
    numbers = "| last layer zero: 0.613 | last layer zero: 0.613 | last layer random: 0.200 |"
    assert last_layer.endswith(numbers)
    assert burn_in.startswith("| Burn-in |")
    assert burn_in.endswith("| missing | missing | missing |")
    assert "Frames under sensor noise" not in page  # it has one seed
    notebook = (tmp_path / "docs/notebook/ablations.md").read_text()
    assert notebook.count("## ") == 1
    assert "| last layer random | `--learner.no-zero-last` | 1 |" in notebook
    with open(results / "summary.csv") as file:
        rows = {(row["task"], row["method"]): row for row in csv.DictReader(file)}
    assert rows["slippery-push", "rpl"]["policy"] == "0.9"
    assert rows["push", "rpl"]["policy"] == ""


def test_figure_6_is_drawn_from_its_table_and_said_to_be_missing_without(results):
    (empty,) = cache_figure(Results(results)).axes
    assert [text.get_text() for text in empty.texts] == ["no runs yet"]
    names = "states,trials,mean_return,std_return,planner_return"
    table = f"{names}\n1,25,-140,9,-75\n500,25,-80,7,-75\n"
    (results / "figure6.csv").write_text(table)
    (axes,) = cache_figure(Results(results)).axes
    assert axes.lines[0].get_ydata().tolist() == [-140.0, -80.0]


def test_a_page_without_its_section_is_left_alone(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("text <!-- a --> more")
    with pytest.raises(ValueError, match="no section between <!-- a --> and <!-- /a -->"):
        rewrite_sections(page, {"a": "x"})
    assert page.read_text() == "text <!-- a --> more"
