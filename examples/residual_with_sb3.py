"""RPL with stable-baselines3: TD3 and hindsight learn what to add to a controller.

What the paper asks of a learner (section IV): its actor starts at zero, so that the policy
starts as its controller, and for a while only the critic learns.
"""

import argparse

import gymnasium
import numpy as np
import torch
from stable_baselines3 import TD3, HerReplayBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.noise import NormalActionNoise

import rpl


class BurnIn(BaseCallback):
    def _on_step(self) -> bool:
        self.model.actor.requires_grad_(self.num_timesteps > options.burn_in)
        return True


def make_learner(environment: gymnasium.Env) -> TD3:
    noise = NormalActionNoise(np.zeros(4), np.full(4, 0.1))
    model = TD3("MultiInputPolicy", environment, learning_rate=3e-4, gamma=0.98, tau=0.01,
                train_freq=400, gradient_steps=80, learning_starts=400, batch_size=256,
                action_noise=noise, replay_buffer_class=HerReplayBuffer, seed=0,
                policy_kwargs={"net_arch": [256, 256, 256]})  # fmt: skip
    for actor in (model.actor, model.actor_target):
        for parameter in actor.mu[-2].parameters():  # the last layer before the tanh
            torch.nn.init.zeros_(parameter)
    return model


def success_rate(environment: gymnasium.Env, policy) -> float:
    reached = []
    for seed in range(10_000, 10_000 + options.episodes):
        (observation, info), ended = environment.reset(seed=seed), False
        while not ended:
            observation, _, done, out_of_time, info = environment.step(policy(observation))
            ended = done or out_of_time
        reached.append(info["is_success"])
    return float(np.mean(reached))


parser = argparse.ArgumentParser()
for name, default in (("--steps", 60_000), ("--burn-in", 20_000), ("--episodes", 100)):
    parser.add_argument(name, type=int, default=default)
options = parser.parse_args()
task = gymnasium.make("rpl/SlipperyPush-v0", physics="lean")
controller = rpl.controllers.ReactivePush(task.unwrapped.layout)
environment = rpl.ResidualWrapper(task, controller, scale=0.5)
model = make_learner(environment)
print("controller:", success_rate(environment, lambda _: np.zeros(4, np.float32)))
model.learn(options.steps, callback=BurnIn())
learned = success_rate(environment, lambda o: model.predict(o, deterministic=True)[0])
print("with residual:", learned)
