"""A policy that falls below its controller in training is not what is evaluated or kept."""

import itertools
from dataclasses import replace
from types import SimpleNamespace

import equinox as eqx
import numpy as np
import pytest

import small
from rpl.config import BurnInConfig, ExplorationConfig
from rpl.presets import FAST, paced
from rpl.registry.builtin import make_problem
from rpl.rollout.collect import collect
from rpl.rollout.evaluate import Outcome
from rpl.rollout.policies import GreedyPolicy
from rpl.rollout.seeds import training_seeds
from rpl.runs.session import new_learner, new_replay
from rpl.training import loop
from rpl.training.epoch import EpochEnd
from rpl.training.loop import explore, run_cycle
from rpl.training.progress import Progress
from rpl.training.standing import FEWEST, acts_alone, remember, stands_below
from rpl.training.trust import FULL

CONFIG = replace(
    small.CONFIG,
    steps=10_000,
    episodes_per_cycle=4,
    cycles_per_epoch=4,
    burn_in=BurnInConfig(rule="steps", minimum_steps=0),
    exploration=ExplorationConfig(noise=0.3, random=0.3, alone_share=0.5),
    learner=replace(small.CONFIG.learner, zero_last=False),
)
HALF = Outcome(np.tile([False, True], 50), np.tile([-1.0, 0.0], 50))


@pytest.fixture(scope="module")
def problem():
    return make_problem("push", "rpl", CONFIG)


def trained(**changes) -> Progress:
    return Progress(**({"actor_has_learned": True, "burning_in": False} | changes))


def same(one, other) -> bool:
    return bool(eqx.tree_equal(one, other))


def test_the_policy_acts_alone_in_the_last_cycles_of_an_epoch_and_of_the_run(problem) -> None:
    said = [acts_alone(CONFIG, problem, trained(epoch_cycles=cycle)) for cycle in range(4)]
    assert said == [False, False, True, True]
    cycle = CONFIG.steps_per_cycle(problem.horizon)
    for cycles, alone in ((3, False), (2, True), (1, True)):
        steps = CONFIG.steps - cycles * cycle
        assert acts_alone(CONFIG, problem, trained(environment_steps=steps)) is alone


@pytest.mark.parametrize(
    ("episodes", "cycles", "share", "alone"),
    [(1, 10, 0.25, 3), (1, 6, 0.25, 3), (1, 5, 0.25, 1), (3, 28, 0.25, 7), (1, 10, 0.0, 0)],
)
def test_of_long_episodes_enough_are_played_alone_in_at_most_half_an_epoch(
    problem, episodes, cycles, share, alone
) -> None:
    exploration = ExplorationConfig(alone_share=share)
    config = replace(
        CONFIG,
        episodes_per_cycle=episodes,
        cycles_per_epoch=cycles,
        exploration=exploration,
    )
    said = [acts_alone(config, problem, trained(epoch_cycles=c)) for c in range(cycles)]
    assert said == [False] * (cycles - alone) + [True] * alone


@pytest.mark.parametrize("untrained", [{"actor_has_learned": False}, {"burning_in": True}])
def test_a_policy_that_is_its_controller_need_not_act_alone(problem, untrained) -> None:
    assert not acts_alone(CONFIG, problem, trained(epoch_cycles=3, **untrained))


def test_without_a_controller_or_a_share_nobody_acts_alone(problem) -> None:
    scratch = make_problem("push", "scratch", CONFIG)
    never = replace(CONFIG, exploration=ExplorationConfig())
    for config, whose in ((CONFIG, scratch), (never, problem)):
        assert not any(acts_alone(config, whose, trained(epoch_cycles=c)) for c in range(4))


@pytest.mark.parametrize(("horizon", "share"), [(25, 0.06), (50, 0.12), (100, 0.24), (150, 0.25)])
def test_where_episodes_are_long_the_policy_acts_alone_in_more_of_the_steps(horizon, share) -> None:
    assert paced(FAST, horizon).exploration.alone_share == pytest.approx(share)


def test_alone_it_does_what_it_would_when_deployed(problem) -> None:
    state = new_learner(CONFIG, problem)
    alone = explore(CONFIG, problem, state, Progress(), alone=True)
    seeds = training_seeds(CONFIG.seed, 0, 4)
    acting = GreedyPolicy(state, problem)
    deployed = collect(problem.task, acting, seeds, problem.horizon, problem.exploring_base())
    np.testing.assert_array_equal(alone.action, deployed.action)
    disturbed = explore(CONFIG, problem, state, Progress())
    assert not np.array_equal(disturbed.action, deployed.action)


def test_it_does_not_change_meanwhile_and_what_it_did_is_learned_from_afterwards(
    problem, monkeypatch
) -> None:
    learned = []

    def learn(config, problem, state, replay, newest, progress, cycle):
        learned.append((cycle, newest))
        return real(config, problem, state, replay, newest, progress, cycle)

    real = loop.learn
    monkeypatch.setattr(loop, "learn", learn)
    progress, replay = trained(), new_replay(CONFIG, problem, None)
    states = [new_learner(CONFIG, problem)]
    for _ in range(5):
        state, _, steps = run_cycle(CONFIG, problem, states[-1], replay, progress)
        progress.add_cycle({}, steps, 0.0)
        states.append(state)
        if progress.epoch_cycles == 4:
            assert len(progress.alone) == 8
            progress.start_epoch()
    assert [same(*pair) for pair in itertools.pairwise(states)] == [False, False, True, True, False]
    assert learned == [(0, 4), (1, 4), (2, 12), (3, 12), (4, 12)]
    assert (progress.unlearned_cycles, progress.unlearned_episodes, progress.alone) == (0, 0, ())


@pytest.mark.parametrize("metric", ["success", "return"])
def test_how_it_did_alone_is_told_by_the_problems_measure(problem, metric, monkeypatch) -> None:
    seen = []
    monkeypatch.setattr(loop, "explore", lambda *a: seen.append(explore(*a)) or seen[-1])
    progress = trained(epoch_cycles=3)
    measured = replace(problem, metric=metric)
    state, replay = new_learner(CONFIG, problem), new_replay(CONFIG, problem, None)
    _, metrics, _ = run_cycle(CONFIG, measured, state, replay, progress)
    values = seen[0].success if metric == "success" else seen[0].returns
    assert progress.alone == tuple(values.astype(float).tolist())
    assert metrics == {}  # the episodes with exploration are told apart


@pytest.mark.parametrize(("metric", "failed"), [("success", 0.0), ("return", -50.0)])
def test_an_episode_that_diverged_is_a_failure(problem, metric, failed) -> None:
    progress = trained()
    episodes = explore(CONFIG, problem, new_learner(CONFIG, problem), Progress(), alone=True)
    short = replace(episodes, reward=0.1 * episodes.reward, dropped=2)
    remember(progress, replace(problem, metric=metric), short)
    assert len(progress.alone) == len(episodes) + 2
    assert progress.alone[-2:] == (failed, failed)


@pytest.mark.parametrize(
    ("alone", "below"),
    [
        ((1.0,) * 6 + (0.0,) * 14, True),
        ((1.0,) * 8 + (0.0,) * 12, False),  # .4, and a standard error of .11
        ((1.0,) * 20, False),
        ((0.0,) * (FEWEST - 1), False),
        ((0.0,) * FEWEST, True),
        ((), False),
    ],
)
def test_a_policy_stands_below_where_it_did_worse_by_more_than_a_standard_error(
    problem, alone, below
) -> None:
    assert stands_below(Progress(alone=alone), problem, HALF) is below


def test_one_failure_among_many_says_nothing_of_a_good_policy(problem) -> None:
    good = Outcome(np.arange(200) > 1, np.zeros(200))  # .99
    assert not stands_below(Progress(alone=(0.0,) + (1.0,) * 19), problem, good)
    assert stands_below(Progress(alone=(0.0,) * 2 + (1.0,) * 18), problem, good)


def test_standing_goes_by_the_problems_measure(problem) -> None:
    by_return = replace(problem, metric="return")
    assert not stands_below(Progress(alone=(-0.5,) * 20), by_return, HALF)
    assert stands_below(Progress(alone=(-0.8,) * 20), by_return, HALF)


def test_where_it_stands_below_the_controller_is_evaluated_and_the_best_policy_stays(
    problem,
) -> None:
    """The learner itself goes on as it is, and acts again once it does better."""
    rows, kept, notes = [], [], []
    keeper = SimpleNamespace(
        append=rows.append, save=lambda state, progress, best: kept.append((state, best))
    )
    observer = SimpleNamespace(
        on_evaluation=lambda row: None, on_evaluating=lambda *_: None, on_note=notes.append
    )
    progress = trained(trust=FULL, rows=1)
    end_epoch = EpochEnd(
        CONFIG, problem, new_replay(CONFIG, problem, None), progress, keeper, observer
    )
    winning = np.ones(CONFIG.evaluation_episodes, bool)
    end_epoch._levels[len(winning)] = Outcome(winning, np.zeros(len(winning)))
    state = new_learner(CONFIG, problem)
    for alone in (0.0, 0.0, 1.0):
        progress.alone = (alone,) * FEWEST
        end_epoch(state)
        assert progress.alone == ()
    assert [row["alone"] for row in rows] == [0.0, 0.0, 1.0]
    assert [row["stands_below"] for row in rows] == [1, 1, 0]
    assert [row["acted_share"] > 0.5 for row in rows] == [False, False, True]
    assert kept == [(state, False), (state, False), (state, True)]
    assert progress.trust == 0
    assert len(notes) == 1
    assert "worse than its controller" in notes[0]
