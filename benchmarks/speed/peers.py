"""The peers: gymnasium-robotics' environments and stable-baselines3's DDPG with HER."""

# MuJoCo ships no type stubs for its compiled names, and stable-baselines3 is optional.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false

from __future__ import annotations

import time
from types import SimpleNamespace

import gymnasium
import mujoco
import numpy as np

from benchmarks.speed.measure import HORIZON, PUBLISHED, use_cores

CORES = 2
WARM_UP_CYCLES, TIMED_CYCLES = 3, 10
EPISODES_PER_CYCLE = 8  # of 50 steps: 400 steps for 40 updates, the paper's ratio


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


def measure_stable_baselines3() -> dict[str, float]:
    """Wall-clock steps per second of the peer: same nets, batch and ratio, a process a core."""
    cores = use_cores(CORES)
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
