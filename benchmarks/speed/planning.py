"""A planner's action against the core's matmul peak, and a cache of it against the planner."""

from __future__ import annotations

import itertools
import os
import time

import numpy as np

from benchmarks.speed.measure import REPEATS, Row, best_rates, in_new_process, use_cores
from rpl.pets.dynamics import ModelConfig
from rpl.pets.planner import SMALL, PlannerConfig

PLAN_BAR, CACHE_BAR = 0.5, 100.0
OBSERVATION_SIZE, ACTION_SIZE, GOAL_SIZE = 20, 7, 3


def planning_rows(repeats: int = REPEATS) -> list[Row]:
    """One action of PETS (small) on mbrl-pusher, by the FLOPs of its network rows."""
    flags = os.environ.get("XLA_FLAGS", "") + " --xla_cpu_multi_thread_eigen=false"
    environment = {"XLA_FLAGS": flags, "OPENBLAS_NUM_THREADS": "1"}
    best = in_new_process("planning", str(repeats), **environment)
    flops = plan_flops(SMALL, ModelConfig()) / 1e9
    section, unit = "planning, small, one thread", "GFLOP/s"
    acting = "actions on mbrl-pusher, one thread"
    peak, plan, cache = best["matmul"], best["plan"], best["cache"]
    return [
        Row(section, "matmul, 1024 x 1024", peak, unit),
        Row(section, "one action's network rows", plan, unit, plan / peak, "matmul", PLAN_BAR),
        Row(acting, "planned (pets)", plan / flops, "actions/s"),
        Row(
            acting, "cached (cached-pets)", cache, "actions/s", cache * flops / plan, "planned",
            CACHE_BAR,
        ),
    ]  # fmt: skip


def plan_flops(planner: PlannerConfig, model: ModelConfig) -> int:
    """Floating-point operations of the matrix products of one planned action."""
    rows = planner.iterations * planner.population * planner.particles * planner.horizon
    sizes = (OBSERVATION_SIZE + ACTION_SIZE, *model.hidden, 2 * OBSERVATION_SIZE)
    return rows * sum(2 * a * b for a, b in itertools.pairwise(sizes))


def measure_planning(repeats: int) -> dict[str, float]:
    """GFLOP/s of a large product and of a plan; actions a second of the packaged cache."""
    use_cores(1)
    import jax
    import jax.numpy as jnp

    from rpl.controllers.cached import CachedPETS
    from rpl.pets import dynamics
    from rpl.pets.planner import PETS
    from rpl.tasks.pusher.task import PusherTask

    task, cached = PusherTask(1, num_threads=1), CachedPETS()
    model = dynamics.create(jax.random.key(0), OBSERVATION_SIZE, ACTION_SIZE, ModelConfig())

    def cost(observation, action, goal):
        return -task.predicted_reward(observation, action, goal)

    pets = PETS(model.ensemble, cost, ACTION_SIZE, SMALL)
    seen, _ = task.reset(seed=0)
    wide = jnp.asarray(np.random.default_rng(0).standard_normal((1024, 1024), np.float32))
    square = jax.jit(lambda x: x @ x)

    def seconds(function, times: int = 1) -> float:
        started = time.process_time()
        for _ in range(times):
            jax.block_until_ready(function())
        return (time.process_time() - started) / times

    contenders = {
        "matmul": lambda: 2 * 1024**3 / seconds(lambda: square(wide)) / 1e9,
        "plan": lambda: plan_flops(SMALL, ModelConfig()) / seconds(lambda: pets(seen)) / 1e9,
        "cache": lambda: 1 / seconds(lambda: cached(seen), 200),
    }
    best_rates(contenders, 1)  # compiles
    return best_rates(contenders, 3 * repeats)
