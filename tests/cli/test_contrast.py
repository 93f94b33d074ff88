"""Episodes to show are those in which policy and controller differ, and not looked for for ever."""

from types import SimpleNamespace

import numpy as np
import pytest

from rpl.cli import contrast
from rpl.rollout.evaluate import Outcome
from rpl.rollout.seeds import evaluation_seeds

SEEDS = evaluation_seeds(5, 100)


@pytest.fixture
def judged(monkeypatch):
    """A policy that wins every tenth episode and loses every twentieth, and how often it plays."""
    rounds: list[list[int]] = []

    def judge(subject, seeds):
        rounds.append(list(seeds))
        number = np.array([SEEDS.index(seed) for seed in seeds])
        wins, loses = number % 10 == 9, number % 20 == 0
        return Outcome(loses, np.zeros(len(seeds))), Outcome(wins, np.zeros(len(seeds)))

    monkeypatch.setattr(contrast, "judge", judge)
    problem = SimpleNamespace(metric="success")
    subject = SimpleNamespace(policy=object(), remark=None, problem=problem)
    return rounds, lambda count: subject


def test_wins_come_first_and_wins_and_losses_are_counted(judged) -> None:
    rounds, load = judged
    seeds, remark = contrast.contrasting(load, 5, 11)
    assert seeds == [*SEEDS[9::10], SEEDS[1]]
    assert remark is not None
    assert "of 100 episodes the policy solves 10 that the controller fails" in remark
    assert "fails 5 that the controller solves" in remark
    assert sum(map(len, rounds)) == 100


def test_the_search_ends_when_its_time_is_over(judged) -> None:
    rounds, load = judged
    seeds, remark = contrast.contrasting(load, 5, 4, seconds=0.0)
    assert rounds == [SEEDS[:20]]
    assert seeds[:2] == [SEEDS[9], SEEDS[19]]
    assert remark is not None
    assert remark.startswith("of 20 episodes the policy solves 2 that the controller fails")
