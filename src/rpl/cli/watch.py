"""``rpl watch``: a viewer window, or a film without a screen."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from rpl.cli.evaluate import LARGEST_ROUND, judge
from rpl.cli.options import (
    SubjectOptions,
    as_command,
    check_counts,
    load_for,
    options_for,
    require_suffix,
)
from rpl.cli.output import say
from rpl.controllers.contract import Policy
from rpl.errors import UsageError
from rpl.rollout.collect import collect
from rpl.rollout.policies import WholePolicy
from rpl.rollout.seeds import evaluation_seeds
from rpl.runs.load import Subject, is_planner


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


def run_watch(options: Any) -> int:
    """Films, draws or shows the chosen episodes."""
    require_suffix(options.video, "--video", ".mp4")
    require_suffix(options.strip, "--strip", ".png")
    check_counts(episodes=options.episodes)
    seeds = evaluation_seeds(options.seed, options.episodes)
    if options.contrast:
        name, load = options.run_or_task, partial(load_for, options)
        seeds = contrasting_seeds(name, load, options.seed, options.episodes)
    if options.video is None and options.strip is None:
        return _show_window(options, seeds)
    recordings = recordings_of(load_for(options, 1, render_mode="rgb_array"), seeds)
    from rpl.viz.film import write_film, write_strip  # slow to import

    if options.video is not None:
        write_film(options.video, recordings)
        say(f"wrote {options.video}")
    if options.strip is not None:
        write_strip(options.strip, recordings[0])
        say(f"wrote {options.strip}")
    return 0


def contrasting_seeds(
    run_or_task: str, load: Callable[[int], Subject], seed: int, count: int
) -> list[int]:
    """Seeds of ``count`` episodes, those first in which the policy does most better.

    Better than the controller, of ``LARGEST_ROUND`` episodes; a planner, which takes its time,
    plays ``count`` only. ``load`` gives the subject with so many simulations at once.
    """
    looked_at = count if is_planner(run_or_task) else max(count, LARGEST_ROUND)
    subject = load(looked_at)
    seeds = evaluation_seeds(seed, looked_at)
    if subject.policy is None:
        return seeds[:count]
    if subject.remark:
        say(subject.remark, error=True)
    controller, policy = judge(subject, seeds)
    assert policy is not None
    by_success = subject.problem.metric == "success"
    gain = policy.returns - controller.returns
    if by_success:
        gain = policy.success.astype(int) - controller.success
    better, worse = int((gain > 0).sum()), int((gain < 0).sum())
    say(
        f"of {len(seeds)} episodes the policy solves {better} that the controller fails, "
        f"and fails {worse} that the controller solves"
        if by_success
        else f"of {len(seeds)} episodes the policy earns more in {better}, less in {worse}",
        error=True,
    )
    return [seeds[i] for i in np.argsort(-gain, kind="stable")[:count]]


def recordings_of(subject: Subject, seeds: list[int]) -> list[list[Any]]:
    """For each episode the controller's recording and, if there is one, the policy's."""
    from rpl.viz.film import record

    problem, task = subject.problem, subject.problem.evaluation_task
    acting: list[tuple[str, Policy]] = [(problem.baseline, problem.level())]
    if subject.policy is not None:
        label = "residual policy" if subject.method == "rpl" else f"policy ({subject.method})"
        acting.append((label, WholePolicy(subject.policy, problem.base())))
    return [
        [
            record(task, policy, seed, problem.horizon, label, metric=problem.metric)
            for label, policy in acting
        ]
        for seed in track(seeds, "drawing", console=Console(stderr=True))
    ]


def _show_window(options: Any, seeds: list[int]) -> int:
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
        say(success if problem.metric == "success" else earned)
    task.close()
    return 0
