"""What complex-hook costs: lean physics against exact ones, and drawing an episode's scene.

Everything is processor time on one core of whole episodes under ReactiveHook; the two
kinds of physics take turns, and each keeps its best turn. Usage:

    python benchmarks/hook_physics.py [--episodes 32] [--turns 4]
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

from rpl.controllers.contract import controller_action
from rpl.controllers.hook import ReactiveHook
from rpl.tasks import COMPLEX_HOOK, HookTask


def episode_costs(task: HookTask, seed: int) -> tuple[float, float, float]:
    """Processor seconds of resetting, of the physics alone, and of all steps."""
    controller = ReactiveHook(task.layout)
    physics = 0.0
    step = task.batch.step

    def timed(*arguments, **keywords) -> None:
        nonlocal physics
        before = time.process_time()
        step(*arguments, **keywords)
        physics += time.process_time() - before

    begin = time.process_time()
    seen, _ = task.reset(seed=seed)
    started = time.process_time()
    task.batch.step = timed
    for _ in range(task.max_episode_steps):
        action = controller_action(controller, seen, (task.num_envs, 4), clip=True)
        seen, *_ = task.step(action)
    task.batch.step = step
    return started - begin, physics, time.process_time() - started


def main() -> None:
    """Prints one line per figure."""
    parser = argparse.ArgumentParser(description="What complex-hook costs.")
    parser.add_argument("--episodes", type=int, default=32, help="simulations side by side")
    parser.add_argument("--turns", type=int, default=4)
    options = parser.parse_args()
    tasks = {
        physics: HookTask(options.episodes, replace(COMPLEX_HOOK, physics=physics), num_threads=1)
        for physics in ("exact", "lean")
    }
    best = dict.fromkeys(tasks, (float("inf"),) * 3)
    for turn in range(options.turns):
        for name, task in tasks.items():
            costs = episode_costs(task, 1000 * turn)
            best[name] = tuple(map(min, zip(best[name], costs, strict=True)))  # type: ignore[assignment]
    steps = options.episodes * 100
    for name, (reset, physics, all_steps) in best.items():
        print(
            f"{name}: physics {1e3 * physics / steps:.3f} ms a step, environment "
            f"{1e3 * all_steps / steps:.3f} ms, reset {reset / all_steps:.2%} of an episode"
        )
    print(f"lean over exact, physics: {best['exact'][1] / best['lean'][1]:.2f}x")
    print(f"lean over exact, environment: {best['exact'][2] / best['lean'][2]:.2f}x")


if __name__ == "__main__":
    main()
