"""What a run has come to: its best policy beside its controller, on episodes that chose neither."""

from __future__ import annotations

from rpl.config import Config
from rpl.learner import LearnerState
from rpl.problem import Problem
from rpl.rollout.evaluate import MEAN, compared
from rpl.rollout.policies import GreedyPolicy
from rpl.rollout.seeds import verdict_seeds
from rpl.settings import Record
from rpl.training.epoch import Observer, judged

Verdict = Record
"""``verdict``, as ``rpl.rollout.evaluate.verdict`` words it; ``metric``, ``episodes``, ``policy``,
``controller`` and ``difference``, as numbers of JSON."""


def judge_best(config: Config, problem: Problem, best: LearnerState, observer: Observer) -> Verdict:
    """The best policy's verdict: paired, on as many episodes as the last evaluation has."""
    seeds = verdict_seeds(config.seed, config.final_evaluation_episodes)
    acting = GreedyPolicy(best, problem)
    policy = judged(problem, observer, "the best policy", acting, seeds, problem.base())
    controller = judged(problem, observer, problem.baseline, problem.level(), seeds)
    difference, verdict = compared(policy, controller, problem.metric)
    return {
        "verdict": verdict,
        "metric": problem.metric,
        "episodes": len(seeds),
        "policy": policy.summary(),
        "controller": controller.summary(),
        "difference": difference,
    }


def deploys_residual(verdict: Verdict | None) -> bool:
    """Whether the best policy is what is deployed, in place of its controller."""
    return verdict is None or verdict["verdict"] == "better"


def in_words(verdict: Verdict) -> str:
    """The verdict as the last words of a run."""
    mean = MEAN[verdict["metric"]]
    policy, controller, difference = (
        verdict[name][mean] for name in ("policy", "controller", "difference")
    )
    low, high = verdict["difference"][f"{verdict['metric']}_interval"]
    numbers = (
        f"on {verdict['episodes']} further episodes the best policy has {policy:.3f}, the "
        f"controller {controller:.3f}: {difference:+.3f} [{low:+.3f}, {high:+.3f}], "
        f"{verdict['verdict']}; "
    )
    if deploys_residual(verdict):
        return numbers + "it is what is deployed"
    return numbers + WITHHELD


WITHHELD = (
    "what is deployed is the controller, since the policy was not shown to be better; "
    "--checkpoint best is the policy"
)
