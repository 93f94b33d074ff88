"""The paper's table as Markdown and CSV, with the paper's numbers beside ours."""

import csv
import io
from collections.abc import Callable, Sequence

import numpy as np

from rpl.config import Config
from rpl.paper.check import is_earlier
from rpl.paper.matrix import MATRIX
from rpl.paper.published import INITIAL, PUBLISHED, Published
from rpl.paper.results import TASKS, Results, cell_of
from rpl.paper.statistics import Summary, mean_until, metric_of
from rpl.viz.run_data import LEVEL, RunData, format_steps
from rpl.viz.statistics import (
    NOTHING,
    interquartile_mean,
    number,
    probability_of_improvement,
    steps_in_words,
    with_interval,
)

MISSING = "missing"
BASELINES = ("expert-explore", "scratch")
EPISODES = Config().final_evaluation_episodes
"""Of a run's last evaluation."""


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def full_table(results: Results) -> str:
    """Every cell of the matrix."""
    rows = [[said(s) for said in COLUMNS.values()] for s in summaries(results)]
    return markdown(list(COLUMNS), rows)


def readme_table(results: Results) -> str:
    """What the README shows: RPL on each task."""
    header = ("task", "preset", "seeds", "steps", "controller", "residual policy [95 %]", "paper")
    shown = [results.summary(results.rpl(task)) for task in TASKS]
    rows = [
        [
            *(s.cell.task, preset(s), str(len(s.runs) or NOTHING), format_steps(s.cell.steps)),
            *(number(s.initial), final(s), published(s)),
        ]
        for s in shown
    ]
    return markdown(header, rows)


def variants_table(results: Results, tasks: Sequence[str]) -> str:
    """RPL on some tasks, by every preset and variant that has run."""
    of_rpl = [c for task in tasks for c in MATRIX if (c.task, c.method) == (task, "rpl")]
    shown = [s for s in map(results.summary, of_rpl) if s.runs]
    rows = [
        [
            *(s.cell.task, f"`{s.cell.label}`", preset(s), str(len(s.runs))),
            *(format_steps(s.cell.steps), number(s.initial), final(s), dip(s)),
        ]
        for s in shown
    ]
    header = ("task", "row", "preset", "seeds", "steps", "controller", "policy [95 %]", "dip")
    return markdown(header, rows)


def preset(s: Summary) -> str:
    """The preset by its name, and whether a row is older than what it is now."""
    old = any(is_earlier(s.cell, run) for run in s.runs)
    return s.cell.preset + (", earlier" if old else "")


def across_tasks(results: Results) -> str:
    """Over all tasks and seeds: where methods end, and how likely RPL learns more than another."""
    rated = [task for task in TASKS if metric_of(task) == "success"]
    ends = _compared(results, rated, lambda task, run: float(run.columns["policy_success"][-1]))
    areas = _compared(results, TASKS, lambda task, run: _area(results, task, run))
    rows = []
    for label in ("rpl", *BASELINES):
        groups = [methods[label] for methods in ends.values()]
        pairs = [(methods["rpl"], methods[label]) for methods in areas.values()]
        middle = interquartile_mean(groups, EPISODES) if groups else (None, None)
        more = probability_of_improvement(pairs) if pairs and label != "rpl" else (None, None)
        rows.append(
            [label, str(sum(map(len, groups))), with_interval(*middle), with_interval(*more)]
        )
    header = ("method", "runs", "interquartile mean [95 %]", "RPL learns more, probability [95 %]")
    tasks = f"Interquartile mean on {', '.join(ends) or 'no task yet'}; "
    tasks += f"probability on {', '.join(areas) or 'no task yet'}.\n\n"
    return tasks + markdown(header, rows)


def _area(results: Results, task: str, run: RunData) -> float | None:
    return mean_until(run, f"policy_{metric_of(task)}", results.rpl(task).steps)


def _compared(
    results: Results, tasks: Sequence[str], measure: Callable[[str, RunData], float | None]
) -> dict[str, dict[str, np.ndarray]]:
    """A measure of each run by task and method, of those tasks that all methods have run."""
    found = {}
    for task in tasks:
        cells = {"rpl": results.rpl(task)}
        cells |= {label: cell for label in BASELINES if (cell := cell_of(task, label))}
        values = {
            label: np.array(
                [v for run in results.runs(cell) if (v := measure(task, run)) is not None]
            )
            for label, cell in cells.items()
        }
        if len(values) > len(BASELINES) and all(map(len, values.values())):
            found[task] = values
    return found


def summary_csv(results: Results) -> str:
    """Every cell of the matrix, a row each; blank where there is no such number."""
    text = io.StringIO()
    rows = [_csv_row(summary) for summary in summaries(results)]
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _csv_row(s: Summary) -> dict[str, object]:
    paper = PUBLISHED.get((s.cell.task, s.cell.method), Published())
    low, high = s.final_interval or (None, None)
    middle_low, middle_high = s.middle_interval or (None, None)
    values = {
        "controller": s.initial,
        "policy": s.final,
        "policy_low": low,
        "policy_high": high,
        f"steps_to_{LEVEL}": s.steps_to_level,
        "seeds_that_reach_it": s.reached if s.runs and s.metric == "success" else None,
        "area": s.area,
        "lowest_after_burn_in": s.lowest,
        "interquartile_mean": s.middle,
        "interquartile_mean_low": middle_low,
        "interquartile_mean_high": middle_high,
        "paper_controller": INITIAL.get(s.cell.task),
        "paper_policy": paper.final,
        "paper_steps": paper.steps,
    }
    return {
        "task": s.cell.task,
        "method": s.cell.label,
        "preset": s.cell.preset,
        "quantity": s.metric,
        "seeds": len(s.runs),
        "steps": s.cell.steps,
        **{name: "" if value is None else f"{value:.6g}" for name, value in values.items()},
    }


def summaries(results: Results) -> list[Summary]:
    """Every cell of the matrix, task by task."""
    ordered = [cell for task in TASKS for cell in MATRIX if cell.task == task]
    assert len(ordered) == len(MATRIX), "a task of the matrix has no place in the figures"
    return [results.summary(cell) for cell in ordered]


def published(s: Summary) -> str:
    """What the paper reports for it, the controller's level first."""
    paper = PUBLISHED.get((s.cell.task, s.cell.method))
    initial = INITIAL.get(s.cell.task)
    if paper is None or s.cell.variant not in ("", "paper", "gated"):
        return NOTHING
    is_ours = s.cell.method == "rpl" and s.cell.variant != "paper"
    return f"{initial:g} to {paper}" if is_ours and initial else str(paper)


def steps_to_level(s: Summary) -> str:
    """The mean over the seeds that reach it, and how many do not."""
    if not s.runs or s.metric != "success":
        return NOTHING
    return steps_in_words(s.steps_to_level, s.reached, len(s.runs))


def dip(s: Summary) -> str:
    """How far below its controller the lowest evaluation after burn-in is."""
    return NOTHING if s.dip is None else "none" if s.dip >= 0.0 else number(s.dip)


def final(s: Summary) -> str:
    """The policy's level in the end; "missing" while there is no run."""
    return with_interval(s.final, s.final_interval) if s.runs else MISSING


COLUMNS: dict[str, Callable[[Summary], str]] = {
    "task": lambda s: s.cell.task,
    "method": lambda s: s.cell.label,
    "seeds": lambda s: f"{len(s.runs)}/{s.cell.seeds}",
    "steps": lambda s: format_steps(s.cell.steps),
    "controller": lambda s: number(s.initial),
    "policy in the end [95 %]": final,
    f"steps to {LEVEL}": steps_to_level,
    "area": lambda s: number(s.area),
    "lowest after burn-in": lambda s: number(s.lowest),
    "interquartile mean": lambda s: with_interval(s.middle, s.middle_interval),
    "paper": published,
}
"""What a table says of a cell."""
