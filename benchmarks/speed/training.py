"""Whole training beside the peer, on two cores."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from dataclasses import replace

from benchmarks.speed.measure import (
    HORIZON,
    PEER_BARS,
    REPEATS,
    Row,
    best_rates,
    in_new_process,
    use_cores,
)
from benchmarks.speed.peers import CORES, EPISODES_PER_CYCLE, TIMED_CYCLES, WARM_UP_CYCLES
from rpl.config import Config
from rpl.registry.builtin import make_problem
from rpl.registry.catalog import METHODS, TASKS
from rpl.tasks.fetch.options import Physics

TRAINING_BAR = 4.0


def training_rows(repeats: int = REPEATS) -> list[Row]:
    """Steps per second of whole training, DDPG and HER on push from scratch, beside the peer."""
    contenders: dict[str, Callable[[], float]] = {
        physics: lambda p=physics: in_new_process("training", p)["rate"] for physics in PEER_BARS
    }
    peer, note = "stable-baselines3", ""
    if all(importlib.util.find_spec(name) for name in ("stable_baselines3", "torch")):
        contenders[peer] = lambda: in_new_process("stable-baselines3")["rate"]
    else:
        note = "not installed: pip install -e '.[sb3]'"
    best = best_rates(contenders, repeats)
    section, unit = f"training, 40 updates per 400 steps, {CORES} cores", "steps/s"
    rows = [Row(section, peer, best.get(peer), unit, note=note)]
    for physics in PEER_BARS:
        ratio = best[physics] / best[peer] if peer in best else None
        bar = TRAINING_BAR if physics == "exact" else None
        rows.append(Row(section, f"rpl, {physics}", best[physics], unit, ratio, peer, bar))
    return rows


def measure_training(physics: Physics) -> dict[str, float]:
    """Wall-clock steps per second of our loop, evaluations aside."""
    cores = use_cores(CORES)

    from rpl.replay.buffer import Replay
    from rpl.runs.session import new_learner
    from rpl.training.loop import run_cycle
    from rpl.training.progress import Progress

    config = METHODS["scratch"].configure(
        Config(episodes_per_cycle=EPISODES_PER_CYCLE, evaluation_episodes=1, num_threads=cores)
    )
    options = replace(TASKS["push"].options, physics=physics)
    problem = make_problem("push", "scratch", config, options)
    state, progress = new_learner(config, problem), Progress()
    replay = Replay(20_000, HORIZON, problem.seen, problem.action_size)
    started = 0.0
    for cycle in range(WARM_UP_CYCLES + TIMED_CYCLES):
        if cycle == WARM_UP_CYCLES:
            started = time.perf_counter()
        state, _, _ = run_cycle(config, problem, state, replay, progress)
    steps = TIMED_CYCLES * EPISODES_PER_CYCLE * HORIZON
    return {"rate": steps / (time.perf_counter() - started)}
