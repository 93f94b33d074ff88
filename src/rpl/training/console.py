"""Sentences for people: printed as they are, whatever paths and names are in them."""

from __future__ import annotations

from rich.console import Console


def say(console: Console, sentence: str) -> None:
    """Prints a sentence in which neither ``[/]`` nor ``:smile:`` means something else."""
    console.print(sentence, markup=False, emoji=False, highlight=False, soft_wrap=True)
