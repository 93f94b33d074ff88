"""Any continuous-action Gymnasium environment as a task."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import gymnasium
import numpy as np
from gymnasium.vector import VectorEnv
from gymnasium.vector.utils import batch_space
from gymnasium.wrappers import TimeLimit
from PIL import Image

from rpl.observations import Info, Observation, reset_mask
from rpl.tasks.gym.contract import Checked
from rpl.tasks.gym.observe import Choice, Observe, needs_choice
from rpl.tasks.gym.processes import Processes
from rpl.tasks.gym.requirements import (
    UnsuitableEnvironment,
    check_are_others,
    check_can_last,
    check_names,
    checked_action_space,
    episode_limit,
)
from rpl.tasks.gym.serial import Serial, StandStill
from rpl.tasks.interface import METADATA, Seed, checked_actions, checked_count, seed_each

MakeEnv = Callable[[], gymnasium.Env]
LARGEST_SEED = 2**31  # even, so that an odd seed stays odd; older environments take 32 bits only


class GymnasiumTask(VectorEnv):
    """``num_envs`` environments made by ``make_env``, seen as one task.

    Observations are the environment's own: a dict of ``observation``, ``achieved_goal`` and
    ``desired_goal``, each (num_envs, dim), or one (num_envs, dim) array. Where an environment
    observes more, such as pictures or nested dicts, they are a dict of ``observation``, what
    ``observe`` chooses of it, and ``whole``, all of it, for controllers. Actions lie in
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
        observe: what learners are shown: names of parts, or a function of one observation that
            makes a vector; None shows all numbers.
        success_at_any_step: what succeeded once in an episode is a success to its end.

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
        observe: Observe = None,
        success_at_any_step: bool = False,
    ) -> None:
        self.num_envs = checked_count(num_envs)
        make = partial(_prepared, make_env, max_episode_steps)
        first = make()
        self.max_episode_steps = episode_limit(first)
        self._take_bounds(checked_action_space(first))
        self.whole_space: gymnasium.Space = first.observation_space
        """What controllers are shown of one environment: all of it."""
        self.choice: Choice | None = None
        """What learners are shown of the observations; None where that is all of them."""
        self.single_observation_space = self._shown_space(first, observe)
        self.parallel = parallel
        self.single_action_space = gymnasium.spaces.Box(
            -1.0, 1.0, first.action_space.shape, np.float32
        )
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        # A batch of small actions takes longer to broadcast than to scale.
        self._batch_bounds = tuple(np.array([bound] * num_envs) for bound in self._bounds)
        self.metadata = {**first.metadata, **METADATA}
        self.render_mode = first.render_mode
        self._ever = np.zeros(num_envs, bool) if success_at_any_step else None
        self.reports_success = False
        """Whether any environment has reported success or failure so far."""
        self.envs: list[gymnasium.Env] = [first]
        """The environments; with a process for each, one that is never stepped."""
        if not parallel:
            self.envs += [make() for _ in range(num_envs - 1)]
            check_are_others(self.envs)
        self._all = Processes(make, num_envs, first) if parallel else Serial(self.envs)

    def _take_bounds(self, action: gymnasium.spaces.Box) -> None:
        self.action_dtype = action.dtype
        low, high = action.low.astype(np.float64), action.high.astype(np.float64)
        self.action_low, self.action_high = low, high
        self.action_middle, self.action_reach = (high + low) / 2.0, (high - low) / 2.0
        self._bounds = low, high, self.action_middle, self.action_reach

    def _shown_space(self, env: gymnasium.Env, observe: Observe) -> gymnasium.Space:
        space = env.observation_space
        if needs_choice(space, observe):
            self.choice = Choice(space, observe, lambda: env.reset(seed=0)[0])
            return self.choice.space
        if isinstance(space, gymnasium.spaces.Dict):
            check_names(space)
        return space

    def shown(self, observation: Observation) -> Observation:
        """A batch of the environments' own observations, as the task observes them."""
        return observation if self.choice is None else self.choice(observation)

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
        seeds: object = [
            s if s is None else int(s) % LARGEST_SEED for s in seed_each(seed, self.num_envs)
        ]
        mask = reset_mask(options, self.num_envs)
        if not mask.any():
            raise ValueError("reset_mask selects no environment")
        observation, _ = self._all.reset(seed=seeds, options={"reset_mask": mask})
        if self._ever is not None:
            self._ever[mask] = False
        return self.shown(observation), {}

    def step(
        self, actions: np.ndarray
    ) -> tuple[Observation, np.ndarray, np.ndarray, np.ndarray, Info]:
        """Advances every environment whose episode runs by one action, clipped to [-1, 1]."""
        actions = self.from_unit(checked_actions(actions, self.action_space))
        observation, reward, terminated, truncated, info = self._all.step(actions)
        observation = self.shown(observation)
        success = info.get("is_success")
        if success is None and not self.reports_success:
            return observation, reward, terminated, truncated, {}
        self.reports_success = True
        # An environment may report success in its last step only: until then there is none.
        success = np.zeros(self.num_envs, bool) if success is None else np.asarray(success, bool)
        if self._ever is not None:
            self._ever |= success
            success = self._ever.copy()
        return observation, reward, terminated, truncated, {"is_success": success}

    def frame(self, simulation: int = 0, size: tuple[int, int] = (480, 480)) -> np.ndarray:
        """A picture of one environment, (height, width, 3) uint8, in its own proportions.

        Args:
            simulation: which.
            size: the picture is as high, and as wide as it is; at most twice as wide as this.

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
        scale = min(size[0] / image.height, 2 * size[1] / image.width)
        width, height = (max(round(scale * pixels), 1) for pixels in image.size)
        return np.asarray(image.resize((width, height)))

    def close_extras(self, **kwargs: object) -> None:
        """Closes the environments."""
        if isinstance(self._all, Processes):
            self._all.close()
        for env in self.envs:
            env.close()


def _prepared(make_env: MakeEnv, max_episode_steps: int | None) -> gymnasium.Env:
    env = make_env()
    if max_episode_steps is not None:
        check_can_last(env, max_episode_steps)
        env = TimeLimit(env, max_episode_steps)
    return StandStill(Checked(env))
