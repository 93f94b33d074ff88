"""The contract of an environment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import gymnasium
import numpy as np
from gymnasium.wrappers import TimeLimit

from rpl.check.episode import Episode, run_episode, same
from rpl.check.finding import Findings
from rpl.check.goals import check_goals
from rpl.tasks.gym.requirements import (
    UnsuitableEnvironment,
    check_observation_space,
    checked_action_space,
    episode_limit,
)
from rpl.tasks.gym.task import MakeEnv, Observation

MOST_STEPS = 2000  # of one episode: enough to see an end where there is one
LARGE_REWARD = 50.0


def check_environment(
    env: gymnasium.Env, make_env: MakeEnv, max_episode_steps: int | None
) -> tuple[Findings, bool]:
    """Plays episodes with random actions.

    Args:
        env: an environment made by ``make_env``.
        make_env: makes another.
        max_episode_steps: of an environment that does not say it.

    Returns:
        What was found, and whether a controller can be checked in it.
    """
    findings = Findings("environment")
    if max_episode_steps is not None:
        env = TimeLimit(env, max_episode_steps)
    try:
        checked_action_space(env)
        check_observation_space(env.observation_space)
        limit = min(episode_limit(env), MOST_STEPS)
        with _raising("while it runs"):
            episode = run_episode(env, 0, _random_actions(env, limit))
        _check_values(findings, env, episode)
        if any(finding.severity == "error" for finding in findings):
            return findings, False
        with _raising("in a second episode or a second copy"):
            _check_repetition(findings, env, make_env, episode, limit)
    except UnsuitableEnvironment as error:
        findings.error("unsuitable", str(error))
        return findings, False
    except _Raised as error:
        findings.error("raises", str(error))
        return findings, False
    _check_ends(findings, episode, limit)
    _check_rewards(findings, episode)
    if isinstance(env.observation_space, gymnasium.spaces.Dict):
        check_goals(findings, env, episode)
    return findings, True


class _Raised(Exception):
    """The environment raised something; the message says what and when."""


@contextmanager
def _raising(when: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise _Raised(f"it raises {type(error).__name__} {when}: {error}") from error


def _random_actions(env: gymnasium.Env, count: int) -> np.ndarray:
    space = checked_action_space(env)
    generator = np.random.default_rng(0)
    uniform = generator.uniform(space.low, space.high, (count, *space.shape))
    return uniform.astype(space.dtype)


def _check_values(findings: Findings, env: gymnasium.Env, episode: Episode) -> None:
    """What it returns fits what it promises: shapes, types, numbers."""
    space = env.observation_space
    for t, observation in enumerate(episode.observations):
        when = "reset" if t == 0 else f"step {t}"
        for name, part, promised in _parts(observation, space):
            _check_part(findings, name, part, promised, when)
    for t, reward in enumerate(episode.rewards, start=1):
        if np.ndim(reward) != 0 or not np.issubdtype(np.asarray(reward).dtype, np.number):
            kind = f"{type(reward).__name__} of shape {np.shape(reward)}"
            findings.error("reward-shape", f"the reward is a {kind}: return one number")
        elif not np.isfinite(reward):
            sentence = f"the reward of step {t} is {reward}: return finite rewards"
            findings.error("reward-not-finite", sentence)
    for name, flag in (("terminated", episode.terminated), ("truncated", episode.truncated)):
        if not isinstance(flag, (bool, np.bool_)):
            kind = type(flag).__name__
            findings.error("flag-type", f"'{name}' is {flag!r} of type {kind}: return a bool")


def _check_part(
    findings: Findings, name: str, part: object, promised: gymnasium.Space, when: str
) -> None:
    what = "the observation" if not name else f"the observation's '{name}'"
    if part is None:
        findings.error("observation-part", f"{what} is missing at {when}: return every part")
        return
    array = np.asarray(part)
    assert isinstance(promised, gymnasium.spaces.Box), "its space was checked"
    if array.shape != promised.shape:
        findings.error(
            "observation-shape",
            f"{what} has shape {array.shape} at {when}, but its space says {promised.shape}: "
            "make them agree",
        )
    elif not np.issubdtype(array.dtype, np.number):
        findings.error("observation-dtype", f"{what} holds {array.dtype}: return numbers")
    elif not np.isfinite(array).all():
        findings.error(
            "observation-not-finite",
            f"{what} has {array[~np.isfinite(array)][0]} in component "
            f"{int(np.argmin(np.isfinite(array)))} at {when}: return finite numbers, or end the "
            "episode before",
        )
    elif not (np.all(array >= promised.low) and np.all(array <= promised.high)):
        outside = int(np.argmax((array < promised.low) | (array > promised.high)))
        findings.warning(
            "observation-bounds",
            f"{what} is {array[outside]:.4g} in component {outside} at {when}, outside of its "
            f"space's [{promised.low[outside]:.4g}, {promised.high[outside]:.4g}]: widen the space",
        )
    elif array.dtype != promised.dtype:
        findings.warning(
            "observation-dtype",
            f"{what} is {array.dtype}, but its space says {promised.dtype}: it will be converted",
        )


def _parts(
    observation: Observation, space: gymnasium.Space
) -> list[tuple[str, object, gymnasium.Space]]:
    if not isinstance(space, gymnasium.spaces.Dict):
        return [("", observation, space)]
    seen = observation if isinstance(observation, dict) else {}
    return [(name, seen.get(name), part) for name, part in space.spaces.items()]


def _check_repetition(
    findings: Findings, env: gymnasium.Env, make_env: MakeEnv, episode: Episode, limit: int
) -> None:
    """An episode follows from its seed and its actions, also in another environment."""
    actions = _random_actions(env, limit)[: len(episode.rewards)]
    fresh = TimeLimit(make_env(), limit)
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
    fresh.close()
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


def _check_ends(findings: Findings, episode: Episode, limit: int) -> None:
    if not (episode.terminated or episode.truncated) and len(episode.rewards) < MOST_STEPS:
        findings.note(
            "cut-off",
            f"an episode does not end by itself: it will be truncated after {limit} steps",
        )
    if not any("is_success" in info or "success" in info for info in episode.infos):
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
            "about 1, so divide all of them, as with gymnasium.wrappers.TransformReward",
        )
