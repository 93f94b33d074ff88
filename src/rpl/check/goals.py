"""The contract of an environment with goals: its reward follows from the goals."""

from __future__ import annotations

from collections.abc import Sequence

import gymnasium
import numpy as np

from rpl.check.episode import Episode
from rpl.check.finding import Findings
from rpl.replay.hindsight import Rule, RuleError, needs_more_than_goals, one_by_one, rule_of

TOLERANCE = 1e-6


def check_goals(findings: Findings, env: gymnasium.Env, episodes: Sequence[Episode]) -> None:
    """Compares every reward with ``compute_reward``, one by one and all at once."""
    compute = rule_of(env, "compute_reward")
    if compute is None:
        findings.error(
            "no-compute-reward",
            "it has goals but no compute_reward(achieved_goal, desired_goal, info), with which "
            "hindsight pays for other goals: add it, or train with --replay.hindsight 0",
        )
        return
    for episode in episodes:
        if episode.rewards:
            _check_episode(findings, env, episode, compute)


def _check_episode(findings: Findings, env: gymnasium.Env, episode: Episode, compute: Rule) -> None:
    achieved = np.array([o["achieved_goal"] for o in episode.observations[1:]])
    desired = np.array([o["desired_goal"] for o in episode.observations[1:]])
    try:
        by_hand = one_by_one("compute_reward", compute)(achieved, desired, {})
    except RuleError as error:
        findings.error("compute-reward-no-number", str(error))
        return
    except Exception as error:
        findings.error("compute-reward-raises", needs_more_than_goals("compute_reward", error))
        return
    paid = np.asarray(episode.rewards, float)
    wrong = np.flatnonzero(np.abs(by_hand - paid) > TOLERANCE * np.maximum(1.0, np.abs(paid)))
    if wrong.size:
        t = int(wrong[0])
        findings.error(
            "reward-differs",
            f"step {t + 1} paid {paid[t]:.6g}, but compute_reward says {by_hand[t]:.6g} for its "
            "goals: hindsight would learn another task, so make step() pay what compute_reward "
            "says, with all that is scaled or subtracted in it, or train with --replay.hindsight 0",
        )
    try:
        together = np.asarray(compute(achieved, desired, {}))
    except Exception:
        together = np.zeros(0)
    if together.shape != by_hand.shape or not np.allclose(together, by_hand):
        findings.warning(
            "compute-reward-slow",
            "compute_reward takes one pair of goals at a time: write it for arrays (n, goal_dim), "
            "as with np.linalg.norm(..., axis=-1), and hindsight is many times faster",
        )
    _check_terminations(findings, env, episode, achieved, desired)


def _check_terminations(
    findings: Findings,
    env: gymnasium.Env,
    episode: Episode,
    achieved: np.ndarray,
    desired: np.ndarray,
) -> None:
    """Nothing may follow where ``compute_terminated``, if there is one, sees an end."""
    compute = rule_of(env, "compute_terminated")
    if compute is None:
        return
    try:
        ends = one_by_one("compute_terminated", compute)(achieved, desired, {}).astype(bool)
    except NotImplementedError:
        return
    except RuleError as error:
        findings.error("compute-terminated-no-number", str(error))
        return
    except Exception as error:
        complaint = needs_more_than_goals("compute_terminated", error)
        findings.error("compute-terminated-raises", complaint)
        return
    ends[-1] &= not episode.terminated
    if ends.any():
        findings.error(
            "termination-differs",
            f"step {np.argmax(ends) + 1} did not terminate the episode, but compute_terminated "
            "says so for its goals: hindsight would learn another task, so make step() call it",
        )
