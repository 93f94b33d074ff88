"""Policy and controller on the same episodes, with a word on how far it is."""

from __future__ import annotations

from collections.abc import Sequence

from gymnasium.vector import VectorEnv
from rich.console import Console

from rpl.acting import controller_policy
from rpl.evaluate import Outcome, evaluate
from rpl.loading import Subject
from rpl.rollout import ActingPolicy


def judge(subject: Subject, seeds: Sequence[int]) -> tuple[Outcome, Outcome | None]:
    """The controller's outcome, and the policy's where the subject has one."""
    problem = subject.problem
    acting = controller_policy(problem)
    task = problem.controller_task
    controller = _shown(problem.compared_with, task, acting, seeds, problem.horizon)
    if subject.policy is None:
        return controller, None
    task = problem.evaluation_task
    return controller, _shown("policy", task, subject.policy, seeds, problem.horizon)


def _shown(
    whose: str, task: VectorEnv, policy: ActingPolicy, seeds: Sequence[int], horizon: int
) -> Outcome:
    """The outcome, and until then a line on the terminal that says how far it is."""
    with Console(stderr=True).status(whose) as status:

        def tell(share: float) -> None:
            status.update(f"{whose}: {share:.0%} of {len(seeds)} episodes")

        return evaluate(task, policy, seeds, horizon, tell)
