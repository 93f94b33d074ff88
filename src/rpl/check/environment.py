"""The contract of an environment."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, SupportsFloat

import gymnasium
import numpy as np
from gymnasium.wrappers import TimeLimit

from rpl.check.ends import Ending, ending_of
from rpl.check.episode import Episode, run_episode, same
from rpl.check.finding import Findings, Training
from rpl.check.goals import check_goals
from rpl.check.observations import check_values, check_what_is_shown
from rpl.errors import InvalidValue
from rpl.observations import Info, Observation
from rpl.tasks.gym.observe import has_goals, needs_choice
from rpl.tasks.gym.requirements import (
    UnsuitableEnvironment,
    check_can_last,
    check_names,
    checked_action_space,
    episode_limit,
)
from rpl.tasks.gym.serial import StandStill
from rpl.tasks.gym.task import GymnasiumTask, MakeEnv
from rpl.tasks.success import reported, succeeded

MOST_STEPS = 2000  # of one episode: enough to see an end where there is one
LARGE_REWARD = 50.0
OTHER_SEEDS = (3, 4)  # of episodes that show how they end, and what they pay


def check_environment(
    env: gymnasium.Env, make_env: MakeEnv, training: Training
) -> tuple[Findings, bool, list[Ending]]:
    """Plays episodes with random actions.

    Returns:
        What was found, whether a controller can be checked in it, and how episodes ended.
    """
    findings, endings = Findings("environment"), list[Ending]()
    steps = training.max_episode_steps
    try:
        if steps is not None:
            check_can_last(env, steps)
            env = TimeLimit(env, steps)
        checked_action_space(env)
        _check_observation_space(env, training)
        limit = min(episode_limit(env), MOST_STEPS)
        with _raising("while it runs"):
            episode = run_episode(env, 0, _random_actions(env, limit), training.seconds)
        _check_values(findings, env, episode)
        if any(finding.severity == "error" for finding in findings):
            return findings, False, endings
        with _raising("in a second episode or a second copy"):
            with contextlib.closing(TimeLimit(make_env(), limit)) as fresh:
                _check_repetition(findings, env, fresh, episode, limit)
                if training.processes == 1:
                    _check_apart(findings, env, fresh, episode, limit)
            others = [_another(env, seed, limit, training) for seed in OTHER_SEEDS]
    except UnsuitableEnvironment as error:
        findings.error("unsuitable", str(error))
        return findings, False, endings
    except _Raised as error:
        findings.error("raises", str(error))
        return findings, False, endings
    _check_episodes(findings, env, [episode, *others], limit, training)
    endings += [ending_of(one) for one in (episode, *others) if one.rewards]
    return findings, True, endings


def _check_episodes(
    findings: Findings,
    env: gymnasium.Env,
    episodes: list[Episode],
    limit: int,
    training: Training,
) -> None:
    """What sound episodes say of how it would be learned."""
    seen = [one.observations for one in episodes]
    check_what_is_shown(findings, env.observation_space, training.observe, seen)
    _check_ends(findings, episodes[0], limit)
    _check_rewards(findings, episodes[0])
    if has_goals(env.observation_space) and training.hindsight > 0.0:
        check_goals(findings, env, episodes)


def _another(env: gymnasium.Env, seed: int, limit: int, training: Training) -> Episode:
    return run_episode(env, seed, _random_actions(env, limit, seed), training.seconds)


def _check_observation_space(env: gymnasium.Env, training: Training) -> None:
    """Refuses what a task would, and where it is a choice makes one to see whether it can."""
    space = env.observation_space
    if needs_choice(space, training.observe):
        GymnasiumTask(lambda: env, 1, observe=training.observe)
    elif isinstance(space, gymnasium.spaces.Dict):
        check_names(space)


class _Raised(Exception):
    """The environment raised something; the message says what and when."""


@contextlib.contextmanager
def _raising(when: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise _Raised(f"it raises {type(error).__name__} {when}: {error}") from error


def _random_actions(env: gymnasium.Env, count: int, seed: int = 0) -> np.ndarray:
    space = checked_action_space(env)
    generator = np.random.default_rng(seed)
    uniform = generator.uniform(space.low, space.high, (count, *space.shape))
    return uniform.astype(space.dtype)


def _check_values(findings: Findings, env: gymnasium.Env, episode: Episode) -> None:
    """What it returns fits what it promises: shapes, types, numbers."""
    check_values(findings, env.observation_space, episode.observations)
    for t, reward in enumerate(episode.rewards, start=1):
        if np.ndim(reward) != 0 or not np.issubdtype(np.asarray(reward).dtype, np.number):
            kind = f"{type(reward).__name__} of shape {np.shape(reward)}"
            findings.error("reward-shape", f"the reward is a {kind}: return one number")
        elif not np.isfinite(reward):
            sentence = f"the reward of step {t} is {reward}: return finite rewards"
            findings.error("reward-not-finite", sentence)
    for info in episode.infos:
        try:
            succeeded(info)
        except InvalidValue as error:
            findings.error("success-type", f"step() returned an info whose {error}")
    for name, flag in (("terminated", episode.terminated), ("truncated", episode.truncated)):
        if not isinstance(flag, (bool, np.bool_)):
            kind = type(flag).__name__
            findings.error("flag-type", f"'{name}' is {flag!r} of type {kind}: return a bool")


class _BesideAnother(gymnasium.Wrapper):
    """An environment while another one is used, which should not matter to it."""

    def __init__(self, env: gymnasium.Env, other: gymnasium.Env) -> None:
        super().__init__(env)
        self._other = StandStill(other)

    def reset(self, **keywords: Any) -> tuple[Observation, Info]:
        returned = self.env.reset(**keywords)
        self._other.reset(seed=1)
        return returned

    def step(self, action: np.ndarray) -> tuple[Observation, SupportsFloat, bool, bool, Info]:
        returned = self.env.step(action)
        self._other.step(np.array(action))
        return returned


def _check_repetition(
    findings: Findings, env: gymnasium.Env, fresh: gymnasium.Env, episode: Episode, limit: int
) -> None:
    """An episode follows from its seed and its actions, also in another environment."""
    actions = _random_actions(env, limit)[: len(episode.rewards)]
    for other, whose in ((env, "the same environment"), (fresh, "another environment")):
        again = run_episode(other, 0, actions)
        where = same(episode, again)
        if where is not None:
            findings.warning(
                "not-deterministic",
                f"the same seed and actions led to another {where} in {whose}, so that no run can "
                "be repeated and policy and controller are not judged on the same episodes: draw "
                "all random numbers from self.np_random, and let reset() set everything back",
            )
    if same(run_episode(env, 1, actions[:0]), run_episode(env, 2, actions[:0])) is None:
        findings.note(
            "one-beginning", "every seed begins the same episode: successes then say little"
        )
    if episode.overwritten:
        findings.warning(
            "observation-overwritten",
            "it writes into an observation that it has returned before: return a copy",
        )
    if episode.action_written:
        findings.warning(
            "action-written", "it writes into the action it is given: let it work on a copy"
        )


def _check_apart(
    findings: Findings, env: gymnasium.Env, other: gymnasium.Env, episode: Episode, limit: int
) -> None:
    """An episode is the same while another environment has one."""
    actions = _random_actions(env, limit)[: len(episode.rewards)]
    repeats = not any(finding.name == "not-deterministic" for finding in findings)
    if repeats and same(episode, run_episode(_BesideAnother(env, other), 0, actions)) is not None:
        findings.error(
            "environments-share-state",
            "what one environment does changes what another of its kind observes or earns: let "
            "each have a simulation of its own, or give each a process, --task.processes 8",
        )


def _check_ends(findings: Findings, episode: Episode, limit: int) -> None:
    if not (episode.terminated or episode.truncated) and len(episode.rewards) < MOST_STEPS:
        findings.note(
            "cut-off",
            f"an episode does not end by itself: it will be truncated after {limit} steps",
        )
    if not any(reported(info) is not None for info in episode.infos):
        findings.note(
            "judged-by-return",
            "it reports no info['is_success']: policies will be judged by their return",
        )


def _check_rewards(findings: Findings, episode: Episode) -> None:
    rewards = np.asarray(episode.rewards, float)
    if np.ptp(rewards) == 0.0 and len(rewards) > 1:
        findings.note(
            "constant-reward",
            f"every reward under random actions was {rewards[0]:g}: if it is sparse, the "
            "controller must reach the goal sometimes",
        )
    t = int(np.argmax(np.abs(rewards)))
    if abs(rewards[t]) > LARGE_REWARD:
        findings.warning(
            "large-rewards",
            f"the reward of step {t + 1} is {rewards[t]:.3g}: critics learn best where rewards are "
            "about 1, so divide all of them, as with gymnasium.wrappers.TransformReward, and with "
            "goals in compute_reward too",
        )
