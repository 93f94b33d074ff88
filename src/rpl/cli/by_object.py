"""How well a policy does on objects it learned with, on held-out ones, and on each kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from rpl.cli.output import say
from rpl.rollout.evaluate import Outcome
from rpl.runs.load import Subject
from rpl.settings import Record
from rpl.tasks.fetch.options import HookOptions, Split
from rpl.tasks.needed import needed

if TYPE_CHECKING:
    from rpl.tasks.fetch.objects import RigidObject

OBJECTS = "rpl.tasks.fetch.objects"
SPLITS: tuple[Split, ...] = ("training", "held-out")


def task_with_objects(subject: Subject) -> Any:
    """The subject's task, if it draws objects, else None."""
    task: object = subject.problem.evaluation_task.unwrapped
    options = getattr(task, "options", None)
    return task if isinstance(options, HookOptions) and options.objects is not None else None


def splits_to_judge(options: HookOptions) -> tuple[Split, ...]:
    """Both splits, unless another than the training objects was asked for or none is held out."""
    if options.split != "training":
        return (options.split,)
    objects = needed(OBJECTS).choose_objects(options.objects or "", "all")
    held_out = any(rigid.held_out for rigid in objects)
    return SPLITS if held_out else SPLITS[:1]


def training_categories(options: HookOptions) -> set[str]:
    """The kinds of object that training draws."""
    objects = needed(OBJECTS).choose_objects(options.objects or "", "training")
    return {rigid.category for rigid in objects}


def category_counts(
    objects: Sequence[RigidObject], outcomes: dict[str, Outcome | None], trained: set[str]
) -> dict[str, Record]:
    """Successes of each kind of object, as ``--json`` prints them.

    Args:
        objects: of each episode.
        outcomes: by who acted; None for who did not.
        trained: the kinds that training draws.

    Returns:
        By category, in alphabetical order: ``episodes``, whether the category is ``trained``
        with, and the successes of each who acted.
    """
    categories = np.array([rigid.category for rigid in objects])
    return {
        str(category): {
            "episodes": int((categories == category).sum()),
            "trained": str(category) in trained,
            **{
                name: int(outcome.success[categories == category].sum())
                for name, outcome in outcomes.items()
                if outcome is not None
            },
        }
        for category in np.unique(categories)
    }


def print_categories(splits: dict[str, Record]) -> None:
    """The successes of each kind of object as a table; ``splits`` is the report's."""
    reports = list(splits.values())
    acting = [name for name in ("controller", "policy") if reports[0][name]]
    table = Table(title="success by kind of object")
    table.add_column("")
    for split in splits:
        for name in acting:
            table.add_column(f"{split}\n{name}", justify="right")
    untrained = False
    for category in sorted({c for report in reports for c in report["categories"]}):
        found = [report["categories"].get(category) for report in reports]
        cells = [
            f"{counts[name]} of {counts['episodes']}" if counts else ""
            for counts in found
            for name in acting
        ]
        new = any(counts and not counts["trained"] for counts in found)
        untrained |= new
        table.add_row(Text(f"{category} *" if new else category), *cells)
    Console().print(table)
    if untrained:
        say("* a kind that training never shows")
