"""How episodes end: by a clock that says so, at the goal, or otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import gymnasium
import numpy as np

from rpl.check.acting import Acted
from rpl.check.episode import Episode
from rpl.check.finding import Findings
from rpl.observations import whole_of
from rpl.replay.hindsight import rule_of

FEWEST = 3  # episodes that end alike, before a clock is suspected


class Ending(NamedTuple):
    """How an episode went, as far as it was played."""

    length: int
    over: bool
    terminated: bool
    rewards: np.ndarray
    """(length,)"""
    achieved: np.ndarray | None
    """(length, goal_dim), after each step; None without goals"""
    desired: np.ndarray | None


def ending_of(episode: Episode) -> Ending:
    """Of an episode that was played alone."""
    goals = _goals(episode.observations[1:])
    over = episode.terminated or episode.truncated
    rewards = np.asarray(episode.rewards, float)
    return Ending(len(rewards), over, episode.terminated, rewards, *goals)


def endings_of(acted: Acted) -> list[Ending]:
    """Of the episodes that a controller played side by side."""
    found, over = [], np.array(acted.over)
    goals = _goals([whole_of(seen) for seen in acted.seen[1:]])
    for i in range(acted.task.num_envs):
        ended = bool(over[:, i].any())
        length = int(np.argmax(over[:, i])) + 1 if ended else len(over)
        achieved, desired = (None if g is None else g[:length, i] for g in goals)
        rewards = np.array(acted.rewards)[:length, i]
        terminated = bool(acted.terminated[length - 1][i])
        found.append(Ending(length, ended, terminated, rewards, achieved, desired))
    return found


def _goals(seen: Sequence[object]) -> tuple[np.ndarray | None, np.ndarray | None]:
    first = seen[0] if seen else None
    if not (isinstance(first, Mapping) and {"achieved_goal", "desired_goal"} <= first.keys()):
        return None, None
    parts: list[Mapping[str, np.ndarray]] = [one for one in seen if isinstance(one, Mapping)]
    achieved, desired = ([part[f"{k}_goal"] for part in parts] for k in ("achieved", "desired"))
    return np.array(achieved), np.array(desired)


def check_ends(
    findings: Findings, env: gymnasium.Env, endings: Sequence[Ending], hindsight: float
) -> None:
    """Looks at how episodes of random actions and of the controller ended."""
    _check_clock(findings, endings)
    if hindsight > 0.0:
        _check_goals(findings, env, endings)


def _check_clock(findings: Findings, endings: Sequence[Ending]) -> None:
    lengths = {ending.length for ending in endings if ending.over}
    over = [ending for ending in endings if ending.over]
    if len(over) < FEWEST or len(lengths) > 1 or not all(ending.terminated for ending in over):
        return
    (length,) = lengths
    if length > 1:
        findings.warning(
            "clock-terminates",
            f"all {len(over)} episodes terminated after {length} steps, whatever was done: if that "
            "is a limit of time, return truncated=True and terminated=False, or the critic learns "
            "that nothing is worth anything beyond it",
        )


def _check_goals(findings: Findings, env: gymnasium.Env, endings: Sequence[Ending]) -> None:
    """Whether the goal ends episodes, of which hindsight is not told."""
    compute = rule_of(env, "compute_reward")
    if compute is None:
        return
    with_goals = [e for e in endings if e.achieved is not None and e.length]
    if not any(e.terminated for e in with_goals) or _knows_ends(env, with_goals[0]):
        return
    at_end, before = [], []
    for ending in with_goals:
        assert ending.achieved is not None
        assert ending.desired is not None
        pairs = zip(ending.achieved, ending.desired, strict=True)
        try:
            paid = [float(compute(a, d, {})) for a, d in pairs]
        except Exception:  # which is said elsewhere
            return
        before += paid[:-1]
        at_end += paid[-1:] if ending.terminated else []
    if before and max(at_end) > max(before):
        findings.warning(
            "ends-at-goal",
            "episodes terminate where compute_reward pays for the goal, and there is no "
            "compute_terminated(achieved_goal, desired_goal, info) that says so of other goals: "
            f"hindsight takes every step as an end that pays more than {max(before):.4g}, the most "
            "that a step paid without ending; add compute_terminated if that is not exact",
        )


def _knows_ends(env: gymnasium.Env, ending: Ending) -> bool:
    """Whether the environment says of any goal whether it ends the episode."""
    ends = rule_of(env, "compute_terminated")
    assert ending.achieved is not None
    assert ending.desired is not None
    if ends is None:
        return False
    try:
        ends(ending.achieved[0], ending.desired[0], {})
    except NotImplementedError:
        return False
    except Exception:  # which is said elsewhere
        return True
    return True
