"""``rpl tasks``: what there is."""

from rich.console import Console

from rpl.cli.output import plain_table
from rpl.registry.catalog import CONTROLLERS, METHODS, TASKS


def tasks() -> None:
    """Lists tasks, controllers and methods, one line each."""
    console, table = Console(), plain_table("task", "", "controllers")
    for name, entry in TASKS.items():
        fitting = [c for c, controller in CONTROLLERS.items() if name in controller.tasks]
        table.add_row(name, entry.summary, ", ".join(fitting))
    console.print(table)
    for title, entries in (("controller", CONTROLLERS), ("method", METHODS)):
        table = plain_table(title, "")
        for name, entry in entries.items():
            table.add_row(name, entry.summary)
        console.print("", table, sep="\n")
