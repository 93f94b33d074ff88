"""Who acts: a residual policy seen as a policy of the bare task."""

from dataclasses import replace

import numpy as np

import small
from rpl.registry.builtin import make_problem
from rpl.rollout.collect import collect
from rpl.rollout.policies import controller_policy, whole_policy
from small import CONFIG


def test_the_whole_policy_does_what_the_residual_task_executes() -> None:
    problem = make_problem("push", "rpl", CONFIG, small.lean("push"))
    residual = np.array([[0.3, -1.0, 0.9, 0.0], [1.0, 1.0, -1.0, 0.5]])
    whole = whole_policy(problem, lambda observation, episodes, step: residual)
    observation, _ = problem.evaluation_task.reset(seed=0)
    for step in range(5):
        action = whole(observation, np.arange(2), step)
        observation, *_, info = problem.evaluation_task.step(residual)
        np.testing.assert_array_equal(action, info["executed_action"])
        assert not np.allclose(action, residual)


def test_the_whole_policy_is_shown_what_the_residual_task_shows() -> None:
    config = replace(CONFIG, residual=replace(CONFIG.residual, observe_controller=True))
    problem, other = (make_problem("push", "rpl", config, small.lean("push")) for _ in range(2))
    whole = whole_policy(problem, lambda seen, episodes, step: seen["observation"][:, -4:] / -2.0)
    observation, _ = problem.controller_task.reset(seed=0)
    shown, _ = other.evaluation_task.reset(seed=0)
    assert np.abs(shown["observation"][:, -4:]).max() > 0.1
    for step in range(5):
        action = whole(observation, np.arange(2), step)
        shown, *_, info = other.evaluation_task.step(shown["observation"][:, -4:] / -2.0)
        observation, *_ = problem.controller_task.step(action)
        np.testing.assert_array_equal(action, info["executed_action"])


def test_a_controller_made_from_the_environment_acts_by_the_one_that_it_acts_in() -> None:
    problem = make_problem("push", "rpl", CONFIG, controller="toys:to_the_block")
    whole = whole_policy(problem, lambda seen, episodes, step: np.zeros((2, 4)))
    added, alone = (
        collect(problem.controller_task, policy, [1, 2], 10)
        for policy in (whole, controller_policy(problem))
    )
    assert np.ptp(alone.action[..., :3], axis=1).max() > 0.1
    np.testing.assert_array_equal(added.action, alone.action)


def test_what_learns_the_whole_action_stays_as_it_is() -> None:
    problem = make_problem("push", "scratch", CONFIG, small.lean("push"))
    policy = controller_policy(problem)
    assert whole_policy(problem, policy) is policy


def test_a_controller_with_memory_forgets_where_episodes_begin() -> None:
    class Counting:
        calls = 0

        def reset(self, mask: np.ndarray) -> None:
            self.calls = 0

        def __call__(self, observation) -> np.ndarray:
            self.calls += 1
            return np.full((2, 4), 0.1 * self.calls)

    problem = make_problem("push", "rpl", CONFIG, small.lean("push"))
    problem.controller = Counting()
    policy = controller_policy(problem)
    seen, _ = problem.controller_task.reset(seed=0)
    said = [policy(seen, np.arange(2), step)[0, 0] for step in (0, 1, 2, 0, 1)]
    np.testing.assert_allclose(said, [0.1, 0.2, 0.3, 0.1, 0.2])
