"""The compiled update against the core's matmul peak, on one thread."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable

import numpy as np

from benchmarks.speed.measure import REPEATS, Row, best_rates, in_new_process, use_cores
from rpl.config import LearnerConfig

MATMUL_BAR = 0.7


def update_rows(repeats: int = REPEATS) -> list[Row]:
    """The compiled update against the core's matmul peak, by the FLOPs both must do."""
    flags = os.environ.get("XLA_FLAGS", "") + " --xla_cpu_multi_thread_eigen=false"
    environment = {"XLA_FLAGS": flags, "OPENBLAS_NUM_THREADS": "1"}
    best = in_new_process("update", str(repeats), **environment)
    section, unit = "update of 256, 3 x 256 nets, one thread", "GFLOP/s"
    peak, shapes, update = best["large"], best["same shapes"], best["update"]
    per_second = update * 1e9 / update_flops(LearnerConfig(), 25, 3, 4)
    return [
        Row(section, "matmul, 1024 x 1024", peak, unit),
        Row(section, "matmul, the nets' shapes", shapes, unit, shapes / peak, "matmul 1024"),
        Row(section, f"update ({per_second:.0f}/s)", update, unit, update / shapes, "same shapes"),
        Row(section, "update", update, unit, update / peak, "matmul 1024", MATMUL_BAR),
    ]


def update_flops(
    config: LearnerConfig, observation_size: int, goal_size: int, action_size: int
) -> int:
    """Floating-point operations that the matrix products of one gradient step need.

    A network's forward pass counts once; the gradient of its weights once more; that of
    its activations likewise, without the first layer where its input needs no gradient.
    """
    state_size = observation_size + goal_size
    actor = _product_flops((state_size, *config.hidden, action_size), config.batch_size)
    critic = _product_flops((state_size + action_size, *config.hidden, 1), config.batch_size)
    through_action = 2 * config.batch_size * action_size * config.hidden[0]
    target = sum(actor) + sum(critic)
    critic_step = 3 * sum(critic) - critic[0]
    actor_step = 3 * sum(actor) - actor[0] + 2 * sum(critic) - critic[0] + through_action
    return target + critic_step + actor_step


def _product_flops(sizes: tuple[int, ...], batch: int) -> list[int]:
    return [2 * batch * a * b for a, b in itertools.pairwise(sizes)]


def measure_update(repeats: int) -> dict[str, float]:
    """GFLOP/s of large products, of products in the nets' shapes, and of the update."""
    use_cores(1)
    import jax
    import jax.numpy as jnp

    from rpl import learner

    config = LearnerConfig()
    generator = np.random.default_rng(0)

    def normal(*shape: int) -> jax.Array:
        return jnp.asarray(generator.standard_normal(shape, np.float32))

    wide, width, chain = normal(1024, 1024), config.hidden[0], 200
    weight = normal(width, width) / width**0.5
    square = jax.jit(lambda x: x @ x)
    layers = jax.jit(lambda x, w: jax.lax.fori_loop(0, chain, lambda i, y: y @ w, x))
    state = learner.create(jax.random.key(0), {"observation": 25, "desired_goal": 3}, 4, config)
    setting = learner.Setting(0.98, (-50.0, 0.0))
    flops = config.updates_per_cycle * update_flops(config, 25, 3, 4)

    def run_update() -> float:
        nonlocal state
        lead = (config.updates_per_cycle, config.batch_size)
        batches = learner.Batch(
            observation={"observation": normal(*lead, 25), "desired_goal": normal(*lead, 3)},
            base_action=None,
            action=normal(*lead, 4),
            reward=-jnp.ones(lead),
            next_observation={"observation": normal(*lead, 25), "desired_goal": normal(*lead, 3)},
            next_base_action=None,
            terminated=jnp.zeros(lead),
            discount=jnp.full(lead, 0.98),
        )
        jax.block_until_ready(batches)
        started = time.process_time()
        state, _ = learner.update(config, state, batches, setting, True, jax.random.key(0))
        jax.block_until_ready(state)
        return flops / (time.process_time() - started) / 1e9

    def products(function: Callable[[], jax.Array], count: int) -> float:
        started = time.process_time()
        jax.block_until_ready(function())
        return count / (time.process_time() - started) / 1e9

    contenders = {
        "large": lambda: products(lambda: square(wide), 2 * 1024**3),
        "same shapes": lambda: products(
            lambda: layers(normal(config.batch_size, width), weight),
            chain * 2 * config.batch_size * width**2,
        ),
        "update": run_update,
    }
    best_rates(contenders, 1)  # compiles
    return best_rates(contenders, 3 * repeats)
