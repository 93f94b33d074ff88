"""``rpl watch``: a viewer window, or a film without a screen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import track

from rpl.cli.contrast import Contrast, contrasting
from rpl.cli.evaluate import LARGEST_ROUND
from rpl.cli.options import (
    Parsed,
    SubjectOptions,
    as_command,
    check_counts,
    load_for,
    options_for,
    require_suffix,
)
from rpl.controllers.contract import Policy
from rpl.errors import UsageError
from rpl.rollout.collect import collect
from rpl.rollout.policies import WholePolicy
from rpl.rollout.seeds import evaluation_seeds
from rpl.runs.load import Subject, is_planner
from rpl.training.console import say

if TYPE_CHECKING:
    from rpl.viz.film import Recording


@dataclass(frozen=True, kw_only=True)
class WatchOptions(SubjectOptions):
    """What ``rpl watch`` takes besides the options that depend on the task."""

    video: Path | None = None
    """Write a film (.mp4) instead of opening a window."""
    strip: Path | None = None
    """Write a still (.png): a row of frames for the controller, one for the policy."""
    episodes: int = 4
    """Episodes to show."""
    contrast: bool = True
    """Prefer episodes that the controller fails and the policy solves."""


def command_for(arguments: list[str]) -> Callable[..., int]:
    """The command, with the options of the task and controller in the arguments."""
    summary = "Shows a policy beside its controller, in a window or as a film."
    return as_command(run_watch, options_for(WatchOptions, arguments), summary)


def run_watch(options: Parsed) -> int:
    """Films, draws or shows the chosen episodes."""
    require_suffix(options.video, "--video", ".mp4")
    require_suffix(options.strip, "--strip", ".png")
    check_counts(episodes=options.episodes)
    if options.video is None and options.strip is None:
        return _show_window(options, chosen(options).seeds)
    console = Console()
    subject = load_for(options, 1, render_mode="rgb_array")
    _draw_one(subject)
    seeds, remark = chosen(options)
    from rpl.viz.film import write_film, write_strip  # slow to import

    if options.video is not None:
        write_film(options.video, recordings_of(subject, seeds), remark)
        say(console, f"wrote {options.video}")
    if options.strip is not None:
        write_strip(options.strip, strip_of(subject, seeds[0]), remark=remark)
        say(console, f"wrote {options.strip}")
    return 0


def _draw_one(subject: Subject) -> None:
    """Draws a picture: where there is none, that is said before the episodes are chosen."""
    from rpl.viz.film import FRAME_SIZE, Drawable

    task = subject.problem.evaluation_task
    task.reset(seed=0)
    if isinstance(task.unwrapped, Drawable):
        task.unwrapped.frame(0, FRAME_SIZE)


def chosen(options: Parsed) -> Contrast:
    """The episodes to show."""
    if not options.contrast:
        return Contrast(evaluation_seeds(options.seed, options.episodes), None)
    looked_at = options.episodes if is_planner(options.run_or_task) else LARGEST_ROUND
    return contrasting(
        lambda count: load_for(options, count), options.seed, options.episodes, looked_at
    )


def recordings_of(subject: Subject, seeds: list[int]) -> list[list[Recording]]:
    """For each episode the controller's recording and, if there is one, the policy's."""
    shown = track(seeds, "drawing", console=Console(stderr=True))
    return [[_record(subject, *who, seed) for who in acting(subject)] for seed in shown]


def strip_of(subject: Subject, seed: int) -> list[Recording]:
    """Recordings of one episode, of which nothing is drawn that a strip does not show."""
    from rpl.viz.film import STRIP_FRAMES, evenly

    problem, recordings = subject.problem, []
    for label, policy in acting(subject):
        played = collect(problem.evaluation_task, policy, [seed], problem.horizon)
        steps = evenly(STRIP_FRAMES, played.steps)
        recordings.append(_record(subject, label, policy, seed, shown=lambda t, at=steps: t in at))
    return recordings


def acting(subject: Subject) -> list[tuple[str, Policy]]:
    """Who is shown: the controller and, if there is one, the policy."""
    problem = subject.problem
    shown: list[tuple[str, Policy]] = [(problem.baseline, problem.level())]
    if subject.policy is not None:
        label = "residual policy" if subject.method == "rpl" else f"policy ({subject.method})"
        shown.append((label, WholePolicy(subject.policy, problem.base())))
    return shown


def _record(subject: Subject, label: str, policy: Policy, seed: int, **keywords: Any) -> Recording:
    from rpl.viz.film import record

    problem = subject.problem
    task, metric = problem.evaluation_task, problem.metric
    if isinstance(policy, WholePolicy) and problem.adds:
        keywords["acted"] = lambda: bool(policy.acted[0])
    return record(task, policy, seed, problem.horizon, label, metric=metric, **keywords)


def _show_window(options: Parsed, seeds: list[int]) -> int:
    subject = load_for(options, 1, render_mode="human")
    problem = subject.problem
    policy, task = subject.policy or problem.level(), problem.evaluation_task
    if task.unwrapped.render_mode != "human":
        raise UsageError(
            f"{subject.name} opens no window: what makes it must take render_mode and pass it on; "
            "--video film.mp4 needs render_mode='rgb_array' only"
        )
    for seed in seeds:
        episode = collect(task, policy, [seed], problem.horizon, problem.base())
        success = "success" if episode.success.all() else "failure"
        earned = f"return {episode.returns.sum():.1f}"
        Console().print(success if problem.metric == "success" else earned)
    task.close()
    return 0
