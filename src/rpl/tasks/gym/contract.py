"""An environment held to Gymnasium's contract while it runs: it returns what it promises."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete, MultiBinary, MultiDiscrete

from rpl.errors import InvalidValue, frames_of_user_code
from rpl.observations import Info, Observation
from rpl.tasks.gym.observe import Path, name_of
from rpl.tasks.gym.requirements import UnsuitableEnvironment
from rpl.tasks.success import NAMES, succeeded

Step = tuple[Observation, float, bool, bool, Info]
STEP = "(observation, reward, terminated, truncated, info)"
RESET = "(observation, info)"
CHOICES = (Discrete, MultiBinary, MultiDiscrete)


class Checked(gymnasium.Wrapper):
    """Refuses what an environment returns against its contract, in a sentence that says where.

    Args:
        env: the environment. What its info says of success is ``is_success``, a bool, if anything.
    """

    def __init__(self, env: gymnasium.Env) -> None:
        super().__init__(env)
        space = self._space = env.observation_space
        self._shape = space.shape if isinstance(space, Box) else None

    def reset(
        self, *, seed: int | None = None, options: Info | None = None
    ) -> tuple[Observation, Info]:
        """Starts an episode.

        Raises:
            UnsuitableEnvironment: if it takes no seed, or returns something else.
        """
        try:
            # An empty dict is not None to every environment.
            returned = self.env.reset(seed=seed, options=options or None)
        except TypeError as error:
            if frames_of_user_code(error):
                raise
            raise self._broken(
                "reset", f"cannot be called with seed and options: {error}"
            ) from error
        if not (isinstance(returned, tuple) and len(returned) == 2):
            raise self._broken("reset", f"returned {_kind(returned)}: it must return {RESET}")
        self._check_observation("reset", returned[0])
        return returned

    def step(self, action: np.ndarray) -> Step:
        """One step.

        Raises:
            UnsuitableEnvironment: if it returns something else than Gymnasium says.
        """
        returned: Any = self.env.step(action)
        if not (isinstance(returned, tuple) and len(returned) == 5):
            raise self._broken("step", f"returned {_kind(returned)}: it must return {STEP}")
        observation, reward, terminated, truncated, info = returned
        self._check_observation("step", observation)
        if type(reward) is not float:
            self._check_reward(reward)
        for name, flag in (("terminated", terminated), ("truncated", truncated)):
            if not isinstance(flag, (bool, np.bool_, int, np.integer)):
                raise self._broken("step", f"returned {name} as {_kind(flag)}: it must be a bool")
        if not isinstance(info, Mapping):
            raise self._broken("step", f"returned info as {_kind(info)}: it must be a dict")
        if not ("is_success" in info or "success" in info):
            return returned
        return observation, reward, terminated, truncated, self._with_success(info)

    def _with_success(self, info: Mapping[str, object]) -> Info:
        try:
            said = succeeded(info)
        except InvalidValue as error:
            raise self._broken("step", f"returned an info whose {error}") from error
        others = {name: value for name, value in info.items() if name not in NAMES}
        return others if said is None else others | {"is_success": said}

    def _check_observation(self, call: str, observation: Observation) -> None:
        if self._shape is not None:
            self._check_array(call, (), observation, self._shape)
        else:
            self._check_part(call, (), self._space, observation)

    def _check_part(self, call: str, path: Path, space: gymnasium.Space, part: Observation) -> None:
        """Everything inside of a part is there, and of its shape; a choice is one of its own."""
        if isinstance(space, gymnasium.spaces.Dict):
            if not isinstance(part, Mapping):
                names = ", ".join(space.spaces)
                raise self._odd(call, path, f"{_kind(part)}: it must be a dict of {names}")
            for name, inner in space.spaces.items():
                if name not in part:
                    missing = name_of((*path, name))
                    said = f"returned an observation without {missing}, which it promises"
                    raise self._broken(call, said)
                self._check_part(call, (*path, name), inner, part[name])
        elif isinstance(space, gymnasium.spaces.Tuple):
            if not isinstance(part, (tuple, list)) or len(part) != len(space.spaces):
                said = f"{_kind(part)}: its space says {len(space.spaces)} parts"
                raise self._odd(call, path, said)
            for i, inner in enumerate(space.spaces):
                self._check_part(call, (*path, i), inner, part[i])
        elif isinstance(space, Box):
            self._check_array(call, path, part, space.shape)
        elif isinstance(space, CHOICES) and not _is_choice(space, part):
            raise self._odd(call, path, f"{part!r}, and its space is {space}")

    def _check_array(self, call: str, path: Path, value: object, shape: tuple[int, ...]) -> None:
        if isinstance(value, np.ndarray) and value.shape == shape and value.dtype.kind in "fiub":
            return
        try:
            array = np.asarray(value)
        except ValueError:
            array = np.asarray(None)
        if array.shape != shape or array.dtype.kind not in "fiub":
            said = f"{_kind(value)}: its space says numbers of shape {shape}"
            raise self._odd(call, path, said)

    def _odd(self, call: str, path: Path, what: str) -> UnsuitableEnvironment:
        """Of a part of an observation that its space does not have."""
        whose = f"whose {name_of(path)} is" if path else "of"
        return self._broken(call, f"returned an observation {whose} {what}")

    def _check_reward(self, reward: Any) -> None:
        if np.shape(reward) != () or np.asarray(reward).dtype.kind not in "fiub":
            raise self._broken(
                "step", f"returned a reward of {_kind(reward)}: it must be one number"
            )

    def _broken(self, call: str, said: str) -> UnsuitableEnvironment:
        return UnsuitableEnvironment(
            f"{call}() {said} ({_place_of(self.env, call)}); `rpl check` tells more"
        )


def _is_choice(space: Any, value: Any) -> bool:
    """Whether whole numbers, of whatever type, are among those of a space."""
    array = np.asarray(_safe(value))
    if array.size != np.prod(space.shape, dtype=int) or array.dtype.kind not in "iub":
        return False
    choice = array.reshape(space.shape).astype(np.int64)
    if isinstance(space, MultiBinary):
        return bool(((choice == 0) | (choice == 1)).all())
    count = space.n if isinstance(space, Discrete) else space.nvec
    return bool(((choice >= space.start) & (choice < space.start + count)).all())


def _kind(value: Any) -> str:
    """What a value is, in words."""
    if isinstance(value, tuple):
        return f"{len(value)} values"
    if isinstance(value, np.ndarray) or np.ndim(_safe(value)):
        array = np.asarray(_safe(value))
        return f"{array.dtype} of shape {array.shape}"
    return type(value).__name__


def _safe(value: object) -> Any:
    """The value where an array can be made of it."""
    try:
        np.asarray(value)
    except ValueError:
        return None
    return value


def _place_of(env: gymnasium.Env, call: str) -> str:
    """Where the outermost method is written that is not Gymnasium's own."""
    while isinstance(env, gymnasium.Wrapper) and type(env).__module__.startswith("gymnasium."):
        env = env.env
    method = getattr(type(env), call)
    try:
        line = inspect.getsourcelines(method)[1]
        return f"{inspect.getsourcefile(method)}, line {line}"
    except (OSError, TypeError):
        return f"{type(env).__module__}.{type(env).__qualname__}"
