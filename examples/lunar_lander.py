"""Gymnasium's lunar lander with the heuristic that ships with it.

It needs Box2D: pip install 'gymnasium[box2d]'. The heuristic is a function of the environment
and an observation, and is used as it is. It lands nearly always, and no setting tried so far
improves on it (results/own/README.md): a controller that leaves little to gain.

    rpl train LunarLanderContinuous-v3 --controller gymnasium.envs.box2d.lunar_lander:heuristic \\
        --learner td3 --steps 100000 --learner.hidden 64 64
    rpl eval runs/LunarLanderContinuous-v3-rpl-td3-seed0
"""

from __future__ import annotations

if __name__ == "__main__":
    from gymnasium.envs.box2d.lunar_lander import heuristic

    import rpl

    rpl.improve("LunarLanderContinuous-v3", heuristic, learner="td3", steps=100_000)
