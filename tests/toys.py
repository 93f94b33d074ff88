"""Small environments and controllers, as users write them."""

import os

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Text
from gymnasium.vector import VectorEnv
from gymnasium.vector.utils import batch_space

from rpl.tasks.interface import METADATA


class Batched(VectorEnv):
    """A vector environment with its spaces, in which subclasses say what happens.

    Plain observations of ``size`` numbers, or of a goal's three parts of so many if asked.
    """

    metadata = METADATA

    def __init__(self, num_envs: int, size: int, action_size: int, goals: bool = False) -> None:
        self.num_envs = num_envs
        plain = Box(-np.inf, np.inf, (size,), np.float64)
        parts = ("observation", "achieved_goal", "desired_goal")
        self.single_observation_space = Dict(dict.fromkeys(parts, plain)) if goals else plain
        self.single_action_space = Box(-1.0, 1.0, (action_size,))
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)


class Slide(gymnasium.Env):
    """A point x on a line: x' = x + push, push in [-1, 3]; pays -|x'|; over beyond |x| = 10.

    Plain observation (x, t). Reports no success.
    """

    def __init__(self, limit: int = 8, render_mode: str | None = None) -> None:
        self.max_episode_steps = limit
        self.observation_space = Box(-np.inf, np.inf, (2,), np.float32)
        self.action_space = Box(np.array([-1.0], np.float32), np.array([3.0], np.float32))
        self.render_mode = render_mode
        self.metadata = {"render_modes": ["rgb_array"]}
        self.steps_after_end = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.x, self.t, self.over = float(self.np_random.uniform(-2, 2)), 0, False
        return self._observe(), {}

    def _observe(self):
        return np.array([self.x, self.t], np.float32)

    def step(self, action):
        assert self.action_space.contains(action), action
        self.steps_after_end += self.over
        self.x, self.t = self.x + float(action[0]), self.t + 1
        terminated = abs(self.x) > 10
        truncated = self.t >= self.max_episode_steps
        self.over = terminated or truncated
        return self._observe(), -abs(self.x), terminated, truncated, {}

    def render(self):
        return np.full((20, 30, 3), min(int(abs(self.x) * 20), 255), np.uint8)


class Reach(gymnasium.Env):
    """A point in the plane that moves by the action in [-1, 1]^2 and is to reach a goal.

    Sparse: -1, or 0 within 0.5 of the goal. Reports ``success``. Ends itself at the goal if asked.
    """

    def __init__(self, ends: bool = False, limit: int = 6) -> None:
        self.max_episode_steps, self.ends = limit, ends
        plane = Box(-np.inf, np.inf, (2,), np.float64)
        self.observation_space = Dict(
            {
                "observation": Box(-np.inf, np.inf, (3,), np.float64),
                "achieved_goal": plane,
                "desired_goal": plane,
            }
        )
        self.action_space = Box(-1.0, 1.0, (2,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place, self.goal = self.np_random.uniform(-3, 3, (2, 2))
        self.t = 0
        return self._observe(), {}

    def _observe(self):
        return {
            "observation": np.array([*self.place, self.t], float),
            "achieved_goal": self.place.copy(),
            "desired_goal": self.goal.copy(),
        }

    def step(self, action):
        self.place, self.t = self.place + action, self.t + 1
        reward = float(self.compute_reward(self.place, self.goal, {}))
        truncated = self.t >= self.max_episode_steps
        return (
            self._observe(),
            reward,
            self.compute_terminated(self.place, self.goal, {}),
            truncated,
            {"success": reward == 0.0},
        )

    def compute_reward(self, achieved_goal, desired_goal, info):
        return np.where(np.linalg.norm(achieved_goal - desired_goal, axis=-1) < 0.5, 0.0, -1.0)

    def compute_terminated(self, achieved_goal, desired_goal, info):
        return bool(self.ends and np.linalg.norm(achieved_goal - desired_goal) < 0.5)


def one(observation):
    """One observation of Slide: towards 0, weakly."""
    return [-0.5 * observation[0]]


def batch(observation):
    """A batch of them."""
    return -0.5 * observation[:, :1]


class Summing:
    """One environment's memory: minus half the sum of all x seen in the episode."""

    def __init__(self):
        self.reset()

    def reset(self):
        self.sum = 0.0

    def __call__(self, observation):
        self.sum += observation[0]
        return np.array([-0.5 * self.sum])


class NeverForgets:
    """A memory that nothing resets."""

    sum = 0.0

    def __call__(self, observation):
        self.sum += float(observation[0])
        return np.array([-0.5 * self.sum])


class SummingAll:
    """The same for a batch."""

    def reset(self, mask):
        if not hasattr(self, "sum") or len(self.sum) != len(mask):
            self.sum = np.zeros(len(mask))
        self.sum[mask] = 0.0

    def __call__(self, observation):
        self.sum += observation[:, 0]
        return -0.5 * self.sum[:, None]


summing, summing_all = Summing(), SummingAll()


def with_env(env, observation):
    """Reads the environment itself: what Summing cannot know."""
    return [-0.5 * env.unwrapped.x]


def make_with_env(env):
    """Makes a controller from the environment."""
    return lambda observation: np.array([-0.5 * env.unwrapped.x])


class _ToTheBlock:
    """Reads a batch of Fetch simulations rather than what they observe."""

    def __init__(self, env):
        self.env = env.unwrapped

    def reset(self, mask):
        """Says that it cannot be asked about other simulations."""

    def __call__(self, observation):
        parts = self.env._observables()
        action = np.zeros((self.env.num_envs, 4))
        action[:, :3] = 5.0 * parts["object_relative_position"]
        return action


def to_the_block(env):
    """Makes a controller from a batched task."""
    return _ToTheBlock(env)


def to_goal(observation):
    """Reach: a third of the way, in a batch or not."""
    return (observation["desired_goal"] - observation["achieved_goal"]) / 3.0


class TwoActions(Slide):
    """With a second action that does nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.action_space = Box(-1.0, 1.0, (2,), np.float32)


class ReportsOddly(Slide):
    """Success in an array, beside a name for it that says nothing."""

    def step(self, action):
        *returned, _ = super().step(action)
        return *returned, {"is_success": None, "success": np.array([True])}


class Told(Slide):
    """Says in words where to go."""

    def __init__(self) -> None:
        super().__init__()
        self.observation_space = Dict(x=Box(-np.inf, np.inf, (1,)), say=Text(20))

    def reset(self, *, seed=None, options=None):
        self.say = "left" if (seed or 0) % 2 else "right"
        return super().reset(seed=seed)

    def _observe(self):
        return {"x": np.array([self.x], np.float32), "say": self.say}


def obedient(observation) -> list[float]:
    """Does what ``Told`` says."""
    return [{"left": -1.0, "right": 1.0}[observation["say"]]]


class EndsEarly(Slide):
    """Slide whose episodes are over after three of its steps."""

    def step(self, action):
        observation, reward, _, truncated, info = super().step(action)
        return observation, reward, self.t == 3, truncated, info


class Broken(Slide):
    """Slide whose observations are no numbers after the first step."""

    def step(self, action):
        return np.full(2, np.nan, np.float32), *super().step(action)[1:]


class OldReset(Slide):
    """Slide as it was before Gymnasium: reset returns the observation alone."""

    def reset(self, *, seed=None, options=None):
        return super().reset(seed=seed)[0]


class Unregulated(Slide):
    """Slide whose episodes have no end."""

    def __init__(self) -> None:
        super().__init__()
        self.max_episode_steps = np.inf


class LosesItsGain(Summing):
    """Summing that fails in the third step of an episode."""

    def reset(self):
        super().reset()
        self.t = 0

    def __call__(self, observation):
        self.t += 1
        if self.t > 2:
            raise ValueError("the gain is gone")
        return super().__call__(observation)


def without_key(observation):
    """Asks a dict for what it does not have."""
    return {}["gain"]


class Windy(Reach):
    """Reach with a part of its own beside state and goal: a wind of each step that moves the point.

    Args:
        part: the name of the wind's part.
    """

    def __init__(self, part: str = "wind") -> None:
        super().__init__()
        self.part = part
        wind = Box(-1.0, 1.0, (1,), np.float32)
        self.observation_space = Dict({part: wind, **self.observation_space.spaces})

    def _observe(self):
        self.wind = self.np_random.uniform(-1.0, 1.0, 1).astype(np.float32)
        return {self.part: self.wind, **super()._observe()}

    def step(self, action):
        self.place = self.place + 0.5 * self.wind
        return super().step(action)


def against_the_wind(observation):
    """Windy: a third of the way, less what the wind does."""
    return to_goal(observation) - 0.5 * observation["wind"]


class Breaking(Slide):
    """Slide that breaks its contract from the second step of an episode on.

    Args:
        what: what it returns instead, of ``BREAKS``.
        at: the step.
    """

    def __init__(self, what: str = "four", at: int = 2) -> None:
        super().__init__()
        self.what, self.at = what, at

    def step(self, action):
        good = super().step(action)
        return BREAKS[self.what](*good) if self.t >= self.at else good


BREAKS = {
    "four": lambda o, r, te, tr, i: (o, r, te, i),
    "list": lambda o, r, te, tr, i: [o, r, te, tr, i],
    "nothing": lambda o, r, te, tr, i: None,
    "longer": lambda o, r, te, tr, i: (np.zeros(3, np.float32), r, te, tr, i),
    "shorter": lambda o, r, te, tr, i: (np.zeros(1, np.float32), r, te, tr, i),
    "number": lambda o, r, te, tr, i: (1.0, r, te, tr, i),
    "matrix": lambda o, r, te, tr, i: (np.zeros((2, 2)), r, te, tr, i),
    "ragged": lambda o, r, te, tr, i: ([[1.0], [1.0, 2.0]], r, te, tr, i),
    "dict": lambda o, r, te, tr, i: ({"observation": o}, r, te, tr, i),
    "none": lambda o, r, te, tr, i: (None, r, te, tr, i),
    "reward array": lambda o, r, te, tr, i: (o, np.array([r]), te, tr, i),
    "reward text": lambda o, r, te, tr, i: (o, "much", te, tr, i),
    "reward none": lambda o, r, te, tr, i: (o, None, te, tr, i),
    "reward complex": lambda o, r, te, tr, i: (o, 1j, te, tr, i),
    "flag text": lambda o, r, te, tr, i: (o, r, "no", tr, i),
    "flag none": lambda o, r, te, tr, i: (o, r, te, None, i),
    "info none": lambda o, r, te, tr, i: (o, r, te, tr, None),
}
"""What ``Breaking.step`` makes of what it should return."""


class Unseeded(Slide):
    """Slide whose reset takes no seed."""

    def reset(self):
        return super().reset()


class Lost(Slide):
    """Slide whose process is gone in the third step of an episode."""

    def step(self, action):
        if self.t == 2:
            os._exit(3)
        return super().step(action)


class Raising(Slide):
    """Slide that raises an error in the third step of an episode."""

    def step(self, action):
        if self.t == 2:
            raise KeyError("the joint is gone")
        return super().step(action)


def needs_a_size(size):
    """A factory that asks for more than it gets."""
    return Slide(size)
