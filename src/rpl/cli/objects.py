"""``rpl objects``: what complex-hook's episodes draw from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table
from rich.text import Text

from rpl.cli.options import PICTURES, require_suffix
from rpl.tasks.fetch.options import LIBRARY
from rpl.tasks.needed import needed
from rpl.training.console import say

if TYPE_CHECKING:
    from rpl.tasks.fetch.objects import RigidObject


def objects(
    source: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="[DIR]")] = LIBRARY,
    picture: Path | None = None,
) -> int:
    """Lists the objects of complex-hook, or those that a folder of meshes would give.

    Args:
        source: A folder of STL and OBJ files, as for --task.objects; default: the library.
        picture: Draw all of them, held-out ones in blue, as .png, .pdf or .svg.
    """
    require_suffix(picture, "--picture", *PICTURES)
    chosen = needed("rpl.tasks.fetch.objects").choose_objects(source, "all")
    console = Console()
    console.print(objects_table(chosen))
    held_out = sum(rigid.held_out for rigid in chosen)
    say(console, f"{len(chosen) - held_out} objects for training, {held_out} held out")
    if picture is not None:
        from rpl.viz.objects import draw_objects  # matplotlib is slow to import

        draw_objects(chosen, picture)
        say(console, f"wrote {picture}")
    return 0


def objects_table(chosen: tuple[RigidObject, ...]) -> Table:
    """A row a category: how many there are, and what they range over."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("category")
    for column in ("training", "held out", "longest side, cm", "mass, kg", "friction"):
        table.add_column(column, justify="right")
    for category in dict.fromkeys(rigid.category for rigid in chosen):
        kind = [rigid for rigid in chosen if rigid.category == category]
        held_out = sum(rigid.held_out for rigid in kind)
        table.add_row(
            Text(category),
            str(len(kind) - held_out),
            str(held_out),
            _range([100 * rigid.mesh.size.max() for rigid in kind], ".1f"),
            _range([rigid.mass for rigid in kind], ".2f"),
            _range([rigid.friction for rigid in kind], ".1f"),
        )
    return table


def _range(values: list[float] | list[np.floating], form: str) -> str:
    low, high = f"{min(values):{form}}", f"{max(values):{form}}"
    return low if low == high else f"{low} - {high}"
