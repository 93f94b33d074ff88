"""What commands say: sentences as they are, tables without lines, JSON with nothing beside it."""

import ctypes
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout

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


@contextmanager
def only_json(asked: bool) -> Iterator[Callable[[object], None]]:
    """Gives what prints one JSON object; all else that is printed goes to standard error.

    Simulators print too, not all of them in Python, and some only when their buffer is full.

    Args:
        asked: whether standard output is for JSON; else nothing is diverted.
    """
    printed: list[object] = []
    with ExitStack() as stack:
        if asked:
            stack.enter_context(_diverted())
            stack.enter_context(redirect_stdout(sys.stderr))
        yield printed.append
    for what in printed:
        print(json.dumps(what))


@contextmanager
def _diverted() -> Iterator[None]:
    """Whatever is written to the file of standard output goes to that of standard error."""
    try:
        output = os.dup(1)
        os.dup2(2, 1)
    except OSError:  # one of them is closed
        yield
        return
    try:
        yield
    finally:
        ctypes.CDLL(None).fflush(None)
        os.dup2(output, 1)
        os.close(output)
