"""An environment held to Gymnasium's contract while it runs: it returns what it promises."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np

from rpl.errors import frames_of_user_code
from rpl.tasks.gym.requirements import UnsuitableEnvironment

Step = tuple[Any, float, bool, bool, dict[str, Any]]
STEP = "(observation, reward, terminated, truncated, info)"
RESET = "(observation, info)"


class Checked(gymnasium.Wrapper):
    """Refuses what an environment returns against its contract, in a sentence that says where.

    Args:
        env: the environment; of a nested observation space the parts of parts are not checked.
    """

    def __init__(self, env: gymnasium.Env) -> None:
        super().__init__(env)
        space = env.observation_space
        self._shape = space.shape if isinstance(space, gymnasium.spaces.Box) else None
        parts = space.spaces if isinstance(space, gymnasium.spaces.Dict) else {}
        self._parts = tuple(parts)
        self._shapes = {
            name: part.shape
            for name, part in parts.items()
            if isinstance(part, gymnasium.spaces.Box)
        }

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
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
        return returned

    def _check_observation(self, call: str, observation: Any) -> None:
        if not self._parts:
            if self._shape is not None:
                self._check_array(call, "an observation", observation, self._shape)
            return
        if not isinstance(observation, Mapping):
            parts = ", ".join(self._parts)
            said = f"returned an observation of {_kind(observation)}: it must be a dict of {parts}"
            raise self._broken(call, said)
        for name in self._parts:
            if name not in observation:
                raise self._broken(
                    call, f"returned an observation without {name}, which it promises"
                )
        for name, shape in self._shapes.items():
            self._check_array(call, f"an observation whose {name} is", observation[name], shape)

    def _check_array(self, call: str, what: str, value: Any, shape: Any) -> None:
        if isinstance(value, np.ndarray) and value.shape == shape and value.dtype.kind in "fiub":
            return
        try:
            array = np.asarray(value)
        except ValueError:
            array = np.asarray(None)
        if array.shape != shape or array.dtype.kind not in "fiub":
            kind = _kind(value)
            said = f"returned {what} of {kind}: its space says numbers of shape {shape}"
            raise self._broken(call, said.replace("is of", "is"))

    def _check_reward(self, reward: Any) -> None:
        if np.shape(reward) != () or np.asarray(reward).dtype.kind not in "fiub":
            raise self._broken(
                "step", f"returned a reward of {_kind(reward)}: it must be one number"
            )

    def _broken(self, call: str, said: str) -> UnsuitableEnvironment:
        return UnsuitableEnvironment(
            f"{call}() {said} ({_place_of(self.env, call)}); `rpl check` tells more"
        )


def _kind(value: Any) -> str:
    """What a value is, in words."""
    if isinstance(value, tuple):
        return f"{len(value)} values"
    if isinstance(value, np.ndarray) or np.ndim(_safe(value)):
        array = np.asarray(_safe(value))
        return f"{array.dtype} of shape {array.shape}"
    return type(value).__name__


def _safe(value: Any) -> Any:
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
