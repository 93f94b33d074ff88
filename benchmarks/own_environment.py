"""What GymnasiumTask costs over stepping the same environments in a plain loop.

    python benchmarks/own_environment.py [--rounds 7]

The plain loop does what any learner needs: it steps each environment with its own action and
puts observations, rewards and flags into arrays. Both take the same actions and the same
seeds, in turns; times are of the processor, so that others' work counts little, and the ratio
is of the medians; at most 1.15 is wanted.
"""

from __future__ import annotations

import argparse
import time

import gymnasium
import numpy as np

from rpl.tasks.gym.task import GymnasiumTask

NAMES = {"Pendulum-v1": 200, "LunarLanderContinuous-v3": 60, "MountainCarContinuous-v0": 200}
NUM_ENVS = 8


def plain(envs: list[gymnasium.Env], actions: np.ndarray) -> float:
    """Seconds for one episode of each environment in a plain loop."""
    count = len(envs)
    shape = envs[0].observation_space.shape or ()
    for i, env in enumerate(envs):
        env.reset(seed=i)
    started = time.process_time()
    for t in range(len(actions)):
        observation = np.zeros((count, *shape), np.float32)
        reward = np.zeros(count)
        terminated, truncated = np.zeros(count, bool), np.zeros(count, bool)
        for i, env in enumerate(envs):
            observation[i], reward[i], terminated[i], truncated[i], _ = env.step(actions[t, i])
    return time.process_time() - started


def task_time(task: GymnasiumTask, actions: np.ndarray) -> float:
    """Seconds for the same episodes in the task, which gets actions in [-1, 1]."""
    task.reset(seed=0)
    unit = task.to_unit(actions)
    started = time.process_time()
    for t in range(len(actions)):
        task.step(unit[t])
    return time.process_time() - started


def measure(name: str, steps: int, rounds: int) -> tuple[float, float]:
    """Median microseconds a step of one environment: in the plain loop, in the task."""

    def make() -> gymnasium.Env:
        return gymnasium.make(name, disable_env_checker=True)

    envs = [make() for _ in range(NUM_ENVS)]
    task = GymnasiumTask(make, NUM_ENVS)
    generator = np.random.default_rng(0)
    # Small actions: no episode ends within the steps, so both do the same work.
    unit = generator.uniform(-0.1, 0.1, (steps, NUM_ENVS, *task.single_action_space.shape))  # type: ignore[misc]
    actions = task.from_unit(unit)
    times = [(plain(envs, actions), task_time(task, actions)) for _ in range(rounds)]
    return tuple(np.median(times, axis=0) * 1e6 / (steps * NUM_ENVS))  # type: ignore[return-value]


def main() -> None:
    """Prints a line an environment."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="how often each is measured")
    rounds = parser.parse_args().rounds
    print(
        f"{'environment':28}{'plain loop':>12}{'task':>10}{'ratio':>8}   us a step, {NUM_ENVS} envs"
    )
    for name, steps in NAMES.items():
        loop, task = measure(name, steps, rounds)
        print(f"{name:28}{loop:12.1f}{task:10.1f}{task / loop:8.2f}")


if __name__ == "__main__":
    main()
