"""``rpl plot``: learning curves of runs."""

from pathlib import Path
from typing import Annotated

import tyro

from rpl.cli.options import PICTURES, require_suffix
from rpl.cli.output import say
from rpl.errors import UsageError
from rpl.runs.many import run_folders


def plot(
    runs: Annotated[
        tyro.conf.Positional[tuple[Path, ...]],
        tyro.conf.arg(metavar="RUN...", help_behavior_hint="(required)"),
    ],
    out: Path = Path("curves.png"),
) -> int:
    """Draws learning curves as in the paper: a panel a task, a colour a method.

    Args:
        runs: Run folders, or folders of them; several seeds of one method become mean and standard
            deviation.
        out: The picture, .png, .pdf or .svg.
    """
    from rpl.viz.curves import learning_curves  # matplotlib is slow to import

    require_suffix(out, "--out", *PICTURES)
    if not runs:
        raise UsageError("name at least one run folder: rpl plot runs/*")
    learning_curves(run_folders(runs), out)
    say(f"wrote {out}")
    return 0
