"""The loop's decisions, by hand: burn-in, exploration, what a row says, giving up."""

from dataclasses import replace
from types import SimpleNamespace

import equinox as eqx
import jax
import numpy as np
import pytest

import small
from rpl import learner
from rpl.config import BurnInConfig, ExplorationConfig, LearnerConfig, ResidualConfig
from rpl.registry.builtin import make_problem
from rpl.replay.buffer import Replay
from rpl.rollout.evaluate import Outcome, evaluate
from rpl.rollout.policies import ExploringPolicy, GreedyPolicy
from rpl.runs.session import new_learner, new_replay
from rpl.training.burn_in import ends_burn_in, is_burning_in, is_quiet
from rpl.training.epoch import EpochEnd
from rpl.training.loop import TrainingDiverged, mean_value, run_cycle, train
from rpl.training.metrics import is_best, metrics_row
from rpl.training.progress import Progress
from rpl.training.trust import FULL

SMALL = replace(small.CONFIG, episodes_per_cycle=4)


def test_steps_rule_burns_in_for_its_steps_and_no_longer():
    rule = BurnInConfig(rule="steps", minimum_steps=100)
    assert is_burning_in(rule, Progress(environment_steps=99))
    assert not is_burning_in(rule, Progress(environment_steps=100))


@pytest.mark.parametrize(
    ("steps", "loss", "ends"), [(100, 0.9, True), (100, 1.1, False), (99, 0.9, False)]
)
def test_critic_loss_rule_needs_a_small_loss_and_enough_data(steps, loss, ends):
    rule = BurnInConfig(rule="critic-loss", threshold=1.0, minimum_steps=100)
    assert ends_burn_in(rule, Progress(environment_steps=steps), {"critic_loss": loss}) is ends


def test_q_change_rule_waits_for_a_second_epoch_then_for_a_small_change():
    rule = BurnInConfig(rule="q-change", threshold=1.0)
    assert not ends_burn_in(rule, Progress(last_mean_q=None), {"mean_q": -3.0})
    assert not ends_burn_in(rule, Progress(last_mean_q=-1.5), {"mean_q": -3.0})
    assert ends_burn_in(rule, Progress(last_mean_q=-2.5), {"mean_q": -3.0})
    assert not ends_burn_in(rule, Progress(last_mean_q=-2.5), {})  # no cycle of it was good


def test_burn_in_that_is_over_stays_over():
    for rule in ("critic-loss", "q-change"):
        assert not is_burning_in(BurnInConfig(rule=rule), Progress(burning_in=False))


def test_half_of_the_burn_in_cycles_are_quiet():
    config = BurnInConfig(quiet_share=0.5)
    quiet = [is_quiet(config, Progress(cycle=c)) for c in range(10)]
    assert sum(quiet) == 5
    assert not is_quiet(config, Progress(cycle=1, burning_in=False))


@pytest.mark.parametrize(("steps", "burning"), [(0, False), (100, True)])
def test_the_first_row_says_whether_a_burn_in_follows(bare_problem, steps, burning):
    config = replace(SMALL, burn_in=BurnInConfig(rule="steps", minimum_steps=steps))
    rows = []
    observer = SimpleNamespace(on_evaluation=rows.append, on_evaluating=lambda *_: None)
    keeper = SimpleNamespace(append=lambda row: None, save=lambda *_, **__: None)
    state, replay = learner_for(bare_problem), replay_for(bare_problem, 4)
    train(config, bare_problem, state, replay, Progress(), keeper, observer, lambda: True)
    assert rows[0]["burning_in"] == burning


def test_an_observer_hears_of_both_evaluations_and_the_controller_is_judged_once(bare_problem):
    heard = []
    observer = SimpleNamespace(
        on_evaluation=lambda row: heard.append("row"),
        on_evaluating=lambda whose, share: heard.append((whose, share)),
    )
    keeper = SimpleNamespace(append=lambda row: None, save=lambda *_, **__: None)
    end_epoch = EpochEnd(
        SMALL, bare_problem, replay_for(bare_problem, 4), Progress(), keeper, observer
    )
    state = learner_for(bare_problem)
    end_epoch(state)
    shares = [step / 50 for step in range(50)]
    both = [("controller", share) for share in shares] + [("policy", share) for share in shares]
    assert heard == [*both, "row"]
    heard.clear()
    end_epoch(state)
    assert heard == [*both[50:], "row"]


@pytest.fixture(scope="module")
def bare_problem():
    return make_problem("push", "scratch", SMALL)


def learner_for(problem, config=SMALL):
    return new_learner(config, problem)


def replay_for(problem, capacity):
    return Replay(capacity, problem.horizon, problem.seen, problem.action_size)


def test_exploration_mixes_controller_random_and_learned_actions(bare_problem):
    calls = []

    def controller(observation):
        calls.append(len(observation["observation"]))
        return np.full((len(observation["observation"]), 4), 0.123)

    problem = replace(bare_problem, controller=controller)
    policy = ExploringPolicy(
        learner_for(problem),
        problem,
        ExplorationConfig(noise=0.0, random=0.25, expert=0.5),
        np.random.default_rng(0),
        4,
    )
    observation, _ = problem.task.reset(seed=0)
    policy.reset(np.ones(4, bool))
    actions = np.stack([policy(observation, None) for _ in range(50)])
    by_controller = np.isclose(actions, 0.123).all(axis=2)
    by_learner = (actions == 0.0).all(axis=2)  # an untrained zero-last actor
    assert by_controller.mean() == pytest.approx(0.5, abs=0.1)
    assert by_learner.mean() == pytest.approx(0.25, abs=0.1)
    assert sum(calls) == by_controller.sum()  # asked only where it acts


def test_disturbances_do_not_depend_on_how_many_environments_run(bare_problem):
    state = learner_for(bare_problem)
    observation, _ = bare_problem.task.reset(seed=0)
    exploration = ExplorationConfig(noise=0.3, random=0.2)

    def actions(num_envs):
        """Of the eighth step of each of four episodes, in rounds of so many environments."""
        policy = ExploringPolicy(state, bare_problem, exploration, np.random.default_rng(1), 4)
        said = []
        for first in range(0, 4, num_envs):
            policy.reset(np.ones(num_envs, bool))
            rows = np.resize(np.arange(first, min(first + num_envs, 4)), num_envs)
            seen = {name: part[rows] for name, part in observation.items()}
            here = [policy(seen, None) for _ in range(8)][-1]
            said.append(here[: 4 - first])
        return np.concatenate(said)

    together = actions(4)
    for num_envs in (1, 2, 3):
        np.testing.assert_array_equal(actions(num_envs), together)


def test_untrained_residual_policy_is_its_controller_in_evaluation():
    problem = make_problem("slippery-push", "rpl", SMALL)
    seeds = list(range(2))
    greedy = GreedyPolicy(learner_for(problem), problem)
    alone = evaluate(problem.evaluation_task, problem.level(), seeds, 50)
    policy = evaluate(problem.evaluation_task, greedy, seeds, 50, base=problem.base())
    np.testing.assert_array_equal(alone.returns, policy.returns)
    assert policy.largest_deviation == policy.mean_deviation == (0.0,) * 4
    assert policy.clipped_share > 0.0  # where the controller itself is at a bound


def test_a_loss_that_stays_non_finite_stops_the_run(bare_problem, monkeypatch):
    config = replace(SMALL, burn_in=BurnInConfig(rule="steps"))
    state, progress = learner_for(bare_problem), Progress()
    replay = replay_for(bare_problem, 20)
    real = learner.update

    def broken(*arguments):
        learned, losses = real(*arguments)
        return learned, losses | {"critic_loss": np.nan}

    monkeypatch.setattr(learner, "update", broken)
    for _ in range(2):
        state, metrics, _ = run_cycle(config, bare_problem, state, replay, progress)
        assert "critic_loss" not in metrics  # or the epoch's mean would be lost
    with pytest.raises(TrainingDiverged, match="not finite for 3 cycles, at 600 steps"):
        run_cycle(config, bare_problem, state, replay, progress)


def test_a_learner_that_is_not_finite_is_not_kept_however_good_its_losses(
    bare_problem, monkeypatch
):
    state, progress = learner_for(bare_problem), Progress()
    replay = replay_for(bare_problem, 20)
    real = learner.update

    def broken(*arguments):
        learned, losses = real(*arguments)
        spoilt = jax.tree.map(lambda leaf: leaf * np.nan, learned.critic)
        return eqx.tree_at(lambda s: s.critic, learned, spoilt), losses

    monkeypatch.setattr(learner, "update", broken)
    kept, metrics, _ = run_cycle(SMALL, bare_problem, state, replay, progress)
    assert kept is state
    assert progress.bad_cycles == 1
    assert "critic_loss" not in metrics


@pytest.mark.parametrize("rule", ["steps", "q-change", "critic-loss"])
def test_a_policy_is_untrained_until_its_actor_took_a_step(bare_problem, rule):
    config = replace(
        SMALL, burn_in=BurnInConfig(rule=rule, minimum_steps=200, threshold=1e9), cycles_per_epoch=1
    )
    state, progress = learner_for(bare_problem), Progress()
    replay = replay_for(bare_problem, 40)
    observer = SimpleNamespace(
        on_evaluation=lambda _: None, on_evaluating=lambda *_: None, on_cycle=lambda *_: None
    )
    untrained = []

    def save(saved, stood, best):
        same = jax.tree.map(lambda a, b: bool((a == b).all()), saved.actor, state.actor)
        untrained.append((stood.is_untrained, all(jax.tree.leaves(same))))

    keeper = SimpleNamespace(append=lambda row: None, save=save)
    config = replace(config, steps=1000)
    train(config, bare_problem, state, replay, progress, keeper, observer)
    assert all(said == true for said, true in untrained)
    assert untrained[0][0]
    assert not untrained[-1][0]


def test_one_bad_cycle_is_forgotten(bare_problem, monkeypatch):
    config = replace(SMALL, burn_in=BurnInConfig(rule="steps"))
    before, progress = learner_for(bare_problem), Progress(bad_cycles=2)
    replay = replay_for(bare_problem, 20)
    after, _, steps = run_cycle(config, bare_problem, before, replay, progress)
    assert (progress.bad_cycles, steps, progress.environment_steps) == (0, 200, 200)
    assert after is not before


def test_row_says_what_happened(bare_problem):
    progress = Progress(environment_steps=50, burning_in=False, dropped_episodes=2)
    progress.add_cycle({"critic_loss": 1.0}, steps=25, seconds=0.5)
    progress.add_cycle({"critic_loss": 3.0, "actor_loss": 5.0}, steps=25, seconds=0.5)
    policy = Outcome(np.array([True, True, False, True]), np.array([-1.0, -2.0, -3.0, -2.0]))
    controller = Outcome(np.zeros(4, bool), np.full(4, -4.0))
    row = metrics_row(bare_problem, progress, policy, controller)
    assert row["critic_loss"] == 2.0
    assert row["actor_loss"] == 5.0
    assert row["mean_q"] is None
    assert (row["policy_success"], row["policy_return"]) == (0.75, -2.0)
    assert (row["controller_success"], row["controller_return"]) == (0.0, -4.0)
    assert (row["burning_in"], row["dropped_episodes"], row["steps_per_second"]) == (0, 2, 50.0)
    assert "policy_return_low" not in row
    by_return = metrics_row(replace(bare_problem, metric="return"), progress, policy, controller)
    assert by_return["policy_return_low"] <= -2.0 <= by_return["policy_return_high"]


def test_the_residuals_size_is_that_of_what_took_effect(bare_problem):
    scale = (0.5, 2.0, 0.0, 1.0)
    problem = replace(bare_problem, residual=ResidualConfig(scale=scale))
    policy = Outcome(
        np.ones(2, bool), np.zeros(2), mean_deviation=(0.2, 0.3, 0.0, 0.05), clipped_share=0.25
    )
    controller = Outcome(np.zeros(2, bool), np.zeros(2))
    row = metrics_row(problem, Progress(), policy, controller)
    # In units of each component's scale; the one that cannot be added to has no say.
    assert row["residual_size"] == pytest.approx((0.2 / 0.5 + 0.3 / 2.0 + 0.05) / 3)
    assert row["clipped_share"] == 0.25
    silent = replace(bare_problem, residual=ResidualConfig(scale=0.0))
    assert metrics_row(silent, Progress(), policy, controller)["residual_size"] == 0.0
    alone = metrics_row(bare_problem, Progress(), controller, controller)
    assert (alone["residual_size"], alone["clipped_share"]) == (0.0, 0.0)


@pytest.mark.parametrize("critic_input", ["residual", "sum"])
def test_a_cycle_learns_with_the_scale_and_judges_what_it_was_told_to(critic_input, monkeypatch):
    residual = ResidualConfig(scale=(0.5, 1.0, 2.0, 0.0), critic_input=critic_input)
    config = replace(SMALL, burn_in=BurnInConfig(rule="steps"), residual=residual)
    problem = make_problem("slippery-push", "rpl", config)
    given, real = [], learner.update

    def watched(config, state, batches, setting, *rest):
        given.append((batches, setting))
        return real(config, state, batches, setting, *rest)

    monkeypatch.setattr(learner, "update", watched)
    replay = Replay(4, 50, problem.seen, 4, 4)
    run_cycle(config, problem, learner_for(problem), replay, Progress())
    (batches, setting), *others = given
    assert not others
    assert setting.judges_sums == (critic_input == "sum")
    np.testing.assert_array_equal(setting.scale, np.float32((0.5, 1.0, 2.0, 0.0)))
    assert batches.base_action.shape == batches.action.shape
    # Nothing is ever added where the scale is 0.
    clipped = np.clip(batches.base_action[..., 3], -1.0, 1.0)
    np.testing.assert_array_equal(batches.action[..., 3], clipped)
    assert np.abs(batches.action - batches.base_action).max() > 0.1


@pytest.mark.parametrize(("metric", "better"), [("success", False), ("return", True)])
def test_the_best_policy_is_that_of_the_most_successes_or_the_highest_return(
    bare_problem, metric, better
):
    progress = Progress(best_success=0.5, best_return=-3.0)
    policy = Outcome(np.array([False, False]), np.array([-2.0, -2.0]))
    assert is_best(replace(bare_problem, metric=metric), progress, policy) == better


def test_a_cycle_goes_by_the_pessimism_of_its_time(bare_problem):
    learner_config = LearnerConfig(
        gate=True, critics=2, aggregate="bound", pessimism=2.0, trusted_pessimism=0.5
    )
    residual = ResidualConfig(observe_controller=True, critic_input="sum")
    config = replace(SMALL, learner=learner_config, residual=residual)
    problem = make_problem("push", "rpl", config)
    state, replay = new_learner(config, problem), new_replay(config, problem, None)
    for trust, pessimism in ((0, 2.0), (FULL, 0.5)):
        state, _, _ = run_cycle(config, problem, state, replay, Progress(trust=trust))
        assert float(state.gate.pessimism) == pessimism


@pytest.mark.parametrize(("ends", "value"), [(0.0, -100.0), (1.0, -2.0), (0.1, -2.0 / 0.118)])
def test_critics_begin_at_what_rewards_come_to_before_episodes_end(ends, value):
    terminated = np.zeros(1000)
    terminated[: round(1000 * ends)] = 1.0
    nothing = dict.fromkeys(learner.Batch._fields)
    batch = learner.Batch(**nothing | {"reward": np.full(1000, -2.0), "terminated": terminated})
    assert mean_value(batch, 0.98) == pytest.approx(value)
