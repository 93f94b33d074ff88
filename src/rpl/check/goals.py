"""The contract of an environment with goals: its reward follows from the goals."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

from rpl.check.episode import Episode
from rpl.check.finding import Findings
from rpl.replay.hindsight import needs_more_than_goals

TOLERANCE = 1e-6


def check_goals(findings: Findings, env: gymnasium.Env, episode: Episode) -> None:
    """Compares every reward with ``compute_reward``, one by one and all at once."""
    try:
        compute: Any = env.get_wrapper_attr("compute_reward")
    except AttributeError:
        findings.error(
            "no-compute-reward",
            "it has goals but no compute_reward(achieved_goal, desired_goal, info), with which "
            "hindsight pays for other goals: add it, or train with --replay.hindsight 0",
        )
        return
    achieved = np.array([o["achieved_goal"] for o in episode.observations[1:]])
    desired = np.array([o["desired_goal"] for o in episode.observations[1:]])
    try:
        by_hand = [float(compute(a, d, {})) for a, d in zip(achieved, desired, strict=True)]
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
            "goals: hindsight would learn another task, so make step() call compute_reward, or "
            "train with --replay.hindsight 0",
        )
    _check_batches(findings, compute, achieved, desired, np.asarray(by_hand))
    _check_terminations(findings, env, episode, achieved, desired)


def _check_terminations(
    findings: Findings,
    env: gymnasium.Env,
    episode: Episode,
    achieved: np.ndarray,
    desired: np.ndarray,
) -> None:
    """Nothing may follow where ``compute_terminated``, if there is one, sees an end."""
    try:
        compute: Any = env.get_wrapper_attr("compute_terminated")
    except AttributeError:
        return
    try:
        ends = [bool(compute(a, d, {})) for a, d in zip(achieved, desired, strict=True)]
    except NotImplementedError:
        return
    except Exception as error:
        complaint = needs_more_than_goals("compute_terminated", error)
        findings.error("compute-terminated-raises", complaint)
        return
    terminated = [False] * (len(ends) - 1) + [bool(episode.terminated)]
    wrong = np.flatnonzero(np.array(ends) & ~np.array(terminated))
    if wrong.size:
        findings.error(
            "termination-differs",
            f"step {wrong[0] + 1} did not terminate the episode, but compute_terminated says so "
            "for its goals: hindsight would learn another task, so make step() call it",
        )


def _check_batches(
    findings: Findings, compute: Any, achieved: np.ndarray, desired: np.ndarray, one_by_one: Any
) -> None:
    try:
        together = np.asarray(compute(achieved, desired, {}))
    except Exception:
        together = np.zeros(0)
    if together.shape != one_by_one.shape or not np.allclose(together, one_by_one):
        findings.warning(
            "compute-reward-slow",
            "compute_reward takes one pair of goals at a time: write it for arrays (n, goal_dim), "
            "as with np.linalg.norm(..., axis=-1), and hindsight is many times faster",
        )
