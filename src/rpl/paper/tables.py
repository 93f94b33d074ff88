"""The paper's table as Markdown and CSV, with the paper's numbers beside ours."""

import csv
import io
from collections.abc import Callable, Sequence

import numpy as np

from rpl.paper.matrix import MATRIX
from rpl.paper.published import INITIAL, PUBLISHED, Published
from rpl.paper.results import TASKS, Results, cell_of
from rpl.paper.statistics import Summary, metric_of
from rpl.viz.run_data import LEVEL, format_steps
from rpl.viz.statistics import NOTHING, interquartile_mean, number, steps_in_words, with_interval

MISSING = "missing"
BASELINES = ("expert-explore", "scratch")


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def full_table(results: Results) -> str:
    """Every cell of the matrix."""
    return _table(summaries(results), list(COLUMNS))


def results_table(results: Results) -> str:
    """The paper's methods on each task, without variants, in the columns that it has too."""
    ours = ("area", "lowest after burn-in", "interquartile mean")
    columns = [name for name in COLUMNS if name not in ours]
    shown = {results.rpl(task) for task in TASKS}
    shown |= {cell for cell in MATRIX if cell.method != "rpl" and not cell.variant}
    return _table([s for s in summaries(results) if s.cell in shown], columns)


def _table(rows: Sequence[Summary], columns: Sequence[str]) -> str:
    return markdown(columns, [[COLUMNS[name](s) for name in columns] for s in rows])


def readme_table(results: Results) -> str:
    """What the README shows: RPL on each task."""
    header = ("task", "preset", "seeds", "steps", "controller", "residual policy [95 %]", "paper")
    shown = [results.summary(results.rpl(task)) for task in TASKS]
    rows = [
        [
            *(s.cell.task, s.cell.preset, str(len(s.runs) or NOTHING), format_steps(s.cell.steps)),
            *(number(s.initial), final(s), published(s)),
        ]
        for s in shown
    ]
    return markdown(header, rows)


def across_tasks(results: Results) -> str:
    """The interquartile mean over tasks and seeds, on the tasks that every method has run."""
    cells = {
        task: [results.rpl(task), *(c for label in BASELINES if (c := cell_of(task, label)))]
        for task in TASKS
        if metric_of(task) == "success"
    }
    common = [task for task, row in cells.items() if all(map(results.runs, row))]
    if not common:
        return "No task has runs of all three methods yet.\n"
    rows = []
    for i, label in enumerate(("rpl", *BASELINES)):
        finals = [
            np.array([run.columns["policy_success"][-1] for run in results.runs(cells[task][i])])
            for task in common
        ]
        middle, interval = interquartile_mean(finals)
        runs = str(sum(map(len, finals)))
        rows.append([label, ", ".join(common), runs, with_interval(middle, interval)])
    return markdown(("method", "tasks", "runs", "interquartile mean [95 %]"), rows)


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
