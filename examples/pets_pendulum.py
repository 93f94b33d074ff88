"""PETS on a Gymnasium task whose reward is known: swing up a pendulum within a few trials.

    python examples/pets_pendulum.py

The planner needs three things: a vector environment with actions in [-1, 1], the reward as a
cost in JAX of what follows an action, and the horizon. The rest is learned.
"""

import gymnasium
import jax.numpy as jnp
from gymnasium.wrappers.vector import RescaleAction

from rpl.pets.config import PETSConfig
from rpl.pets.dynamics import ModelConfig
from rpl.pets.planner import PlannerConfig
from rpl.pets.train import PETSProblem, PETSProgress, create_state, train_pets

CONFIG = PETSConfig(
    trials=5,
    model=ModelConfig(
        networks=3, hidden=(64, 64), weight_decay=(1e-5, 1e-5, 1e-5), epochs=40, learning_rate=3e-3
    ),
    planner=PlannerConfig(horizon=20, iterations=3, population=100, elites=15, particles=3),
)


def make_task() -> gymnasium.vector.VectorEnv:
    """One pendulum with torques of [-1, 1] times 2 N m, for episodes that the caller ends."""
    autoreset = {"autoreset_mode": gymnasium.vector.AutoresetMode.DISABLED}
    task = gymnasium.make_vec(
        "Pendulum-v1", num_envs=1, vectorization_mode="sync", vector_kwargs=autoreset
    )
    return RescaleAction(task, -1.0, 1.0)


def cost(observation, action, goal):
    """Angle from upright, angular velocity and torque, squared, as Pendulum-v1 weighs them."""
    angle = jnp.arctan2(observation[..., 1], observation[..., 0])
    velocity, torque = observation[..., 2], 2.0 * action[..., 0]
    return angle**2 + 0.1 * velocity**2 + 0.001 * torque**2


class Log:
    """Prints a line a trial and keeps the returns; a run folder would do more."""

    def __init__(self) -> None:
        self.returns: list[float] = []

    def append(self, row) -> None:
        self.returns.append(row["policy_return"])

    def save(self, state, progress, best) -> None:
        """Nothing: the run is short."""

    def on_step(self, environment_steps) -> None:
        """Nothing: a trial takes seconds."""

    def on_trial(self, row) -> None:
        print(f"trial {row['epoch']}: return {row['policy_return']:.0f}")


def main(config: PETSConfig = CONFIG) -> list[float]:
    """Trains and returns what each trial earned; 0 is best, hanging still earns about -1500."""
    problem, log = PETSProblem(make_task(), cost, horizon=200), Log()
    train_pets(config, problem, create_state(config, problem), PETSProgress(), log, log)
    return log.returns


if __name__ == "__main__":
    main()
