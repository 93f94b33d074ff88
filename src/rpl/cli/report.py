"""``rpl report``: one page on some runs, to send to a colleague."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Literal

import tyro
from rich.console import Console

from rpl.cli.contrast import contrasting
from rpl.cli.evaluate import LARGEST_ROUND
from rpl.cli.options import UNSEEN_SEED, check_counts, require_suffix
from rpl.cli.watch import recordings_of, strip_of
from rpl.errors import Failure, RunError, UsageError
from rpl.runs.checkpoint import has_checkpoint
from rpl.runs.load import Request, Subject, is_planner, load_subject
from rpl.runs.many import run_folders
from rpl.training.console import say

if TYPE_CHECKING:
    from rpl.viz.report import Pictures


def report(
    runs: Annotated[
        tyro.conf.Positional[tuple[Path, ...]],
        tyro.conf.arg(metavar="RUN...", help_behavior_hint="(required)"),
    ],
    out: Path = Path("report.html"),
    films: int = 2,
    checkpoint: Literal["deployed", "best", "last"] = "deployed",
) -> int:
    """Writes one self-contained page: curves, numbers, films and settings.

    Args:
        runs: Run folders, folders of them, or rows of results (which have no policy to film).
        out: The page, .html.
        films: Episodes in each run's film, those first that the controller fails and the policy
            solves; 0 leaves films out.
        checkpoint: Which of a run's policies is filmed.
    """
    from rpl.viz.report import write_report  # matplotlib is slow to import

    require_suffix(out, "--out", ".html")
    if not runs:
        raise UsageError("name at least one run folder: rpl report runs/*")
    if films < 0:
        raise UsageError("--films must not be negative")
    check_counts(films=films or None)
    pictures: dict[Path, Pictures | str] = {}
    folders = run_folders(runs)
    for run in folders:
        try:
            pictures[run] = filmed(run, films, checkpoint)
        except Failure as error:
            pictures[run] = str(error)
    write_report(out, folders, pictures)
    say(Console(), f"wrote {out}")
    return 0


def filmed(run: Path, episodes: int, checkpoint: str) -> Pictures:
    """A film and a strip of a run's policy beside its controller.

    Raises:
        Failure: saying why there is none.
    """
    from rpl.viz.film import write_film, write_strip  # slow to import
    from rpl.viz.report import Pictures

    if episodes == 0:
        raise RunError("none was asked for")
    if not has_checkpoint(run):
        raise RunError(f"{run} holds no policy")

    def load(num_envs: int, render_mode: str | None = None) -> Subject:
        return load_subject(Request(str(run), checkpoint=checkpoint), num_envs, render_mode)

    looked_at = episodes if is_planner(str(run)) else LARGEST_ROUND
    seeds, remark = contrasting(load, UNSEEN_SEED, episodes, looked_at)
    subject = load(1, "rgb_array")
    with TemporaryDirectory() as temporary:
        film, strip = Path(temporary) / "film.mp4", Path(temporary) / "strip.png"
        write_film(film, recordings_of(subject, seeds), remark)
        write_strip(strip, strip_of(subject, seeds[0]), remark=remark)
        return Pictures(film.read_bytes(), strip.read_bytes())
