"""What the pages say of the claims and the ablations: tables made from what has run."""

from collections.abc import Sequence
from pathlib import Path

from rpl.paper.ablations import Ablation
from rpl.paper.figures import shortened
from rpl.paper.matrix import Cell
from rpl.paper.results import TASKS, Results, cell_of, planner_of
from rpl.paper.statistics import Summary, metric_of, summarise
from rpl.paper.tables import (
    BASELINES,
    MISSING,
    NOTHING,
    dip,
    final,
    markdown,
    number,
    preset,
    published,
    steps_to_level,
    with_interval,
)
from rpl.viz.curves import RunData
from rpl.viz.run_data import LEVEL, format_steps

AS_IT_IS = " (as it is)"


def first_claim(results: Results) -> str:
    """RPL improves on initial policies."""
    rows, better, judged = [], 0, 0
    for task in TASKS:
        s = results.summary(results.rpl(task))
        verdict = _improves(s)
        judged += bool(s.runs)
        better += verdict.startswith("yes")
        initial = with_interval(s.initial, s.initial_interval)
        row = [task, preset(s), str(len(s.runs)), format_steps(s.cell.steps), initial]
        row += [_tuned(results, task), final(s), verdict, dip(s), published(s)]
        rows.append(row)
    header = (
        *("task", "preset", "seeds", "steps", "controller [95 %]", "controller, tuned"),
        *("with the residual [95 %]", "improved", "dip", "paper"),
    )
    rows.append(["all with runs", *[NOTHING] * 6, f"{better} of {judged}", NOTHING, NOTHING])
    return markdown(header, rows)


def _tuned(results: Results, task: str) -> str:
    tuned = results.tuned(task)
    if tuned is None:
        return NOTHING
    level, steps = tuned
    return f"{number(level)} after {format_steps(round(steps, -3))}"


def _improves(s: Summary) -> str:
    if s.final is None or s.initial is None:
        return MISSING
    if s.final_interval is None or s.initial_interval is None:
        each = [run.columns[f"policy_{s.metric}"][-1] > s.initial for run in s.runs]
        return f"{'yes' if all(each) else 'no'}, {sum(each)} of {len(each)} seeds"
    if s.final_interval[0] > s.initial_interval[1]:
        return f"yes, by {number(s.final - s.initial)}"
    if s.final_interval[1] < s.initial_interval[0]:
        return f"no, worse by {number(s.initial - s.final)}"
    return "not shown: the intervals overlap"


def second_claim(results: Results) -> str:
    """RPL is more data-efficient than learning from scratch, and than Expert Explore."""
    rows, first, judged = [], 0, 0
    for task in TASKS:
        rpl = results.summary(results.rpl(task))
        level = comparison_level(results, rpl)
        others = [_summary(results, task, label) for label in BASELINES]
        steps = [_mean_steps(s, level) for s in (rpl, *others)]
        known = level is not None and all(s.runs for s in (rpl, *others))
        judged += known
        ours, *theirs = steps
        first += known and ours is not None and all(t is None or ours < t for t in theirs)
        reached = [_reach(s, level, n) for s, n in zip((rpl, *others), steps, strict=True)]
        rows.append([task, number(level), *reached, _ratio(others[1], ours, theirs[1])])
    header = ("task", "level", "RPL", "Expert Explore", "scratch", "scratch / RPL")
    total = ["RPL first, of those with runs of all", *[NOTHING] * 4, f"{first} of {judged}"]
    return markdown(header, [*rows, total])


def comparison_level(results: Results, rpl: Summary) -> float | None:
    """0.9; where RPL ends lower, nine tenths of its end; for returns, a planner's."""
    if rpl.final is None:
        return None
    if rpl.metric == "return":
        planner = planner_of(rpl.cell.task)
        return None if planner is None else results.summary(planner).final
    return LEVEL if rpl.final >= LEVEL else round(0.9 * rpl.final, 2)


def _summary(results: Results, task: str, label: str) -> Summary:
    cell = cell_of(task, label)
    assert cell is not None
    return results.summary(cell)


def _mean_steps(s: Summary, level: float | None) -> float | None:
    """Mean steps to a level, charged ones included; None unless every seed reaches it."""
    if level is None or not s.runs:
        return None
    reached = [run.steps_to(level, s.metric) for run in s.runs]
    found = [steps for steps in reached if steps is not None]
    return sum(found) / len(found) if len(found) == len(reached) else None


def _reach(s: Summary, level: float | None, steps: float | None) -> str:
    if not s.runs:
        return MISSING
    if level is None:
        return number(None)
    if steps is not None:
        return format_steps(round(steps, -3))
    late = sum(run.steps_to(level, s.metric) is None for run in s.runs)
    some = f" by {late} of {len(s.runs)}" if late < len(s.runs) else ""
    return f"not within {format_steps(s.cell.steps)}{some}"


def _ratio(scratch: Summary, ours: float | None, theirs: float | None) -> str:
    if ours is None or not scratch.runs:
        return NOTHING
    if theirs is None:
        return f"more than {scratch.cell.steps / ours:.1f}"
    return f"{theirs / ours:.1f}"


def ablation_overview(results: Results, ablations: Sequence[Ablation], pictures: str) -> str:
    """A row for each ablation, and from the folder ``pictures`` the figure of each with a run."""
    header = ("ablation", "what is changed", "as it is", "highest area", "lowest area")
    rows = [[a.title, a.question, *_extremes(results, a)] for a in ablations]
    figures = [f"{_picture(a, pictures)}\n" for a in ablations if _begun(results, a)]
    return "\n".join([markdown(header, rows), *figures])


def ablation_tables(results: Results, ablations: Sequence[Ablation], pictures: str) -> str:
    """A section for each ablation that has a run: its figure, and a row for each variant."""
    return "\n".join(_section(results, a, pictures) for a in ablations if _begun(results, a))


def _begun(results: Results, ablation: Ablation) -> bool:
    return any(map(results.runs, ablation.cells))


def _picture(ablation: Ablation, pictures: str) -> str:
    return f"![{ablation.title}]({Path(pictures) / f'ablation-{ablation.name}.png'})"


def _section(results: Results, ablation: Ablation, pictures: str) -> str:
    entries = _entries(results, ablation)
    metric = metric_of(ablation.reference.task)
    rows = [
        [
            label,
            f"`{words}`" if words else NOTHING,
            *_ablation_numbers(cell, runs, ablation.steps),
        ]
        for label, words, cell, runs in entries
    ]
    header = (
        *("variant", "changed", "seeds", f"{metric} at {format_steps(ablation.steps)}"),
        *("area", "lowest after burn-in", f"steps to {LEVEL}"),
    )
    return (
        f"## {ablation.title}\n\nOn {ablation.reference.task}, {ablation.question}.\n\n"
        f"{_picture(ablation, pictures)}\n\n{markdown(header, rows)}"
    )


Entry = tuple[str, str, Cell, list[RunData]]


def _entries(results: Results, ablation: Ablation) -> list[Entry]:
    reference = results.runs(ablation.reference)[: ablation.seeds]
    whole = [shortened(run, ablation.steps) for run in reference]
    label = ablation.reference_label + AS_IT_IS
    rows: list[Entry] = [(label, "", ablation.reference, whole)]
    for (_, label, words), cell in zip(ablation.variants, ablation.cells, strict=True):
        rows.append((label, words, cell, results.runs(cell)))
    return rows


def _ablation_numbers(cell: Cell, runs: Sequence[RunData], steps: int) -> list[str]:
    s = summarise(cell, runs, steps)
    if not s.runs:
        return [MISSING, *[NOTHING] * 4]
    final = with_interval(s.final, s.final_interval)
    return [str(len(s.runs)), final, number(s.area), number(s.lowest), steps_to_level(s)]


def _extremes(results: Results, ablation: Ablation) -> tuple[str, str, str]:
    """The reference and the variants that learned most and least, by the area under curves."""
    areas = {
        label: summarise(cell, runs, ablation.steps).area
        for label, _, cell, runs in _entries(results, ablation)
        if runs
    }
    known = {label: area for label, area in areas.items() if area is not None}
    if len(known) < 2 or not _begun(results, ablation):
        return MISSING, MISSING, MISSING
    said = {label: f"{label.removesuffix(AS_IT_IS)}: {number(a)}" for label, a in known.items()}
    best, worst = max(known, key=lambda k: known[k]), min(known, key=lambda k: known[k])
    return said[next(iter(areas))], said[best], said[worst]
