"""What a run says of itself: the rows of ``metrics.csv``, and which policy was the best."""

from __future__ import annotations

import numpy as np

from rpl.problem import Problem
from rpl.replay.episodes import Episodes
from rpl.rollout.evaluate import Outcome
from rpl.settings import Record
from rpl.training.progress import Progress


def is_best(problem: Problem, progress: Progress, policy: Outcome) -> bool:
    """Whether no earlier policy of the run was better."""
    if problem.metric == "return":
        return policy.mean_return >= progress.best_return
    earlier = (progress.best_success, progress.best_return)
    return (policy.success_rate, policy.mean_return) >= earlier


def exploring_metrics(problem: Problem, episodes: Episodes) -> dict[str, float]:
    """How the episodes with exploration went; nothing where all of them were dropped."""
    if not len(episodes):
        return {}
    metrics = {"exploring_success": float(episodes.success.mean())}
    if problem.metric == "return":
        metrics["exploring_return"] = float(episodes.returns.mean())
    return metrics


def residual_size(problem: Problem, policy: Outcome) -> float:
    """Mean absolute residual that took effect; 0 without a base policy."""
    scale = problem.scale[problem.scale > 0.0]
    if not policy.mean_deviation or not scale.size:
        return 0.0
    return float((np.array(policy.mean_deviation)[problem.scale > 0.0] / scale).mean())


def metrics_row(
    problem: Problem, progress: Progress, policy: Outcome, controller: Outcome
) -> Record:
    """One row of ``metrics.csv``; losses are blank before the first cycle."""
    means = progress.epoch_means()
    low, high = policy.success_interval
    speed = progress.epoch_steps / progress.epoch_seconds if progress.epoch_seconds else 0.0
    row = {
        "environment_steps": progress.environment_steps,
        "wall_seconds": round(progress.wall_seconds, 1),
        "epoch": progress.epoch,
        "policy_success": policy.success_rate,
        "policy_success_low": low,
        "policy_success_high": high,
        "policy_return": policy.mean_return,
        "controller_success": controller.success_rate,
        "controller_return": controller.mean_return,
        "critic_loss": means.get("critic_loss"),
        "actor_loss": means.get("actor_loss"),
        "action_l2": means.get("action_l2"),
        "mean_q": means.get("mean_q"),
        "residual_size": residual_size(problem, policy),
        "acted_share": policy.acted_share,
        "clipped_share": policy.clipped_share,
        "exploring_success": means.get("exploring_success"),
        "alone": float(np.mean(progress.alone)) if progress.alone else None,
        "stands_below": int(progress.stands_below),
        "burning_in": int(progress.burning_in),
        "dropped_episodes": progress.dropped_episodes,
        "evaluation_episodes": len(policy.success),
        "steps_per_second": round(speed, 1),
    }
    if problem.metric == "return":
        row["policy_return_low"], row["policy_return_high"] = policy.return_interval
        row["exploring_return"] = means.get("exploring_return")
    return row
