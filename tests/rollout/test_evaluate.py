"""Intervals by hand, pairs that belong together, seeds that never meet."""

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import toys
from acting import Adding, Scripted
from rpl.controllers.adapt import adapt
from rpl.controllers.contract import ControllerPolicy
from rpl.rollout.evaluate import Outcome, evaluate, paired_difference, verdict
from rpl.rollout.seeds import evaluation_seeds, training_seeds
from rpl.tasks.gym.task import GymnasiumTask


def outcome(success, returns=None) -> Outcome:
    success = np.asarray(success, bool)
    return Outcome(success, np.zeros(len(success)) if returns is None else np.asarray(returns))


@pytest.mark.parametrize(
    ("interval", "says"),
    [
        ((0.01, 0.2), "better"),
        ((-0.2, -0.01), "worse"),
        ((-0.01, 0.2), "no difference shown"),
        ((0.0, 0.2), "no difference shown"),
        ((0.0, 0.0), "no difference shown"),
    ],
)
def test_a_policy_is_better_only_if_the_interval_leaves_out_zero(interval, says) -> None:
    assert verdict(interval, 10) == says
    assert verdict(interval, 9) == "too few episodes"


@pytest.mark.parametrize(("successes", "count"), [(0, 20), (7, 20), (96, 100), (100, 100)])
def test_the_success_interval_is_wilsons(successes, count) -> None:
    z, p = 1.959963984540054, successes / count
    centre = (p + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(p * (1 - p) / count + z**2 / (4 * count**2))
    low, high = outcome([True] * successes + [False] * (count - successes)).success_interval
    assert low == pytest.approx(centre - half, abs=1e-9)
    assert high == pytest.approx(centre + half, abs=1e-9)


def test_the_return_interval_surrounds_the_mean_as_wide_as_it_should() -> None:
    returns = np.random.default_rng(0).normal(-20, 10, 400)
    result = outcome(np.zeros(400), returns)
    low, high = result.return_interval
    assert low < result.mean_return < high
    assert high - low == pytest.approx(2 * 1.96 * 10 / 20, rel=0.15)
    assert result.summary() == {
        "success_rate": 0.0,
        "success_interval": result.success_interval,
        "mean_return": result.mean_return,
        "return_interval": result.return_interval,
        "diverged": 0,
        "starts": None,
    }


def test_the_paired_difference_is_taken_episode_by_episode() -> None:
    # Every episode's return improves by exactly 1, while episodes differ by hundreds.
    level = np.arange(0, -5000, -100.0)
    won = np.arange(50) < 20
    difference = paired_difference(outcome(~won, level + 1), outcome(won, level))
    assert difference["mean_return"] == 1.0
    assert difference["return_interval"] == (1.0, 1.0)
    assert difference["success_rate"] == pytest.approx((30 - 20) / 50)
    low, high = difference["success_interval"]
    assert low < 0.2 < high
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(0.96 / 50), rel=0.2)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(0, 2**31), st.integers(0, 100_000))
def test_training_never_sees_an_evaluation_episode(run_seed, evaluation_seed, first) -> None:
    trained = training_seeds(run_seed, first, 50)
    judged = evaluation_seeds(evaluation_seed, 50)
    assert not set(trained) & set(judged)
    assert len(set(trained)) == len(set(judged)) == 50
    assert all(0 <= seed < 2**63 for seed in trained + judged)


def test_seeds_are_a_fixed_list_that_is_continued() -> None:
    assert training_seeds(3, 0, 10) == training_seeds(3, 0, 4) + training_seeds(3, 4, 6)
    assert evaluation_seeds(3, 10)[:5] == evaluation_seeds(3, 5)
    assert training_seeds(3, 0, 5) != training_seeds(4, 0, 5)


def still(num_envs: int) -> Scripted:
    return Scripted(lambda observation, episodes, step: np.zeros((num_envs, 4)))


def test_an_evaluation_runs_every_seed_once(make_task) -> None:
    task, alone = make_task(2, max_episode_steps=3), make_task(1)
    seeds, begun = evaluation_seeds(0, 3), {}

    def policy(observation, episodes, step):
        if step == 0:  # the last round has one seed left, beside a repetition
            begun.update(zip(episodes.tolist(), observation["desired_goal"].copy(), strict=True))
        return np.zeros((2, 4))

    result = evaluate(task, Scripted(policy, 3), seeds, 3)
    assert len(result.success) == len(result.returns) == 3
    expected = [alone.reset(seed=[seed])[0]["desired_goal"][0] for seed in seeds]
    np.testing.assert_array_equal([begun[i] for i in range(3)], expected)
    assert len(begun) == 3


def test_a_diverged_episode_counts_as_a_failure(make_task) -> None:
    task = make_task(3, max_episode_steps=3)
    task.success_distance = 10.0  # so that any other episode succeeds
    velocity = task.batch.bind("qvel")

    def diverging(observation, episodes, step):
        if step == 1:
            velocity[1] = np.nan
        return np.zeros((3, 4))

    result = evaluate(task, Scripted(diverging), [1, 3, 5], 3)
    assert result.success.tolist() == [True, False, True]
    assert result.returns.tolist() == [0.0, -3.0, 0.0]
    assert result.diverged == 1


def test_a_diverged_episode_earns_no_more_than_the_worst(make_task, monkeypatch) -> None:
    task = make_task(3, max_episode_steps=3)
    velocity = task.batch.bind("qvel")
    monkeypatch.setattr(task, "compute_reward", lambda *_: np.full(3, -100.0))

    def diverging(observation, episodes, step):
        velocity[1] = np.nan
        return np.zeros((3, 4))

    assert evaluate(task, Scripted(diverging), [1, 3, 5], 3).returns.tolist() == [-300.0] * 3


def test_outcomes_stay_with_their_seeds_when_an_episode_diverges(make_task) -> None:
    task = make_task(3, max_episode_steps=3)
    velocity = task.batch.bind("qvel")

    def diverging(observation, episodes, step):
        velocity[1] = np.nan
        return np.zeros((3, 4))

    whole = evaluate(task, still(3), [1, 3, 5], 3)
    broken = evaluate(task, Scripted(diverging), [1, 3, 5], 3)
    assert (broken.returns[1], broken.success[1]) == (-3.0, False)
    np.testing.assert_array_equal(broken.returns[[0, 2]], whole.returns[[0, 2]])


def test_an_evaluation_tells_the_share_of_episodes_that_is_done(make_task) -> None:
    told: list[float] = []
    task = make_task(2, max_episode_steps=10)
    # Two environments: rounds of two, two, and one beside a repetition.
    evaluate(task, still(2), [1, 3, 5, 7, 9], 10, told.append)
    np.testing.assert_allclose(told[:10], np.arange(10) * 2 / 50)
    np.testing.assert_allclose(told[10:20], 0.4 + np.arange(10) * 2 / 50)
    np.testing.assert_allclose(told[20:], 0.8 + np.arange(10) / 50)


def test_how_far_from_the_base_action_an_episode_is_is_told_by_component(make_task) -> None:
    """By hand: base actions of 0.9 and 0, to which each step adds its own residuals."""
    task = make_task(2, max_episode_steps=2)
    residuals = iter(
        np.array(  # (t, env, dim)
            [
                [[0.2, 0.0, 0, 0], [-1.0, 0.1, 0, 0]],
                [[0.5, -0.5, 0, 0], [0.3, 0.3, 0, 0]],
            ]
        )
    )
    base = ControllerPolicy(lambda observation: np.tile([0.9, 0.0, 0, 0], (2, 1)), 4)
    adding = Adding(lambda observation, base_action: next(residuals))
    outcome = evaluate(task, adding, [1, 3], 2, base=base)
    # The first goes from 0.9 to the bound of 1: by 0.1 (t 0: 1.1), 0.1, -1 and 0.1.
    assert outcome.largest_deviation == pytest.approx((1.0, 0.5, 0.0, 0.0), abs=1e-6)
    assert outcome.mean_deviation == pytest.approx((1.3 / 4, 0.9 / 4, 0.0, 0.0), abs=1e-6)
    assert outcome.clipped_share == 3 / 16


def test_each_episode_counts_alike_however_long_it_was() -> None:
    """The first is over after one step at a bound, the second takes four without any residual."""
    task = Slides(2)
    base = ControllerPolicy(lambda observation: np.zeros((2, 1)), 1)
    adding = Adding(lambda observation, base_action: observation[:, :1])
    outcome = evaluate(task, adding, [1, 0], 4, base=base)
    assert outcome.mean_deviation == (0.5,)
    assert outcome.clipped_share == 0.5
    assert outcome.largest_deviation == (1.0,)


def test_without_a_base_policy_nothing_is_said_of_deviations(make_task) -> None:
    outcome = evaluate(make_task(2, max_episode_steps=3), still(2), [1, 3], 3)
    assert outcome.mean_deviation == outcome.largest_deviation == ()
    assert outcome.clipped_share == 0.0


class Slides(gymnasium.vector.VectorEnv):
    """Observes its seed, 1 or 0, which ends an episode of 1 after its first step."""

    metadata = {"autoreset_mode": gymnasium.vector.AutoresetMode.DISABLED}  # noqa: RUF012
    single_observation_space = gymnasium.spaces.Box(-1.0, 1.0, (1,))
    single_action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,))

    def __init__(self, num_envs: int) -> None:
        self.num_envs = num_envs

    def reset(self, *, seed=None, options=None):
        self.seeds = np.array(seed, float)
        return self.seeds[:, None], {}

    def step(self, actions):
        ended = self.seeds == 1
        return self.seeds[:, None], np.zeros(self.num_envs), ended, np.zeros_like(ended), {}


def test_distinct_starts_are_counted() -> None:
    class TwoStarts(toys.Slide):
        def reset(self, *, seed=None, options=None):
            return super().reset(seed=seed % 4 // 2)

    def starts(make_env, count=12):
        task = GymnasiumTask(make_env, 3)
        seeds = evaluation_seeds(0, count)
        return evaluate(task, ControllerPolicy(adapt(toys.one, task), 1), seeds, 8).starts

    assert starts(toys.Slide) == 12
    assert starts(TwoStarts) == 2
