"""``rpl tasks``: what there is."""

from rich.console import Console
from rich.table import Table

from rpl.registry.catalog import CONTROLLERS, METHODS, TASKS


def tasks() -> None:
    """Lists tasks, controllers and methods, one line each."""
    console = Console()
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("task", "", "controllers"):
        table.add_column(column)
    for name, entry in TASKS.items():
        fitting = [c for c, controller in CONTROLLERS.items() if name in controller.tasks]
        table.add_row(name, entry.summary, ", ".join(fitting))
    console.print(table)
    for title, entries in (("controller", CONTROLLERS), ("method", METHODS)):
        table = Table(box=None, header_style="bold", pad_edge=False)
        table.add_column(title)
        table.add_column("")
        for name, entry in entries.items():
            table.add_row(name, entry.summary)
        console.print()
        console.print(table)
