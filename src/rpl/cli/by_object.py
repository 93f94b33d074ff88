"""How well a policy does on objects it learned with, on held-out ones, and on each kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from rpl.rollout.evaluate import Outcome
from rpl.runs.load import Subject
from rpl.tasks.fetch.options import HookOptions, Split
from rpl.tasks.needed import needed
from rpl.training.console import say

if TYPE_CHECKING:
    from rpl.tasks.fetch.objects import RigidObject

OBJECTS = "rpl.tasks.fetch.objects"
SPLITS: tuple[Split, ...] = ("training", "held-out")


def object_options(subject: Subject) -> HookOptions | None:
    """The variations of a task that draws objects; None for any other task."""
    options = getattr(subject.problem.evaluation_task.unwrapped, "options", None)
    return options if isinstance(options, HookOptions) and options.objects is not None else None


def splits_to_judge(options: HookOptions) -> tuple[Split, ...]:
    """Both splits, unless another than the training objects was asked for or none is held out."""
    if options.split != "training":
        return (options.split,)
    objects = needed(OBJECTS).choose_objects(options.objects or "", "all")
    held_out = any(rigid.held_out for rigid in objects)
    return SPLITS if held_out else SPLITS[:1]


def on_split(subject: Subject, split: Split, load: Callable[[HookOptions], Subject]) -> Subject:
    """The subject with the objects of a split; ``load`` makes one with other options."""
    options = object_options(subject)
    assert options is not None
    return subject if options.split == split else load(replace(options, split=split))


def episode_objects(subject: Subject, seeds: Sequence[int]) -> list[RigidObject]:
    """The object of each episode."""
    task: Any = subject.problem.evaluation_task.unwrapped
    return [task.episode_object(seed) for seed in seeds]


def training_categories(subject: Subject) -> set[str]:
    """The kinds of object that training draws."""
    options = object_options(subject)
    assert options is not None
    assert options.objects is not None
    return {rigid.category for rigid in needed(OBJECTS).choose_objects(options.objects, "training")}


def category_counts(
    objects: Sequence[RigidObject], outcomes: dict[str, Outcome | None], trained: set[str]
) -> dict[str, dict[str, Any]]:
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


def print_categories(splits: dict[str, dict[str, Any]], console: Console) -> None:
    """The successes of each kind of object as a table; ``splits`` is the report's."""
    acting = [name for name in ("controller", "policy") if splits[next(iter(splits))][name]]
    table = Table(title="success by kind of object")
    table.add_column("")
    for split in splits:
        for name in acting:
            table.add_column(f"{split}\n{name}", justify="right")
    for category in sorted({c for report in splits.values() for c in report["categories"]}):
        found = [report["categories"].get(category) for report in splits.values()]
        cells = [
            f"{counts[name]} of {counts['episodes']}" if counts else ""
            for counts in found
            for name in acting
        ]
        new = any(counts and not counts["trained"] for counts in found)
        table.add_row(Text(f"{category} *" if new else category), *cells)
    console.print(table)
    if any(not c["trained"] for report in splits.values() for c in report["categories"].values()):
        say(console, "* a kind that training never shows")
