"""Gymnasium's lunar lander with the heuristic that ships with it.

It needs Box2D: pip install 'gymnasium[box2d]'. The heuristic is a function of the environment
and an observation, and is used as it is. It lands nearly always: what is left to gain is some
fuel, about one point of return in 283, and a careless residual loses more than that in a rare
crash. Hence the small scale, the long view and the small steps; rewards are divided by ten,
since the critic's step size is made for rewards of about 1.

    rpl train examples.lunar_lander:make_env \\
        --controller gymnasium.envs.box2d.lunar_lander:heuristic --learner td3 --steps 200000 \\
        --learner.hidden 64 64 --residual.scale 0.3 --learner.discount 0.995 \\
        --replay.n-step 5 --burn-in.minimum-steps 20000 --evaluation-episodes 100 \\
        --cycles-per-epoch 15 --learner.no-action-l2-by-error --learner.action-l2 0.1 \\
        --out runs/lander
    rpl eval runs/lander --episodes 1000
"""

from __future__ import annotations

import gymnasium

UNIT = 10.0  # of the rewards


def make_env(**options) -> gymnasium.Env:
    """The lander with rewards in units of ten."""
    env = gymnasium.make("LunarLanderContinuous-v3", **options)
    return gymnasium.wrappers.TransformReward(env, lambda reward: reward / UNIT)


if __name__ == "__main__":
    from gymnasium.envs.box2d.lunar_lander import heuristic

    import rpl

    rpl.improve(make_env, heuristic, learner="td3", scale=0.3, steps=200_000)
