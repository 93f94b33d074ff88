"""Any continuous-action Gymnasium environment as a task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from gymnasium.wrappers import TimeLimit
from PIL import Image, ImageOps

from rpl.observations import reset_mask
from rpl.tasks.gym.contract import Checked, Step
from rpl.tasks.gym.processes import Processes
from rpl.tasks.gym.requirements import (
    UnsuitableEnvironment,
    check_observation_space,
    checked_action_space,
    episode_limit,
)
from rpl.tasks.interface import Info, Seed, checked_actions, checked_count, seed_each

MakeEnv = Callable[[], gymnasium.Env]
Observation = Any
"""An array, or a dict of arrays, as the environment's space says."""
LARGEST_SEED = 2**31  # even, so that an odd seed stays odd; older environments take 32 bits only


class GymnasiumTask(VectorEnv):
    """``num_envs`` environments made by ``make_env``, seen as one task.

    Observations are the environment's own: a dict of ``observation``, ``achieved_goal`` and
    ``desired_goal``, each (num_envs, dim), or one (num_envs, dim) array. Actions lie in
    [-1, 1] and are scaled to the environment's bounds. ``info["is_success"]``, (num_envs,)
    bool, is there if the environments report ``is_success`` or ``success``.

    An environment whose episode is over stands still until it is reset: it repeats its last
    observation and flags and earns 0. There is no autoreset.

    Args:
        make_env: makes one environment; called ``num_envs`` times.
        num_envs: how many.
        parallel: give each environment a process of its own, for slow simulators.
        max_episode_steps: truncate episodes after so many steps; None leaves that to the
            environment, which must then say its limit.

    Raises:
        UnsuitableEnvironment: if the spaces are not a task's, or no limit is known.
    """

    def __init__(
        self,
        make_env: MakeEnv,
        num_envs: int = 1,
        *,
        parallel: bool = False,
        max_episode_steps: int | None = None,
    ) -> None:
        self.num_envs = checked_count(num_envs)
        make = partial(_prepared, make_env, max_episode_steps)
        first = make()
        self.max_episode_steps = episode_limit(first)
        self._take_bounds(checked_action_space(first))
        check_observation_space(first.observation_space)
        self.parallel = parallel
        self.single_observation_space: gymnasium.Space = first.observation_space
        self.single_action_space = gymnasium.spaces.Box(
            -1.0, 1.0, first.action_space.shape, np.float32
        )
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        # A batch of small actions takes longer to broadcast than to scale.
        self._batch_bounds = tuple(np.array([bound] * num_envs) for bound in self._bounds)
        self.metadata = {**first.metadata, "autoreset_mode": AutoresetMode.DISABLED}
        self.render_mode = first.render_mode
        self.reports_success = False
        """Whether any environment has reported success or failure so far."""
        self.envs: list[gymnasium.Env] = [first]
        """The environments; with a process for each, one that is never stepped."""
        self._all: Processes | _Serial
        if parallel:
            self._all = Processes(make, num_envs, first)
        else:
            self.envs += [make() for _ in range(num_envs - 1)]
            self._all = _Serial(self.envs)

    def _take_bounds(self, action: gymnasium.spaces.Box) -> None:
        self.action_dtype = action.dtype
        low, high = action.low.astype(np.float64), action.high.astype(np.float64)
        self.action_low, self.action_high = low, high
        self.action_middle, self.action_reach = (high + low) / 2.0, (high - low) / 2.0
        self._bounds = low, high, self.action_middle, self.action_reach

    def to_unit(self, action: np.ndarray) -> np.ndarray:
        """Actions in the environment's units, (..., action_dim), as fractions of its range."""
        return (np.asarray(action, np.float64) - self.action_middle) / self.action_reach

    def from_unit(self, action: np.ndarray) -> np.ndarray:
        """Actions in [-1, 1], clipped to it, in the environment's units and type."""
        action = np.asarray(action)
        bounds = self._batch_bounds if action.shape == self.action_space.shape else self._bounds
        low, high, middle, reach = bounds
        inside = np.minimum(np.maximum(middle + reach * action, low), high)
        whole = np.issubdtype(self.action_dtype, np.integer)
        return (np.rint(inside) if whole else inside).astype(self.action_dtype)

    def reset(self, *, seed: Seed = None, options: Info | None = None) -> tuple[Observation, Info]:
        """Starts new episodes in the environments of ``options["reset_mask"]``, by default all.

        Args:
            seed: one seed per environment, or one integer s for the seeds s, s + 1, ...
            options: ``{"reset_mask": (num_envs,) bool}``.
        """
        # Gymnasium's annotation forgets the list of seeds that its vector environments take.
        seeds: Any = [
            s if s is None else int(s) % LARGEST_SEED for s in seed_each(seed, self.num_envs)
        ]
        mask = reset_mask(options, self.num_envs)
        if not mask.any():
            raise ValueError("reset_mask selects no environment")
        observation, _ = self._all.reset(seed=seeds, options={"reset_mask": mask})
        return observation, {}

    def step(
        self, actions: np.ndarray
    ) -> tuple[Observation, np.ndarray, np.ndarray, np.ndarray, Info]:
        """Advances every environment whose episode runs by one action, clipped to [-1, 1]."""
        actions = self.from_unit(checked_actions(actions, self.action_space))
        observation, reward, terminated, truncated, info = self._all.step(actions)
        success = info.get("is_success", info.get("success"))
        if success is None and not self.reports_success:
            return observation, reward, terminated, truncated, {}
        self.reports_success = True
        # An environment may report success in its last step only: until then there is none.
        success = np.zeros(self.num_envs, bool) if success is None else np.asarray(success, bool)
        return observation, reward, terminated, truncated, {"is_success": success}

    def frame(self, simulation: int = 0, size: tuple[int, int] = (480, 480)) -> np.ndarray:
        """A picture of one environment, (height, width, 3) uint8.

        Raises:
            UnsuitableEnvironment: if the environment does not draw RGB arrays.
        """
        try:
            picture = None if self.parallel else self.envs[simulation].render()
        except NotImplementedError:  # Gymnasium's own render()
            picture = None
        if not isinstance(picture, np.ndarray) or picture.ndim != 3:
            raise UnsuitableEnvironment(
                "the environment draws no pictures: it needs the render mode 'rgb_array', "
                "and one process"
            )
        image = Image.fromarray(picture[..., :3].astype(np.uint8))
        return np.asarray(ImageOps.pad(image, (size[1], size[0])))

    def close_extras(self, **kwargs: object) -> None:
        """Closes the environments."""
        if isinstance(self._all, Processes):
            self._all.close()
        for env in self.envs:
            env.close()


class StandStill(gymnasium.Wrapper):
    """Does nothing once its episode is over, until it is reset."""

    def __init__(self, env: gymnasium.Env) -> None:
        super().__init__(env)
        self._last: Step | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Starts an episode."""
        self._last = None
        return self.env.reset(seed=seed, options=options)

    def step(self, action: np.ndarray) -> Step:
        """One step, or what the last step returned with a reward of 0."""
        if self._last is not None:
            return self._last
        observation, reward, terminated, truncated, info = self.env.step(action)
        if terminated or truncated:
            self._last = (observation, 0.0, bool(terminated), bool(truncated), info)
        return observation, cast(float, reward), terminated, truncated, info


class _Serial:
    """Environments of one process; Gymnasium's SyncVectorEnv without what makes it slow."""

    def __init__(self, envs: list[gymnasium.Env]) -> None:
        self._envs = envs
        space = envs[0].observation_space
        self._parts: dict[str, np.ndarray] = {}
        self._plain: np.ndarray | None = None
        if isinstance(space, gymnasium.spaces.Dict):
            self._parts = {name: _zeros(part, len(envs)) for name, part in space.spaces.items()}
        else:
            self._plain = _zeros(space, len(envs))

    def reset(self, *, seed: Sequence[int | None], options: Info) -> tuple[Observation, Info]:
        for i in map(int, np.flatnonzero(options["reset_mask"])):
            self._write(i, self._envs[i].reset(seed=seed[i])[0])
        return self._observation(), {}

    def step(
        self, actions: np.ndarray
    ) -> tuple[Observation, np.ndarray, np.ndarray, np.ndarray, Info]:
        count = len(self._envs)
        reward, success = np.zeros(count), np.zeros(count, bool)
        terminated, truncated = np.zeros(count, bool), np.zeros(count, bool)
        known, plain = False, self._plain
        for i, env in enumerate(self._envs):
            observation, reward[i], terminated[i], truncated[i], info = env.step(actions[i])
            if plain is None:
                self._write(i, observation)
            else:
                plain[i] = observation
            if info and ("is_success" in info or "success" in info):
                success[i] = info.get("is_success", info.get("success"))
                known = True
        info = {"is_success": success} if known else {}
        return self._observation(), reward, terminated, truncated, info

    def _write(self, i: int, observation: Observation) -> None:
        if self._plain is not None:
            self._plain[i] = observation
        for name, part in self._parts.items():
            part[i] = observation[name]

    def _observation(self) -> Observation:
        if self._plain is not None:
            return self._plain.copy()
        return {name: part.copy() for name, part in self._parts.items()}


def _zeros(space: gymnasium.Space, count: int) -> np.ndarray:
    return np.zeros((count, *(space.shape or ())), space.dtype)


def _prepared(make_env: MakeEnv, max_episode_steps: int | None) -> gymnasium.Env:
    env = make_env()
    if max_episode_steps is not None:
        env = TimeLimit(env, max_episode_steps)
    return StandStill(Checked(env))
