"""Demonstrations, a clone of them that plans chunks of actions, and a residual on the clone.

    python examples/clone.py            # needs PyTorch: pip install 'rpl[paper,sb3]'

A tuned pusher with noise is recorded, a network of PyTorch is cloned from the record, and a
residual learns what to add to it, with the demonstrations in half of every batch. Prints the
success of the three on the same unseen episodes, and films them side by side.
"""

import argparse
from collections import deque
from itertools import pairwise
from pathlib import Path

import gymnasium
import imageio.v3 as imageio
import numpy as np
import torch

import rpl

CHUNK = 8  # actions planned at once
FIRST_UNSEEN = 10_000  # the seeds of the episodes that count


def make_env(render_mode: str | None = None) -> gymnasium.Env:
    return gymnasium.make("rpl/Push-v0", physics="lean", render_mode=render_mode)


class Demonstrator:
    """A tuned controller whose hand shakes."""

    def __init__(self, layout, shake: float = 0.3) -> None:
        self.controller = rpl.controllers.ReactivePush(layout)
        self.generator, self.shake = np.random.default_rng(0), shake

    def reset(self) -> None: ...

    def __call__(self, observation: dict[str, np.ndarray]) -> np.ndarray:
        (action,) = self.controller({name: part[None] for name, part in observation.items()})
        noise = self.shake * self.generator.standard_normal(len(action))
        return np.clip(action + noise, -1.0, 1.0)


class Network(torch.nn.Module):
    """The next CHUNK actions, of what is observed and where the block should be."""

    def __init__(self, seen: torch.Tensor, action_size: int, width: int = 128) -> None:
        super().__init__()
        self.register_buffer("mean", seen.mean(0))
        self.register_buffer("spread", seen.std(0) + 1e-3)
        sizes = (seen.shape[1], width, width, CHUNK * action_size)
        layers = [layer for n, m in pairwise(sizes)
                  for layer in (torch.nn.Linear(n, m), torch.nn.ReLU())]  # fmt: skip
        self.layers = torch.nn.Sequential(*layers[:-1], torch.nn.Tanh())

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        planned = self.layers((seen - self.mean) / self.spread)
        return planned.unflatten(-1, (CHUNK, -1))


class Clone:
    """Plays each chunk of the network to its end."""

    def __init__(self, network: Network) -> None:
        self.network, self.planned = network, deque()

    def reset(self) -> None:
        self.planned.clear()

    def __call__(self, observation: dict[str, np.ndarray]) -> np.ndarray:
        if not self.planned:
            seen = np.concatenate([observation["observation"], observation["desired_goal"]])
            with torch.no_grad():
                self.planned.extend(self.network(torch.as_tensor(seen).float()).numpy())
        return self.planned.popleft()


def record(path: Path, demonstrator: Demonstrator, count: int) -> None:
    env = make_env()
    with rpl.EpisodeLog(path, env) as log:
        for seed in range(count):
            observation, over = env.reset(seed=seed)[0], False
            log.begin(observation)
            while not over:
                action = demonstrator(observation)
                happened = env.step(action)
                observation, over = happened[0], happened[2] or happened[3]
                log.step(action, *happened)


def clone(path: Path, epochs: int) -> Clone:
    """A network that does as the file's episodes do, by least squares."""
    with np.load(path) as file:
        seen = np.hstack([file["observations/observation"], file["observations/desired_goal"]])
        actions, lengths = file["actions"], file["lengths"]
    episode = np.repeat(np.arange(len(lengths)), lengths)  # of each step
    last = np.cumsum(lengths)[episode] - 1
    ahead = np.minimum(np.arange(len(actions))[:, None] + np.arange(CHUNK), last[:, None])
    inputs = torch.as_tensor(seen[np.arange(len(actions)) + episode]).float()
    targets = torch.as_tensor(actions[ahead]).float()
    torch.manual_seed(0)
    network = Network(inputs, actions.shape[1])
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    for _ in range(epochs):
        for batch in torch.randperm(len(inputs)).split(256):
            loss = torch.nn.functional.mse_loss(network(inputs[batch]), targets[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return Clone(network)


def play(policy, episodes: int, render_mode: str | None = None) -> tuple[list[bool], list]:
    """The success of each episode, and the frames of all."""
    env, reached, frames = make_env(render_mode), [], []
    for seed in range(FIRST_UNSEEN, FIRST_UNSEEN + episodes):
        (observation, info), over = env.reset(seed=seed), False
        policy.reset()
        while not over:
            observation, _, done, out_of_time, info = env.step(policy(observation))
            over = done or out_of_time
            if render_mode:
                frames.append(env.render())
        reached.append(bool(info["is_success"]))
    env.close()
    return reached, frames


parser = argparse.ArgumentParser()
for name, default in (("demonstrations", 100), ("epochs", 30), ("steps", 60_000),
                      ("episodes", 200), ("filmed", 4)):  # fmt: skip
    parser.add_argument(f"--{name}", type=int, default=default)
parser.add_argument("--out", type=Path, default=Path("runs/clone"))

if __name__ == "__main__":
    options = parser.parse_args()
    file = options.out.with_name("demonstrations.npz")
    demonstrator = Demonstrator(make_env().unwrapped.layout)
    record(file, demonstrator, options.demonstrations)
    cloned = clone(file, options.epochs)
    policies = {"demonstrator": demonstrator, "clone": cloned}
    if options.steps:
        policies["clone + residual"] = rpl.improve(
            make_env, cloned, prior=file, steps=options.steps, out=options.out,
            task=rpl.EnvironmentOptions(reward_bounds=(-1.0, 0.0)), overwrite=True,
        )  # fmt: skip
    for name, policy in policies.items():
        reached, _ = play(policy, options.episodes)
        print(f"{name:17s} success {np.mean(reached):.3f} in {len(reached)} episodes")
    if options.filmed:
        films = [play(policy, options.filmed, "rgb_array")[1] for policy in policies.values()]
        beside = np.concatenate(films, axis=2)
        imageio.imwrite(options.out.with_suffix(".mp4"), beside, plugin="FFMPEG", fps=25)
