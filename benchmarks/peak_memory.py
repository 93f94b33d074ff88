"""Peak memory of a run with a million transitions: `python benchmarks/peak_memory.py`.

Fills the replay of a run folder through ``Replay.store`` with synthetic episodes, then runs
real cycles of collecting and updating on it, and reads the process' largest resident set,
the pages of the memory-mapped replay included.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
from pathlib import Path

import numpy as np

from rpl.config import Config
from rpl.observations import Seen
from rpl.presets import PRESETS
from rpl.problem import Problem
from rpl.registry.builtin import make_problem
from rpl.replay.buffer import Replay
from rpl.replay.episodes import Episodes
from rpl.runs.session import new_learner
from rpl.training.loop import run_cycle
from rpl.training.progress import Progress

BAR_GIGABYTES = 3.0
EPISODES_AT_ONCE = 500


def synthetic_episodes(problem: Problem, count: int, generator: np.random.Generator) -> Episodes:
    """Whole episodes of noise in the problem's shapes."""
    action_size, horizon = problem.action_size, problem.horizon
    sizes = Seen.of(problem.task.single_observation_space).sizes

    def normal(*shape: int) -> np.ndarray:
        return generator.standard_normal(shape, np.float32)

    return Episodes(
        observation={name: normal(count, horizon + 1, size) for name, size in sizes.items()},
        achieved_goal=normal(count, horizon + 1, problem.seen.goal_size),
        base_action=np.tanh(normal(count, horizon + 1, action_size)),
        action=np.tanh(normal(count, horizon, action_size)),
        reward=-np.ones((count, horizon), np.float32),
        length=np.full(count, horizon, np.int32),
        terminated=np.zeros(count, bool),
        success=np.zeros(count, bool),
        index=np.arange(count),
    )


def run(config: Config, cycles: int) -> float:
    """Fills the replay, trains for some cycles; returns the peak in gigabytes (1e9 bytes)."""
    problem = make_problem("slippery-push", "rpl", config)
    capacity = config.replay.capacity // problem.horizon
    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        size = problem.action_size
        replay = Replay(capacity, problem.horizon, problem.seen, size, size, folder=Path(folder))
        while replay.stored < capacity:
            replay.store(synthetic_episodes(problem, EPISODES_AT_ONCE, generator))
        state = new_learner(config, problem)
        progress = Progress()
        for _ in range(cycles):
            state, _, _ = run_cycle(config, problem, state, replay, progress)
        print(f"{len(replay) * problem.horizon:,} transitions, {cycles} cycles")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e9


def main() -> int:
    """Prints the peak; the exit code is 1 above the bar."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", choices=sorted(PRESETS), default="fast")
    parser.add_argument("--cycles", type=int, default=5)
    arguments = parser.parse_args()
    peak = run(PRESETS[arguments.preset].config, arguments.cycles)
    verdict = "pass" if peak < BAR_GIGABYTES else "fail"
    print(f"peak memory {peak:.2f} GB, bar {BAR_GIGABYTES:g} GB: {verdict}")
    return 0 if verdict == "pass" else 1


if __name__ == "__main__":
    sys.exit(main())
