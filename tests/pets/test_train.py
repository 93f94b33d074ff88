"""PETS end to end on a task one can solve by hand; resuming; the pusher's pieces together."""

import dataclasses
import io
from dataclasses import replace

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from rpl.pets.config import PRESETS, PETSConfig
from rpl.pets.dynamics import ModelConfig
from rpl.pets.planner import PlannerConfig
from rpl.pets.train import PETSProblem, PETSProgress, create_state, train_pets, trial_policy
from toys import Batched

HORIZON = 12


class Slider(Batched):
    """A position that actions move by up to 0.3; the reward is minus the distance from 1."""

    def __init__(self) -> None:
        super().__init__(1, 1, 1)

    def reset(self, *, seed=None, options=None):
        self.position, self.steps = np.zeros((1, 1)), 0
        return self.position.copy(), {}

    def step(self, actions):
        self.position += 0.3 * np.clip(actions, -1, 1)
        self.steps += 1
        ended, no = np.array([self.steps == HORIZON]), np.zeros(1, bool)
        return self.position.copy(), -np.abs(self.position - 1)[:, 0], no, ended, {}


def cost(observation, action, goal):
    return jnp.abs(observation - 1)[..., 0]


CONFIG = PETSConfig(
    trials=4,
    model=ModelConfig(
        networks=2, hidden=(16,), weight_decay=(1e-5, 1e-5), epochs=60, learning_rate=5e-3
    ),
    planner=PlannerConfig(horizon=4, iterations=4, population=64, elites=8, particles=2),
)
PROBLEM = PETSProblem(Slider(), cost, HORIZON)


class Memory:
    """Keeps rows, and checkpoints as bytes, like a run folder; watches the steps too."""

    def __init__(self) -> None:
        self.rows, self.saved, self.steps, self.trials = [], {}, [], 0

    def on_step(self, environment_steps) -> None:
        self.steps.append(environment_steps)

    def on_trial(self, row) -> None:
        self.trials += 1

    def append(self, row) -> None:
        self.rows.append({k: v for k, v in row.items() if k != "wall_seconds"})

    def save(self, state, progress, best) -> None:
        buffer = io.BytesIO()
        eqx.tree_serialise_leaves(buffer, state)
        assert best  # the newest model knows all data
        self.saved["last"] = buffer.getvalue(), dataclasses.asdict(progress)


@pytest.fixture(scope="module")
def whole() -> Memory:
    """A run from beginning to end."""
    memory = Memory()
    train_pets(CONFIG, PROBLEM, create_state(CONFIG, PROBLEM), PETSProgress(), memory, memory)
    return memory


def test_it_learns_to_plan(whole) -> None:
    returns = [row["policy_return"] for row in whole.rows]
    assert len(returns) == 5
    # Straight to 1 at 0.3 a step costs 0.7 + 0.4 + 0.1; standing still costs 12.
    assert max(returns[2:]) > -2.0
    assert returns[-1] > -3.0
    assert [row["environment_steps"] for row in whole.rows] == [12, 24, 36, 48, 60]
    assert [row["best_return"] for row in whole.rows] == list(np.maximum.accumulate(returns))
    assert whole.rows[-1]["model_error"] < 0.01
    assert whole.saved["last"][1]["finished"]
    assert whole.trials == 5
    assert whole.steps == list(range(60))


def test_a_resumed_run_goes_on_as_if_it_had_not_been_stopped(whole) -> None:
    memory, stops = Memory(), iter([False, False, True])
    fresh = create_state(CONFIG, PROBLEM)
    arguments = (memory, memory)
    train_pets(CONFIG, PROBLEM, fresh, PETSProgress(), *arguments, lambda: next(stops))
    assert len(memory.rows) == 2
    data, progress = memory.saved["last"]
    assert not progress["finished"]
    state = eqx.tree_deserialise_leaves(io.BytesIO(data), create_state(CONFIG, PROBLEM))
    train_pets(CONFIG, PROBLEM, state, PETSProgress(**progress), *arguments)
    assert memory.rows == whole.rows


def test_another_seed_is_another_run(whole) -> None:
    memory, config = Memory(), replace(CONFIG, seed=1, trials=0)
    train_pets(config, PROBLEM, create_state(config, PROBLEM), PETSProgress(), memory, memory)
    assert memory.rows[0]["policy_return"] != whole.rows[0]["policy_return"]


def test_early_trials_have_a_planner_of_their_own() -> None:
    # Without a round of improvement all plans are zero.
    idle = replace(CONFIG.planner, iterations=0)
    config = replace(CONFIG, early_planner=idle, early_trials=2)
    state = create_state(config, PROBLEM)
    state = eqx.tree_at(lambda s: s.length, state, np.full_like(state.length, HORIZON))

    def first_action(trial: int) -> float:
        policy = trial_policy(config, PROBLEM, state, trial)
        policy.reset(np.ones(1, bool))
        return float(policy(np.zeros((1, 1)), None)[0, 0])

    assert [first_action(trial) for trial in (1, 2)] == [0.0, 0.0]
    assert first_action(3) != 0.0


def test_short_trials_teach_and_only_whole_ones_are_judged() -> None:
    memory, config = Memory(), replace(CONFIG, whole_trials=2, short_steps=5)
    state = create_state(config, PROBLEM)
    state = train_pets(config, PROBLEM, state, PETSProgress(), memory, memory)
    assert state.length.tolist() == [5, 5, 5, 12, 12]
    assert [row["environment_steps"] for row in memory.rows] == [5, 10, 15, 27, 39]
    assert config.steps(HORIZON) == 39
    judged = [row["policy_return"] for row in memory.rows]
    assert judged[:3] == [None] * 3
    assert judged[3:] == [row["trial_return"] for row in memory.rows[3:]]
    assert memory.rows[2]["best_return"] is None
    assert memory.rows[-1]["best_return"] == max(judged[3:])
    assert judged[-1] > -3.0


def test_a_run_of_few_trials_has_whole_ones() -> None:
    config = replace(PRESETS["small"], trials=2)
    assert [config.steps_in(trial, 150) for trial in range(3)] == [150] * 3
    assert PRESETS["small"].steps(150) == PRESETS["official"].steps(150) - 150 == 15_000
