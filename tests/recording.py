"""Files of episodes, recorded as a user would."""

from pathlib import Path

import gymnasium
import numpy as np

import rpl


def record(
    path: Path, env: gymnasium.Env, controller, seeds=range(4), noise: float = 0.0, base=None
) -> Path:
    """Episodes of a controller of one observation with noise, in the environment's units."""
    generator = np.random.default_rng(0)
    low, high = env.action_space.low, env.action_space.high
    with rpl.EpisodeLog(path, env) as log:
        for seed in seeds:
            observation, _ = env.reset(seed=seed)
            log.begin(observation, base and base(observation))
            over = False
            while not over:
                action = np.asarray(controller(observation), np.float64)
                action = action + noise * generator.standard_normal(action.shape)
                action = np.clip(action, low, high).astype(np.float32)
                happened = env.step(action)
                observation, over = happened[0], happened[2] or happened[3]
                log.step(action, *happened, base_action=base and base(observation))
    return path
