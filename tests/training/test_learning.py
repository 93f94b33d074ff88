"""The whole loop on a toy: it learns, it repeats itself, and it fails in the open."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from rpl import learner
from rpl.config import (
    BurnInConfig,
    Config,
    ExplorationConfig,
    LearnerConfig,
    ReplayConfig,
    ResidualConfig,
)
from rpl.presets import LEARNERS, with_learner
from rpl.problem import Problem
from rpl.replay.buffer import Replay
from rpl.replay.hindsight import GoalRules
from rpl.rollout.evaluate import evaluate
from rpl.rollout.policies import GreedyPolicy
from rpl.runs.folder import RunFolder
from rpl.runs.session import new_learner
from rpl.training.loop import TrainingDiverged, train
from rpl.training.progress import Progress
from small import metrics, without_clocks
from toys import Batched

HORIZON = 20
MOVE, REACHED = 0.08, 0.04


class PointMass(Batched):
    """A point in the plane that an action displaces; reward 0 within 0.04 of the goal, else -1."""

    def __init__(self, num_envs: int) -> None:
        super().__init__(num_envs, 2, 2, goals=True)

    def reset(self, *, seed=None, options=None):
        drawn = np.stack([np.random.default_rng(s).uniform(-0.5, 0.5, (2, 2)) for s in seed])
        self.position, self.goal, self.t = drawn[:, 0], drawn[:, 1], 0
        return self._observe(), {}

    def _observe(self):
        return {
            "observation": self.position.copy(),
            "achieved_goal": self.position.copy(),
            "desired_goal": self.goal.copy(),
        }

    def step(self, actions):
        self.position = self.position + MOVE * np.clip(actions, -1, 1)
        self.t += 1
        reward = self.compute_reward(self.position, self.goal, {})
        none = np.zeros(self.num_envs, bool)
        truncated = np.full(self.num_envs, self.t >= HORIZON)
        return self._observe(), reward, none, truncated, {"is_success": reward == 0}

    def compute_reward(self, achieved_goal, desired_goal, info):
        distance = np.linalg.norm(achieved_goal - desired_goal, axis=-1)
        return np.where(distance > REACHED, -1.0, 0.0)


def one_sided(observation):
    """Knows only the left half of the plane: mistakes a goal on the right for its mirror image.

    On the right the reward never comes by chance, so that learning there needs hindsight.
    """
    goal = observation["desired_goal"] * (1.0, 1.0)
    goal[:, 0] = -np.abs(goal[:, 0])
    return 5.0 * (goal - observation["achieved_goal"])


CONFIG = Config(
    steps=6_400,
    episodes_per_cycle=8,
    cycles_per_epoch=1000,
    evaluation_episodes=50,
    final_evaluation_episodes=50,
    learner=LearnerConfig(
        hidden=(64, 64),
        actor_learning_rate=1e-3,
        batch_size=128,
        updates_per_cycle=20,
        polyak=0.8,
        action_l2=0.1,
    ),
    exploration=ExplorationConfig(noise=0.1, random=0.1),
    burn_in=BurnInConfig(rule="steps", minimum_steps=1_600),
    residual=ResidualConfig(scale=2.0, clip_controller=True),
)


class Memory:
    """Keeps what a run folder would keep, and watches what a progress display would show."""

    def __init__(self) -> None:
        self.rows, self.saves = [], []

    def append(self, row) -> None:
        self.rows.append(row)

    def save(self, state, progress, best) -> None:
        self.saves.append((progress.environment_steps, progress.finished, best))

    def on_cycle(self, progress, metrics) -> None: ...

    def on_evaluating(self, whose, share) -> None: ...

    def on_note(self, sentence) -> None: ...

    def on_evaluation(self, row) -> None: ...


def make_problem(num_envs: int = 8, task_class=PointMass) -> Problem:
    task = task_class(num_envs)
    return Problem(
        task=task,
        evaluation_task=PointMass(50),
        controller=one_sided,
        horizon=HORIZON,
        rules=GoalRules(task.compute_reward),
        residual=CONFIG.residual,
    )


def new_replay(episodes: int, problem: Problem, **keywords) -> Replay:
    return Replay(episodes, HORIZON, problem.seen, 2, 2, **keywords)


def run(config: Config, problem: Problem, memory: Memory, **keywords) -> learner.LearnerState:
    problem.residual = config.residual
    state = new_learner(config, problem)
    replay = new_replay(config.replay.capacity // HORIZON, problem)
    return train(config, problem, state, replay, Progress(), memory, memory, **keywords)


def same_weights(ours: learner.LearnerState, theirs: learner.LearnerState) -> bool:
    pairs = zip(jax.tree.leaves(ours.actor), jax.tree.leaves(theirs.actor), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


N_STEPS = replace(
    CONFIG,
    learner=replace(CONFIG.learner, layer_norm=True, updates_per_step=0.25),
    replay=ReplayConfig(n_step=3),
)
SUMS = replace(
    CONFIG,
    steps=2 * CONFIG.steps,
    residual=replace(CONFIG.residual, critic_input="sum", observe_controller=True),
)


@pytest.mark.parametrize(
    ("config", "level"),
    [
        (CONFIG, 0.9),
        (with_learner(CONFIG, "td3"), 0.9),
        (with_learner(CONFIG, "sac"), 0.9),
        (N_STEPS, 0.9),
        (SUMS, 0.9),
    ],
    ids=["ddpg", "td3", "sac", "three-steps-and-layer-norm", "critic-of-sums"],
)
def test_a_poor_controller_is_learned_to_near_perfection(config, level) -> None:
    problem, memory = make_problem(), Memory()
    state = run(config, problem, memory)
    unseen = range(1_000_001, 1_000_201)
    greedy = GreedyPolicy(state, problem)
    policy = evaluate(problem.evaluation_task, greedy, unseen, HORIZON, base=problem.base())
    controller = evaluate(problem.evaluation_task, problem.level(), unseen, HORIZON)
    assert controller.success_rate < 0.6
    assert policy.success_rate > level
    first, last = memory.rows
    assert first["policy_success"] == first["controller_success"]  # the residual begins at zero
    assert first["residual_size"] == 0.0
    assert last["environment_steps"] == config.steps
    assert memory.saves[-1] == (config.steps, True, True)
    assert ("temperature" in last) == (config.learner.algorithm == "sac")


SHORT = replace(CONFIG, steps=800, burn_in=BurnInConfig(rule="steps"), cycles_per_epoch=2)


def test_a_seed_decides_every_number_of_a_run() -> None:
    first, again, other = Memory(), Memory(), Memory()
    ours = run(SHORT, make_problem(), first)
    theirs = run(SHORT, make_problem(), again)
    assert same_weights(ours, theirs)
    assert without_clocks(first.rows) == without_clocks(again.rows)
    run(replace(SHORT, seed=1), make_problem(), other)
    assert without_clocks(first.rows) != without_clocks(other.rows)


def test_training_works_with_any_number_of_environments() -> None:
    # One environment multiplies vectors where eight multiply matrices: equal but for rounding.
    many, one = Memory(), Memory()
    run(replace(SHORT, steps=320), make_problem(8), many)
    run(replace(SHORT, steps=320), make_problem(1), one)
    for ours, theirs in zip(many.rows, one.rows, strict=True):
        assert ours["environment_steps"] == theirs["environment_steps"]
        assert ours["policy_return"] == pytest.approx(theirs["policy_return"], abs=0.5)
        if ours["critic_loss"] is not None:
            assert ours["critic_loss"] == pytest.approx(theirs["critic_loss"], rel=0.01)


def test_an_interrupted_run_stops_after_its_cycle_and_saves() -> None:
    memory = Memory()
    answers = iter([False, False, True])
    run(SHORT, make_problem(), memory, interrupted=lambda: next(answers))
    assert memory.saves[-1] == (320, False, False)


@pytest.mark.parametrize("name", LEARNERS)
def test_every_learner_goes_on_from_its_checkpoint_to_the_same_numbers(name, tmp_path) -> None:
    config, problem = with_learner(SHORT, name), make_problem()
    config = replace(config, replay=ReplayConfig(capacity=9 * HORIZON))
    goes_on_to_the_same_numbers(config, problem, tmp_path, name)


def test_a_run_goes_on_in_the_middle_of_cycles_in_which_its_policy_acts_alone(tmp_path) -> None:
    exploration = replace(SHORT.exploration, alone_share=0.6)
    config = replace(SHORT, cycles_per_epoch=3, exploration=exploration)
    goes_on_to_the_same_numbers(config, make_problem(), tmp_path, "ddpg")
    assert [row["alone"] != "" for row in metrics(tmp_path)] == [False, True, True]


def goes_on_to_the_same_numbers(config: Config, problem: Problem, tmp_path, name: str) -> None:
    def go_on(resume: bool, interrupted) -> learner.LearnerState:
        folder = RunFolder(tmp_path, {"task": "reach", "learner": name}, resume)
        state, progress = new_learner(config, problem), Progress()
        replay = new_replay(9, problem, slack=80, folder=folder.replay_folder)
        if folder.resumed:
            state, progress = folder.restore(state, Progress)
            replay.restore(progress.stored_episodes)
        state = train(config, problem, state, replay, progress, folder, Memory(), interrupted)
        folder.close()
        return state

    whole = Memory()
    uninterrupted = run(config, problem, whole)
    answers = iter([False, False, True])
    go_on(False, lambda: next(answers))
    assert same_weights(go_on(True, lambda: False), uninterrupted)
    told = [{k: "" if v is None else str(v) for k, v in row.items()} for row in whole.rows]
    assert metrics(tmp_path) == without_clocks(told)


class LosesEpisodes(PointMass):
    """Every second episode's state turns into NaN at t = 5."""

    def _observe(self):
        observation = super()._observe()
        if self.t >= 5:
            observation["observation"][::2] = np.nan
        return observation


def test_diverged_episodes_cost_steps_and_are_counted_but_never_learned_from() -> None:
    memory = Memory()
    state = run(replace(SHORT, steps=480), make_problem(8, LosesEpisodes), memory)
    assert memory.rows[-1]["dropped_episodes"] == 3 * 4
    assert memory.rows[-1]["environment_steps"] == 480
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state.actor))


def test_a_loss_that_stays_non_finite_stops_the_run_before_it_is_saved() -> None:
    problem, memory = make_problem(), Memory()
    problem.rules = GoalRules(lambda achieved, desired, info: np.full(len(achieved), np.nan))
    with pytest.raises(TrainingDiverged, match="last good checkpoint is kept"):
        run(SHORT, problem, memory)
    assert [steps for steps, *_ in memory.saves] == [0, 320]
    assert all(np.isfinite(row["policy_return"]) for row in memory.rows)
