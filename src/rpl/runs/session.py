"""A run of a learner in its folder: what it records of itself, and its training."""

from __future__ import annotations

from pathlib import Path

import jax
from rich.console import Console

from rpl import learner
from rpl.config import Config
from rpl.errors import RunError
from rpl.learner import LearnerState
from rpl.problem import Problem
from rpl.replay.buffer import Replay, ReplayLost
from rpl.runs.folder import RunFolder
from rpl.training.display import make_display
from rpl.training.interruption import Interruption, say_end
from rpl.training.loop import train
from rpl.training.progress import Progress


def new_learner(config: Config, problem: Problem) -> LearnerState:
    """The learner before any training."""
    key = jax.random.key(config.seed)
    seen = problem.seen
    return learner.create(
        key,
        seen.sizes,
        problem.action_size,
        config.learner,
        problem.frames,
        seen.beside_frames,
    )


def new_replay(config: Config, problem: Problem, folder: Path | None) -> Replay:
    """An empty replay, or the one in the folder."""
    episodes = max(config.replay.capacity // problem.horizon, 1)
    # Each step may end an episode, whose last observation takes a row; a cycle may have one more.
    slack = (2 * config.episodes_per_cycle + 1) * config.cycles_per_epoch
    base_size = problem.action_size if problem.adds else 0
    return Replay(
        episodes,
        problem.horizon,
        problem.seen,
        problem.action_size,
        base_size,
        slack=slack,
        folder=folder,
    )


def train_in(
    run: RunFolder, config: Config, problem: Problem, console: Console, resume: str
) -> int:
    """Trains in a run folder from where it stands; returns the exit code."""
    state, progress = new_learner(config, problem), Progress()
    replay = new_replay(config, problem, run.replay_folder)
    if run.resumed:
        state, progress = run.restore(state)
        try:
            replay.restore(progress.stored_episodes)
        except ReplayLost as error:
            raise RunError(
                f"{run.replay_folder} is not the replay of this run, without which it cannot go "
                "on: bring the folder back, or begin again with --overwrite"
            ) from error
        if progress.environment_steps >= config.steps:
            console.print(f"{run.path} is finished at {progress.environment_steps:,} steps")
            return 0
    display = make_display(console, config.steps, problem.judged_by, problem.compared_with)
    with Interruption("cycle", console) as interruption, display:
        train(config, problem, state, replay, progress, run, display, interruption)
    done = f"{progress.environment_steps:,} of {config.steps:,} steps"
    finished = progress.environment_steps >= config.steps
    if finished and progress.is_untrained:
        console.print(
            "all of it was burn-in, in which only the critic learns: the policy is still its "
            f"controller; train for longer, or see --burn-in.rule ({config.burn_in.rule})",
            soft_wrap=True,
        )
    return say_end(console, resume, run.path, None if finished else done)
