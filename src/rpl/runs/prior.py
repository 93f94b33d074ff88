"""The prior data of a run: episodes from before it, read once at its beginning."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rpl.config import Config
from rpl.controllers.contract import ControllerError, Policy
from rpl.errors import RunError
from rpl.observations import DESIRED_GOAL, OBSERVATION, Observation
from rpl.problem import Problem
from rpl.registry.resolve import RunSpec
from rpl.replay.buffer import Replay
from rpl.replay.episode_files import read_recording
from rpl.replay.episodes import Episodes
from rpl.replay.recorded import MadeIn, Recording, UnsuitablePrior, check_recording
from rpl.residual import deviation
from rpl.rollout.playback import Playback, Units, played_back
from rpl.runs.files import read_config
from rpl.settings import Record
from rpl.tasks.gym.task import GymnasiumTask
from rpl.tasks.variants import VARIANTS

FIELD = "prior"
MOST_OTHER = 0.5  # of the rewards, that compute_reward says otherwise


@dataclass(frozen=True)
class Prior:
    """Prior episodes, and what there is to say of them."""

    replay: Replay
    facts: list[Record]
    """For ``config.json``: of each file its name, checksum, episodes and transitions."""
    sentences: list[str]


def read_prior(spec: RunSpec, problem: Problem) -> Prior | None:
    """The prior data that a run's settings name; None if they name none.

    Raises:
        UnsuitablePrior: naming the file and the field that is not of this environment.
        ControllerError: if base actions are missing, and the controller cannot be asked for them.
    """
    config, task = spec.config, problem.task
    if not isinstance(config, Config) or not config.replay.prior:
        return None
    units, here = Units.of(task), _made_in(spec, problem)
    recordings = [read_recording(name, units.space) for name in config.replay.prior]
    for recording in recordings:
        check_recording(recording, units.space, units.actions, here)
    lengths = [len(episode) for recording in recordings for episode in recording.episodes]
    horizon = max(lengths)
    capacity = math.ceil(sum(length + 1 for length in lengths) / (horizon + 1))
    size = problem.action_size
    replay = Replay(capacity, horizon, problem.seen, size, size if problem.adds else 0)
    sentences = []
    for recording in recordings:
        episodes = _episodes(recording, problem, horizon)
        replay.store(episodes)
        sentences.append(_in_words(recording, episodes, problem))
    return Prior(replay, [_fact(recording) for recording in recordings], sentences)


def check_same_prior(folder: Path, facts: Sequence[Record]) -> None:
    """Refuses to go on with other prior data than a run began with.

    Raises:
        RunError: naming the file.
    """
    if not (folder / "config.json").exists():
        return
    before = read_config(folder).get(FIELD, [])
    if len(before) != len(facts):
        raise RunError(
            f"the run in {folder} began with {len(before)} files of prior data, not {len(facts)}: "
            "repeat its command with --resume, or begin again with --overwrite"
        )
    for was, now in zip(before, facts, strict=True):
        if was.get("sha256") != now["sha256"]:
            raise RunError(
                f"{now['file']} is not the file that the run in {folder} began with (its checksum "
                "is another): bring that one back, or begin again with --overwrite"
            )


def _fact(recording: Recording) -> Record:
    count = {"episodes": len(recording.episodes), "transitions": recording.steps}
    return {"file": recording.name, "sha256": recording.sha256, **count}


def _made_in(spec: RunSpec, problem: Problem) -> MadeIn:
    """The environment that a run learns in."""
    if isinstance(problem.task, GymnasiumTask):
        return MadeIn.of(problem.task.envs[0])
    short = spec.task.name.replace("-", "")
    return MadeIn(next((f"rpl/{name}-v0" for name in VARIANTS if name.lower() == short), None))


def _episodes(recording: Recording, problem: Problem, horizon: int) -> Episodes:
    """What the learner is shown of a file's episodes, with the base actions."""
    base = problem.exploring_base()
    if base is not None and not recording.has_base_actions:
        _check_can_be_asked(recording, problem, base)
    episodes = played_back(problem.task, recording.episodes, horizon, base)
    if episodes.dropped:
        raise UnsuitablePrior(
            f"{recording.name}: {episodes.dropped} episodes have numbers that no float32 can hold: "
            "leave them out"
        )
    _check_rewards(recording, problem, episodes)
    return episodes


def _check_can_be_asked(recording: Recording, problem: Problem, base: Policy) -> None:
    """A controller that looks at the environment itself cannot say what it would have done.

    Raises:
        ControllerError: if its answer for the same observations changes with the environment.
    """
    task, begin = problem.task, np.ones(problem.task.num_envs, bool)
    count = len(recording.episodes)
    first, _ = Playback(task, recording.episodes).reset(seed=np.arange(len(begin)) % count)

    def answer(seed: int) -> Observation:
        task.reset(seed=[seed] * len(begin))  # type: ignore[arg-type]
        base.reset(begin)
        return base(first, None)

    once, again, elsewhere = answer(0), answer(0), answer(1)
    if np.array_equal(once, again) and not np.array_equal(once, elsewhere):
        raise ControllerError(
            f"the controller reads the environment's state, and so cannot say what it would have "
            f"done in {recording.name}: record its actions beside, as base_actions"
        )


def _check_rewards(recording: Recording, problem: Problem, episodes: Episodes) -> None:
    """Where goals are relabelled, recorded rewards have to be of the same kind as computed ones.

    Raises:
        UnsuitablePrior: if most are not.
    """
    if DESIRED_GOAL not in episodes.observation:
        return
    taken = episodes.taken
    goal = episodes.observation[DESIRED_GOAL][:, :-1][taken]
    info = {
        OBSERVATION: episodes.observation[OBSERVATION][:, 1:][taken],
        "action": episodes.action[taken],
    }
    achieved = episodes.achieved_goal[:, 1:][taken]
    paid = np.asarray(problem.rules.compute_reward(achieved, goal, info))
    other = ~np.isclose(paid, episodes.reward[taken], rtol=1e-3, atol=1e-3)
    if other.mean() > MOST_OTHER:
        step = int(np.argmax(other))
        raise UnsuitablePrior(
            f"{recording.name}: most of the rewards are not those of this environment, as "
            f"{episodes.reward[taken][step]:g} where compute_reward says {paid[step]:g}: the file "
            "was made for another environment, or with other rewards"
        )


def _in_words(recording: Recording, episodes: Episodes, problem: Problem) -> str:
    """What was read, in a sentence."""
    said = [episode.success for episode in recording.episodes]
    known: object = None if None in said else np.mean([bool(success) for success in said])
    words = [
        f"prior data: {recording.name}: {len(said)} episodes, {recording.steps:,} transitions",
        "success not recorded" if known is None else f"success {known:.3f}",
        f"mean return {episodes.returns.mean():.2f}",
    ]
    if problem.adds:
        stored = recording.has_base_actions
        words.append("base actions " + ("recorded" if stored else "asked of the controller"))
        taken = episodes.taken
        far = deviation(episodes.action, episodes.base_action[:, :-1])[taken]
        share = float((far > problem.scale + 1e-6).any(axis=-1).mean())
        if share:
            words.append(f"{share:.0%} of the actions beyond --residual.scale")
    return ", ".join(words)
