"""Speeds as ratios within one run: physics, environment, learner, training, beside the peers.

The machine may be shared, so contenders take turns, each keeps its best turn, and what
runs on one thread is timed in CPU seconds of its process. Only ratios are judged.
"""

# MuJoCo ships no type stubs for its compiled names, and stable-baselines3 is optional.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, TypeVar

import gymnasium
import mujoco
import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from rpl.catalog import METHODS, TASKS, make_problem
from rpl.config import Config, LearnerConfig
from rpl.tasks.fetch import FetchTask
from rpl.tasks.fetch_arm import MOVE_PER_ACTION, SUBSTEPS, Physics

REPEATS = 3
SIMULATIONS = 32
HORIZON = 50
CORES = 2  # for training; the other sections use one
WARM_UP_CYCLES, TIMED_CYCLES = 3, 10
EPISODES_PER_CYCLE = 8  # of 50 steps: 400 steps for 40 updates, the paper's ratio
PUBLISHED = {"push": "FetchPush-v4", "pick-and-place": "FetchPickAndPlace-v4"}
PEER_BARS: dict[Physics, float] = {"exact": 1.7, "lean": 3.0}
BARE_BAR, MATMUL_BAR, TRAINING_BAR = 0.9, 0.7, 4.0

Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True)
class Row:
    """One measured number."""

    section: str
    what: str
    rate: float | None
    """In ``unit``; None if it could not be measured here."""
    unit: str
    ratio: float | None = None
    """This rate over that of ``against``."""
    against: str = ""
    bar: float | None = None
    """The least ratio asked for."""
    note: str = ""

    @property
    def passed(self) -> bool | None:
        """Whether the ratio reaches the bar; None where there is nothing to judge."""
        return None if self.bar is None or self.ratio is None else self.ratio >= self.bar


def best_rates(
    contenders: Mapping[Name, Callable[[], float]], repeats: int = REPEATS
) -> dict[Name, float]:
    """Each contender's best rate, with the contenders taking turns."""
    best = dict.fromkeys(contenders, 0.0)
    for _ in range(repeats):
        for name, measure in contenders.items():
            best[name] = max(best[name], measure())
    return best


def run_benchmarks(announce: Callable[[str], None] = lambda section: None) -> list[Row]:
    """Measures everything, in about five minutes on two free cores.

    Args:
        announce: called with the name of each section before it is measured.
    """
    rows: list[Row] = []
    for section, measure in (
        ("environment", environment_rows),
        ("update", update_rows),
        ("training", training_rows),
    ):
        announce(section)
        rows += measure()
    return rows


# The environment, one thread.


def environment_rows(simulations: int = SIMULATIONS, repeats: int = 5) -> list[Row]:
    """Steps per CPU second on the same episodes; resets are left out everywhere."""
    rows: list[Row] = []
    for name, published_id in PUBLISHED.items():
        actions = random_actions(simulations)
        contenders: dict[tuple[str, str], Callable[[], float]] = {
            ("published", ""): lambda id=published_id, a=actions: published_rate(id, a)
        }
        for physics in PEER_BARS:
            options = replace(TASKS[name].options, physics=physics)
            single = FetchTask(1, options, num_threads=1)
            many = FetchTask(simulations, options, num_threads=1)
            contenders[physics, "bare"] = lambda t=many, a=actions: bare_rate(t, a)
            contenders[physics, "single"] = lambda t=single, a=actions: task_rate(t, a)
            contenders[physics, "many"] = lambda t=many, a=actions: task_rate(t, a)
        rows += _environment_table(name, simulations, best_rates(contenders, repeats))
    return rows


def _environment_table(name: str, simulations: int, best: dict[tuple[str, str], float]):
    section, unit, peer = f"environment, {name}", "steps/s/core", "gymnasium-robotics"
    forward = " and the task's mj_forward" if TASKS[name].options.gripper_locked else ""
    published = best["published", ""]
    yield Row(section, f"{peer} {PUBLISHED[name]}", published, unit)
    for physics, bar in PEER_BARS.items():
        bare, single, many = (best[physics, kind] for kind in ("bare", "single", "many"))
        loop = f"bare mj_step{forward}, {physics}"
        yield Row(section, loop, bare, unit, bare / published, peer)
        yield Row(section, f"1 simulation, {physics}", single, unit, single / published, peer)
        label = f"{simulations} simulations, {physics}"
        yield Row(section, label, many, unit, many / published, peer, bar)
        yield Row(section, label, many, unit, many / bare, "the bare loop", BARE_BAR)


def random_actions(simulations: int) -> np.ndarray:
    """(simulations, T, 4) float32 in [-1, 1], the same in every run."""
    shape = (simulations, HORIZON, 4)
    return np.random.default_rng(0).uniform(-1.0, 1.0, shape).astype(np.float32)


def task_rate(task: FetchTask, actions: np.ndarray) -> float:
    """Steps per CPU second of our environment over the episodes of the actions."""
    seconds = 0.0
    for first in range(0, len(actions), task.num_envs):
        task.reset(seed=first)
        started = time.process_time()
        for t in range(HORIZON):
            task.step(actions[first : first + task.num_envs, t])
        seconds += time.process_time() - started
    return actions.shape[0] * HORIZON / seconds


def bare_rate(task: FetchTask, actions: np.ndarray) -> float:
    """Steps per CPU second of :func:`bare_episode`."""
    task.reset(seed=0)
    starts = bare_starts(task)
    started = time.process_time()
    for data, episode in zip(starts, actions, strict=True):
        bare_episode(task, data, episode)
    return actions.shape[0] * HORIZON / (time.process_time() - started)


def bare_starts(task: FetchTask) -> list[mujoco.MjData]:
    """The states of the task's simulations, with the positions that the first action needs."""
    starts = [task.batch.get_data(i) for i in range(task.num_envs)]
    for data in starts:
        mujoco.mj_kinematics(task.model, data)
    return starts


def bare_episode(task: FetchTask, data: mujoco.MjData, actions: np.ndarray) -> None:
    """A task's episode by ``mj_step`` alone: actions (T, 4) applied, nothing observed or judged.

    Where the fingers are locked the published environment calls ``mj_forward`` after each
    step. That is part of the task's physics, hence of the bare loop.
    """
    model, gripper = task.model, task._gripper_body
    locked, fingers, actuated = (
        task.gripper_locked,
        task._finger_qpos,
        task._actuated_qpos,
    )
    for action in actions:
        data.mocap_pos[0] = data.xpos[gripper] + MOVE_PER_ACTION * action[:3]
        data.mocap_quat[0] = data.xquat[gripper] + (1.0, 0.0, 1.0, 0.0)
        if not locked:
            data.ctrl[:] = data.qpos[actuated] + action[3]
        mujoco.mj_step(model, data, nstep=SUBSTEPS)
        if locked:
            data.qpos[fingers] = 0.0
            mujoco.mj_forward(model, data)


def published_rate(environment_id: str, actions: np.ndarray) -> float:
    """Steps per CPU second of gymnasium-robotics' environment, without Gymnasium's wrappers."""
    environment = published_environment(environment_id)
    seconds = 0.0
    for seed, episode in enumerate(actions):
        environment.reset(seed=seed)
        started = time.process_time()
        for action in episode:
            environment.step(action)
        seconds += time.process_time() - started
    environment.close()
    return actions.shape[0] * HORIZON / seconds


def published_environment(environment_id: str) -> gymnasium.Env:
    """A Fetch environment of gymnasium-robotics, made to start under today's MuJoCo.

    Its helpers compare MuJoCo's enums with NumPy integers, which are unequal since MuJoCo
    3.12; plain integers in that one module repair it.
    """
    import gymnasium_robotics
    from gymnasium_robotics.utils import mujoco_utils

    plain = {
        name: SimpleNamespace(
            **{key: int(value) for key, value in getattr(mujoco, name).__members__.items()}
        )
        for name in ("mjtEq", "mjtJoint")
    }
    mujoco_utils.mujoco = SimpleNamespace(**{**vars(mujoco), **plain})
    gymnasium.register_envs(gymnasium_robotics)
    return gymnasium.make(environment_id).unwrapped


# The learner, one thread.


def update_rows(repeats: int = REPEATS) -> list[Row]:
    """The compiled update against the core's matmul peak, by the FLOPs both must do."""
    flags = os.environ.get("XLA_FLAGS", "") + " --xla_cpu_multi_thread_eigen=false"
    environment = {"XLA_FLAGS": flags, "OPENBLAS_NUM_THREADS": "1"}
    best = _in_new_process("update", str(repeats), **environment)
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
    _use_cores(1)
    import jax
    import jax.numpy as jnp

    from rpl.learner import ddpg

    config = LearnerConfig()
    generator = np.random.default_rng(0)

    def normal(*shape: int) -> jax.Array:
        return jnp.asarray(generator.standard_normal(shape, np.float32))

    wide, width, chain = normal(1024, 1024), config.hidden[0], 200
    weight = normal(width, width) / width**0.5
    square = jax.jit(lambda x: x @ x)
    layers = jax.jit(lambda x, w: jax.lax.fori_loop(0, chain, lambda i, y: y @ w, x))
    state = ddpg.create(jax.random.key(0), 25, 3, 4, config)
    flops = config.updates_per_cycle * update_flops(config, 25, 3, 4)

    def run_update() -> float:
        nonlocal state
        lead = (config.updates_per_cycle, config.batch_size)
        reward, alive = -jnp.ones(lead), jnp.zeros(lead)
        batches = ddpg.Batch(
            normal(*lead, 25), normal(*lead, 3), normal(*lead, 4), reward, normal(*lead, 25), alive
        )
        jax.block_until_ready(batches)
        started = time.process_time()
        state, _ = ddpg.update(config, state, batches, 0.98, (-50.0, 0.0), True)
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


# Training, two cores.


def training_rows(repeats: int = REPEATS) -> list[Row]:
    """Steps per second of whole training, DDPG and HER on push from scratch, beside the peer."""
    contenders: dict[str, Callable[[], float]] = {
        physics: lambda p=physics: _in_new_process("training", p)["rate"] for physics in PEER_BARS
    }
    peer, note = "stable-baselines3", ""
    if all(importlib.util.find_spec(name) for name in ("stable_baselines3", "torch")):
        contenders[peer] = lambda: _in_new_process("stable-baselines3")["rate"]
    else:
        note = "not installed: pip install 'rpl[sb3]'"
    best = best_rates(contenders, repeats)
    section, unit = f"training, 40 updates per 400 steps, {CORES} cores", "steps/s"
    rows = [Row(section, f"{peer} DDPG + HerReplayBuffer", best.get(peer), unit, note=note)]
    for physics in PEER_BARS:
        ratio = best[physics] / best[peer] if peer in best else None
        bar = TRAINING_BAR if physics == "exact" else None
        rows.append(Row(section, f"rpl, {physics}", best[physics], unit, ratio, peer, bar))
    return rows


def measure_training(physics: Physics) -> dict[str, float]:
    """Wall-clock steps per second of our loop, evaluations aside."""
    cores = _use_cores(CORES)
    import jax

    from rpl.learner import ddpg
    from rpl.learner.replay import Replay
    from rpl.train import Progress, run_cycle

    config = METHODS["scratch"].configure(
        Config(episodes_per_cycle=EPISODES_PER_CYCLE, evaluation_episodes=1, num_threads=cores)
    )
    options = replace(TASKS["push"].options, physics=physics)
    problem = make_problem("push", "scratch", config, options)
    state = ddpg.create(jax.random.key(0), *problem.sizes, config.learner)
    replay, progress = Replay(20_000, HORIZON, *problem.sizes), Progress()
    started = 0.0
    for cycle in range(WARM_UP_CYCLES + TIMED_CYCLES):
        if cycle == WARM_UP_CYCLES:
            started = time.perf_counter()
        state, _, _ = run_cycle(config, problem, state, replay, progress)
    steps = TIMED_CYCLES * EPISODES_PER_CYCLE * HORIZON
    return {"rate": steps / (time.perf_counter() - started)}


def measure_stable_baselines3() -> dict[str, float]:
    """Wall-clock steps per second of the peer: same nets, batch and ratio, a process a core."""
    cores = _use_cores(CORES)
    import torch
    from stable_baselines3 import DDPG, HerReplayBuffer
    from stable_baselines3.common.noise import NormalActionNoise
    from stable_baselines3.common.vec_env import SubprocVecEnv

    torch.set_num_threads(cores)
    steps = EPISODES_PER_CYCLE * HORIZON
    model = DDPG(
        "MultiInputPolicy",
        SubprocVecEnv([published_push] * cores),
        learning_rate=1e-3,
        buffer_size=1_000_000,
        learning_starts=steps,
        batch_size=256,
        tau=0.05,
        gamma=0.98,
        train_freq=(steps // cores, "step"),
        gradient_steps=40,
        action_noise=NormalActionNoise(np.zeros(4), 0.2 * np.ones(4)),
        replay_buffer_class=HerReplayBuffer,
        replay_buffer_kwargs={"n_sampled_goal": 4, "goal_selection_strategy": "future"},
        policy_kwargs={"net_arch": [256, 256, 256]},
        seed=0,
        device="cpu",
    )
    model.learn(WARM_UP_CYCLES * steps)
    started = time.perf_counter()
    model.learn(TIMED_CYCLES * steps, reset_num_timesteps=False)
    return {"rate": TIMED_CYCLES * steps / (time.perf_counter() - started)}


def published_push() -> gymnasium.Env:
    """The peer's environment: the published push with its time limit."""
    return gymnasium.wrappers.TimeLimit(published_environment(PUBLISHED["push"]), HORIZON)


# Processes of their own: thread counts and flags take effect before anything is loaded.


def _in_new_process(measure: str, *arguments: str, **environment: str) -> dict[str, float]:
    command = [sys.executable, "-m", "rpl.bench", measure, *arguments]
    done = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"`{' '.join(command[1:])}` failed: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout.splitlines()[-1])


def _use_cores(count: int) -> int:
    """Restricts this process to ``count`` cores where the system can; returns how many it has."""
    if not hasattr(os, "sched_setaffinity"):
        return min(count, os.cpu_count() or 1)
    cores = sorted(os.sched_getaffinity(0))[-count:]
    os.sched_setaffinity(0, cores)
    return len(cores)


# Printing.


def main() -> int:
    """Measures and prints a table; ``rpl bench``."""
    console = Console()
    with console.status("") as status:
        rows = run_benchmarks(lambda section: status.update(f"measuring: {section}"))
    console.print(table(rows))
    return 0


def table(rows: list[Row]) -> Table:
    """The rows for a terminal, a block a section."""
    result = Table(title="Best of several turns; ratios within this run are what counts")
    for column in ("", "rate", "unit", "ratio", "to", "bar", ""):
        result.add_column(column, justify="right" if column in ("rate", "ratio", "bar") else "left")
    verdicts = {None: Text(""), True: Text("pass", "green"), False: Text("fail", "bold red")}
    section = ""
    for row in rows:
        if row.section != section:
            section = row.section
            result.add_section()
            result.add_row(Text(section, "bold"))
        result.add_row(
            Text("  " + row.what),
            "-" if row.rate is None else f"{row.rate:,.0f}",
            row.unit,
            "" if row.ratio is None else f"{row.ratio:.2f}",
            row.against if row.ratio is not None else "",
            "" if row.bar is None else f"{row.bar:g}",
            Text(row.note) if row.note else verdicts[row.passed],
        )
    return result


MEASURES: dict[str, Callable[..., Any]] = {
    "update": lambda repeats: measure_update(int(repeats)),
    "training": measure_training,
    "stable-baselines3": measure_stable_baselines3,
}

if __name__ == "__main__":
    print(json.dumps(MEASURES[sys.argv[1]](*sys.argv[2:])))
