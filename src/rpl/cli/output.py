"""What commands say: sentences as they are, and tables without lines."""

from rich.console import Console
from rich.table import Table

from rpl.training import console


def say(sentence: str, error: bool = False) -> None:
    """Prints a sentence, however long, on one line: a path in it can be copied."""
    console.say(Console(stderr=error), sentence)


def plain_table(*columns: str, numbers: tuple[str, ...] = ()) -> Table:
    """A table without lines: columns of words, then columns of ``numbers``."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in columns:
        table.add_column(name)
    for name in numbers:
        table.add_column(name, justify="right")
    return table
