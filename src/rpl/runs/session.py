"""One session starts, resumes and records every run, whatever its method."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import jax
from rich.console import Console

from rpl import learner
from rpl.config import Config
from rpl.errors import RunError
from rpl.learner import LearnerState
from rpl.pets.config import PETSConfig
from rpl.pets.train import PETSProgress, create_state, train_pets
from rpl.problem import Problem
from rpl.registry.builtin import pets_problem, problem_of
from rpl.registry.resolve import RunSpec
from rpl.replay.arrays import ReplayLost
from rpl.replay.buffer import Replay
from rpl.replay.mixed import MixedReplay
from rpl.runs.checkpoint import load_checkpoint
from rpl.runs.folder import RunFolder
from rpl.runs.needs import check_fits
from rpl.runs.prior import FIELD, Prior, check_same_prior, read_prior
from rpl.runs.record import default_folder, default_record, facts_of, record_of
from rpl.runs.trackers import TrackerName, check_installed
from rpl.settings import Record
from rpl.training.console import say
from rpl.training.display import Display
from rpl.training.interruption import Interruption
from rpl.training.loop import train
from rpl.training.progress import Progress
from rpl.training.verdict import in_words, judge_best

CHECKSUMS = 2  # the format from which a replay has them


class Training(Protocol):
    """A method at work.

    It finishes a ``unit`` before it heeds an interruption; ``facts`` stand in ``config.json``
    beside the settings; ``standing`` and ``last_words`` are for people.
    """

    unit: str
    facts: Record

    def open(self, run: RunFolder) -> None:
        """Begins, or takes up what the folder holds."""
        ...

    def train(self, run: RunFolder, console: Console, interrupted: Interruption) -> None:
        """Goes on to the end, or until ``interrupted``."""
        ...

    @property
    def steps(self) -> int: ...

    @property
    def finished(self) -> bool: ...

    @property
    def standing(self) -> str: ...

    @property
    def last_words(self) -> str | None: ...


class LearnerTraining:
    """A learner of LEARNERS with its replay."""

    unit = "cycle"

    def __init__(self, spec: RunSpec) -> None:
        assert isinstance(spec.config, Config)
        self.config, self.problem = spec.config, problem_of(spec)
        self.facts = facts_of(self.problem, self.config)
        self.prior = read_prior(spec, self.problem)
        if self.prior is not None:
            self.facts |= {FIELD: self.prior.facts}

    def open(self, run: RunFolder) -> None:
        if run.resumed and run.resumed_format == 0:
            raise RunError(
                f"{run.path} was begun by an earlier version, whose replay kept residuals where "
                "this one keeps actions: finish it with that version, or begin again with "
                "--overwrite; it can be evaluated, watched and exported as it is"
            )
        self.state, self.progress = new_learner(self.config, self.problem), Progress()
        self.replay = new_replay(self.config, self.problem, run.replay_folder, self.prior)
        if not run.resumed:
            return
        self.state, self.progress = run.restore(self.state, Progress)
        try:
            self.replay.restore(self.progress.stored_episodes, run.resumed_format >= CHECKSUMS)
        except ReplayLost as error:
            raise RunError(
                f"{run.replay_folder} is not the replay of this run, without which it cannot go "
                f"on ({error}): bring the folder back, or begin again with --overwrite"
            ) from error

    def train(self, run: RunFolder, console: Console, interrupted: Interruption) -> None:
        config, problem = self.config, self.problem
        for sentence in self.prior.sentences if self.prior else ():
            say(console, sentence)
        if self.steps < config.steps:
            self.progress.verdict = None  # a run that goes on is judged again
        judged = problem.metric, problem.baseline
        with Display(console, config.steps, *judged) as display:
            learned = self.state, self.replay, self.progress
            self.state = train(config, problem, *learned, run, display, interrupted)
            if self._is_to_be_judged:
                best, _ = load_checkpoint(run.path, self.state, Progress, "best")
                self.progress.verdict = judge_best(config, problem, best, display)
                run.save(self.state, self.progress, best=False)

    @property
    def steps(self) -> int:
        return self.progress.environment_steps

    @property
    def finished(self) -> bool:
        return self.steps >= self.config.steps and not self._is_to_be_judged

    @property
    def _is_to_be_judged(self) -> bool:
        """Whether a run has ended and its verdict, if it adds to a controller, is still out."""
        progress = self.progress
        ended = self.steps >= self.config.steps and self.problem.adds
        return ended and progress.verdict is None and not progress.is_untrained

    @property
    def standing(self) -> str:
        return f"{self.steps:,} of {self.config.steps:,} steps"

    @property
    def last_words(self) -> str | None:
        if not self.progress.is_untrained:
            return None if self.progress.verdict is None else in_words(self.progress.verdict)
        return (
            "all of it was burn-in, in which only the critic learns: the policy is still its "
            f"controller; train for longer, or see --burn-in.rule ({self.config.burn_in.rule})"
        )


class PlannerTraining:
    """PETS: a model of the task, learned from the episodes that are planned with it."""

    unit, last_words = "trial", None

    def __init__(self, spec: RunSpec) -> None:
        assert isinstance(spec.config, PETSConfig)
        self.config, self.problem = spec.config, pets_problem(spec.task)
        self.facts: Record = {"metric": "return"}

    def open(self, run: RunFolder) -> None:
        self.state, self.progress = create_state(self.config, self.problem), PETSProgress()
        if run.resumed:
            self.state, self.progress = run.restore(self.state, PETSProgress)

    def train(self, run: RunFolder, console: Console, interrupted: Interruption) -> None:
        steps, trials = self.config.steps(self.problem.horizon), self.config.trials + 1
        with Display(console, steps, "return", trials=trials) as display:
            train_pets(
                self.config, self.problem, self.state, self.progress, run, display, interrupted
            )

    @property
    def steps(self) -> int:
        return self.progress.environment_steps

    @property
    def finished(self) -> bool:
        return self.progress.finished

    @property
    def standing(self) -> str:
        return f"{self.progress.trial} of {self.config.trials + 1} trials"


def training_of(spec: RunSpec) -> Training:
    """The method of a run, ready to begin."""
    return PlannerTraining(spec) if spec.row.plans else LearnerTraining(spec)


def run_session(
    spec: RunSpec,
    command: str,
    console: Console,
    *,
    out: Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    resuming: str | None = None,
    track: TrackerName | None = None,
    filmed: Callable[[Path], bytes | None] = lambda folder: None,
) -> tuple[Path, int]:
    """Makes a run in its folder, from where it stands; returns that, and 1 if it was stopped.

    Args:
        out: the run folder; None for ``default_folder``.
        resuming: what continues the run; None for the command with ``--resume``.
        track: who is told of the run besides its folder.
        filmed: makes a film (mp4) of the run in a folder for the tracker, or says why it cannot.

    Raises:
        RunError: if the folder cannot be used as asked.
    """
    folder = out or default_folder(spec)
    check_fits(spec, folder)
    if track is not None:
        check_installed(track)
    training = training_of(spec)
    if resume:
        check_same_prior(folder, training.facts.get(FIELD, []))
    record, defaults = record_of(spec, command) | training.facts, default_record(spec)
    run = RunFolder(folder, record, resume, overwrite, defaults, track)
    try:
        training.open(run)
        if training.finished and run.is_told:
            say(console, f"{folder} is finished at {training.steps:,} steps")
            return folder, 0
        run.start_tracking()
        if not training.finished:
            with Interruption(training.unit, console) as interrupted:
                training.train(run, console, interrupted)
        if track is not None and training.finished:
            run.end(filmed(folder))
    finally:
        run.close()
    return folder, _say_end(training, folder, console, resuming or f"{command} --resume")


def _say_end(training: Training, folder: Path, console: Console, again: str) -> int:
    """Says where the run is, or how to go on with one that was stopped; returns the exit code."""
    if not training.finished:
        stopped = f"stopped at {training.standing} and saved; continue with: {again}"
        say(console, stopped)
        return 1
    if training.last_words:
        say(console, training.last_words)
    say(console, f"done: {folder}")
    return 0


def new_learner(config: Config, problem: Problem) -> LearnerState:
    """The learner before any training."""
    key = jax.random.key(config.seed)
    seen, size = problem.seen, problem.action_size
    adding = tuple(problem.scale.tolist()), problem.two_valued
    gate = learner.Gate.of(config.learner, *adding) if problem.adds else None
    return learner.create(
        key, seen.sizes, size, config.learner, problem.frames, seen.beside_frames, gate
    )


def new_replay(
    config: Config, problem: Problem, folder: Path | None, prior: Prior | None = None
) -> Replay:
    """An empty replay, or the one in the folder; beside it prior data, if there are any."""
    episodes = max(config.replay.capacity // problem.horizon, 1)
    # Each step may end an episode, whose last observation takes a row; a cycle may have one more.
    slack = (2 * config.episodes_per_cycle + 1) * config.cycles_per_epoch
    size = problem.action_size
    base_size = size if problem.adds else 0
    room = (episodes, problem.horizon, problem.seen, size, base_size, slack, folder)
    if prior is None:
        return Replay(*room)
    return MixedReplay(*room, prior=prior.replay, share=config.replay.prior_share)
