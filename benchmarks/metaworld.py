"""The ten tasks of Meta-World's MT10 with its scripted policies, each made imperfect in one way.

Needs an environment of its own, since Meta-World pins another MuJoCo than the paper's tasks use:

    pip install metaworld && pip install -e '.[tune]'
    rpl train benchmarks.metaworld:make_env --task.kwargs name=push-v3 \\
        --controller 'benchmarks.metaworld:Imperfect(name="push-v3", noise=0.5)'
    python -m benchmarks.pairs benchmarks.metaworld --tune      # all ten, and the table
"""

from __future__ import annotations

from collections import deque
from typing import Annotated, Any

import gymnasium
import numpy as np
from metaworld.env_dict import ALL_V3_ENVIRONMENTS_GOAL_OBSERVABLE
from metaworld.policies import ENV_POLICY_MAP

from benchmarks.pairs import Pair

STEPS = 120  # of an episode
OBJECT = slice(4, 7)  # the first object's place in what is observed, m


class Task(gymnasium.Wrapper):
    """One of Meta-World's tasks, drawn by the seed; -1 for a step, and the end at success.

    Its own rewards are of another shape in every task; with these a return is minus the
    steps that the task took, and success is whether they were fewer than an episode's.
    """

    def __init__(self, env: gymnasium.Env) -> None:
        super().__init__(env)
        bare: Any = env.unwrapped
        bare._freeze_rand_vec = False  # places are drawn anew in every episode,
        bare.seeded_rand_vec = True  # and not by NumPy's global generator
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (39,))

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        if seed is not None:
            self.unwrapped.seed(seed)  # its reset() takes none
        return self.env.reset(options=options)

    def step(self, action):
        observation, _, _, truncated, info = self.env.step(action)
        success = bool(info["success"])
        return observation, success - 1.0, success, truncated, {**info, "is_success": success}


def make_env(name: str = "push-v3", render_mode: str | None = None) -> gymnasium.Env:
    """A task by its name in Meta-World."""
    make = ALL_V3_ENVIRONMENTS_GOAL_OBSERVABLE[f"{name}-goal-observable"]
    return gymnasium.wrappers.TimeLimit(Task(make(seed=0, render_mode=render_mode)), STEPS)


class Imperfect:
    """Meta-World's scripted policy of a task, with a fault; its gain can be tuned.

    Args:
        name: of the task.
        gain: factor of the hand's velocities.
        error: m that the camera sees the object beside its place, along x and y.
        delay: steps by which observations are late.
        noise: standard deviation added to the velocities, drawn by the episode's beginning, so
            that an episode can be repeated.
    """

    def __init__(
        self,
        name: str = "push-v3",
        gain: Annotated[float, (0.1, 4.0)] = 1.0,
        error: float = 0.0,
        delay: int = 0,
        noise: float = 0.0,
    ) -> None:
        self.policy = ENV_POLICY_MAP[name]()
        self.gain, self.error, self.noise = gain, error, noise
        self.seen: deque[np.ndarray] = deque(maxlen=delay + 1)
        self.generator = np.random.default_rng()

    def reset(self) -> None:
        self.seen.clear()

    def __call__(self, observation: np.ndarray) -> np.ndarray:
        if not self.seen:
            self.generator = np.random.default_rng(list(observation.tobytes()))
        self.seen.append(np.array(observation))
        late = self.seen[0].copy()
        late[OBJECT] += (self.error, self.error, 0.0)
        action = np.asarray(self.policy.get_action(late), float)
        action[:3] = self.gain * action[:3] + self.noise * self.generator.standard_normal(3)
        return np.clip(action, -1.0, 1.0)


FAULTS = {
    "reach": ("gain", 0.4, "moves at 40 % of its speed"),
    "push": ("gain", 0.58, "moves at 58 % of its speed"),
    "pick-place": ("gain", 0.44, "moves at 44 % of its speed"),
    "door-open": ("gain", 0.33, "moves at 33 % of its speed"),
    "drawer-open": ("gain", 0.68, "moves at 68 % of its speed"),
    "drawer-close": ("delay", 8, "sees what was 8 steps ago"),
    "button-press-topdown": ("gain", 0.18, "moves at 18 % of its speed"),
    "peg-insert-side": ("noise", 0.5, "its hand shakes by half of its speed"),
    "window-open": ("delay", 3, "sees what was 3 steps ago"),
    "window-close": ("error", 0.04, "sees the handle 4 cm beside its place"),
}
"""One argument for each task, chosen so that a part of seeds 10 to 49 fails."""


def _words(name: str, argument: str, value: float) -> tuple[str, ...]:
    controller = f'benchmarks.metaworld:Imperfect(name="{name}-v3", {argument}={value})'
    task = ("benchmarks.metaworld:make_env", "--task.kwargs", f"name={name}-v3")
    return (*task, "--controller", controller)


PAIRS = (
    *(Pair(name, why, _words(name, *fault), tuned=300) for name, (*fault, why) in FAULTS.items()),
    Pair("push-right", "", _words("push", "gain", 1.0)),
)
