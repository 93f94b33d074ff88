"""How strict the gate's bound is: on proof, and by degrees."""

from dataclasses import replace

import numpy as np
import pytest

from rpl.config import LearnerConfig
from rpl.problem import Problem
from rpl.registry.builtin import make_problem
from rpl.rollout.evaluate import Outcome
from rpl.training.progress import Progress
from rpl.training.trust import EASED, FULL, pessimism_of, weigh
from small import CONFIG

GATED = LearnerConfig(pessimism=2.0, trusted_pessimism=1.0)


@pytest.fixture(scope="module")
def problem() -> Problem:
    return make_problem("push", "rpl", CONFIG)


def by_success(*successes: int, of: int = 40) -> list[Outcome]:
    """Outcomes of so many episodes that succeed."""
    return [Outcome(np.arange(of) < count, np.zeros(of)) for count in successes]


@pytest.mark.parametrize(
    ("returns", "before", "after"),
    [(1.0, 0, FULL), (-1.0, FULL, 0), (0.0, 0, 1), (0.0, FULL, FULL)],
)
def test_a_policy_is_trusted_once_better_and_until_it_is_worse(
    problem, returns, before, after
) -> None:
    success = np.zeros(40, bool)
    noise = np.tile([-1.0, 1.0], 20)  # a difference of nothing, which no pair shows alone
    policy = Outcome(success, noise / 10 + returns)
    progress = Progress(trust=before, burning_in=False)
    weigh(progress, replace(problem, metric="return"), policy, Outcome(success, np.zeros(40)))
    assert progress.trust == after


def test_a_few_pairs_earn_no_trust(problem) -> None:
    progress = Progress(burning_in=False)
    success = np.zeros(2, bool)
    better, worse = Outcome(success, np.ones(2)), Outcome(success, np.zeros(2))
    weigh(progress, replace(problem, metric="return"), better, worse)
    assert progress.trust < FULL


def test_where_there_is_much_to_win_the_bound_eases_while_nothing_shows_harm(problem) -> None:
    progress, found = Progress(burning_in=False), []
    (same, worse), (controller,) = by_success(20, 5), by_success(20)
    for policy in (same, same, same, worse, same):
        weigh(progress, problem, policy, controller)
        found.append(pessimism_of(GATED, progress))
    assert found == pytest.approx([2.0 * EASED, 1.0, 1.0, 2.0, 2.0 * EASED])


@pytest.mark.parametrize(("before", "after"), [(FULL, 1), (1, 0), (0, 0)])
def test_a_policy_that_stood_below_its_controller_alone_loses_a_degree(
    problem, before, after
) -> None:
    """The evaluation beside it is the controller's own, and says nothing of the policy."""
    same, controller = by_success(20, 20)
    progress = Progress(burning_in=False, trust=before, stands_below=True)
    weigh(progress, problem, same, controller)
    assert progress.trust == after


@pytest.mark.parametrize(("controller", "burning_in"), [(38, False), (20, True)])
def test_nothing_eases_over_a_controller_that_is_nearly_right_or_before_the_actor_learns(
    problem, controller, burning_in
) -> None:
    progress = Progress(burning_in=burning_in)
    weigh(progress, problem, *by_success(controller, controller))
    assert pessimism_of(GATED, progress) == 2.0


def test_proof_counts_at_once_and_without_a_second_bound_nothing_does() -> None:
    assert pessimism_of(GATED, Progress(trust=FULL)) == 1.0
    assert pessimism_of(LearnerConfig(pessimism=2.0), Progress(trust=FULL)) == 2.0
    reversed_ = replace(GATED, pessimism=0.5)
    assert pessimism_of(reversed_, Progress()) == 0.5
