"""``rpl plot``: learning curves of runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from rpl.cli.options import PICTURES, require_suffix
from rpl.errors import UsageError
from rpl.training.console import say


def plot(
    runs: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="RUN...")],
    out: Path = Path("curves.png"),
) -> int:
    """Draws learning curves as in the paper: a panel a task, a colour a method.

    Args:
        runs: Run folders; several seeds of one method become mean and standard deviation.
        out: The picture, .png, .pdf or .svg.
    """
    from rpl.viz.curves import learning_curves  # matplotlib is slow to import

    require_suffix(out, "--out", *PICTURES)
    if not runs:
        raise UsageError("name at least one run folder: rpl plot runs/*")
    learning_curves(list(runs), out)
    say(Console(), f"wrote {out}")
    return 0
