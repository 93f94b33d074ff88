"""What an environment must be like to become a task, and how to make it so."""

from __future__ import annotations

from collections.abc import Sequence

import gymnasium
import numpy as np
from gymnasium.wrappers import TimeLimit

from rpl.errors import Failure
from rpl.observations import BASE_ACTION, SIMULATOR_STATE, WHOLE

WIDEST_RANGE = 1e9  # of an action's component: wider bounds say nothing of what it can be


class UnsuitableEnvironment(Failure, ValueError):
    """An environment that no task can be made of; the message says what to do about it."""


def check_are_others(envs: Sequence[gymnasium.Env]) -> None:
    """Refuses environments of which two are one.

    Raises:
        UnsuitableEnvironment: with what to do.
    """
    if len({id(env.unwrapped) for env in envs}) < len(envs):
        raise UnsuitableEnvironment(
            "the function that makes environments returned the same one twice: let it make a new "
            "one in every call, as in lambda: MyEnv()"
        )


def checked_action_space(env: gymnasium.Env) -> gymnasium.spaces.Box:
    """The environment's action space.

    Raises:
        UnsuitableEnvironment: if it is not a Box of one dimension with bounds that mean something.
    """
    action = env.action_space
    if not isinstance(action, gymnasium.spaces.Box) or len(action.shape) != 1:
        raise UnsuitableEnvironment(
            f"the action space is {action}: a residual needs a Box with one dimension, "
            "continuous actions side by side"
        )
    if not (np.isfinite(action.low).all() and np.isfinite(action.high).all()):
        raise UnsuitableEnvironment(
            f"the action space {action} is unbounded: give it finite bounds, such as those "
            "of the motors, with gymnasium.wrappers.RescaleAction or in the environment"
        )
    widest = float(np.max(action.high.astype(np.float64) - action.low))
    if widest > WIDEST_RANGE:
        raise UnsuitableEnvironment(
            f"the bounds of the action space {action} are as good as none: residuals are counted "
            f"in halves of the range, here {widest / 2:.3g} units, so give it bounds such as those "
            "of the motors, in the environment or with gymnasium.wrappers.RescaleAction"
        )
    if not (action.low < action.high).all():
        raise UnsuitableEnvironment(
            f"the action space {action} has a component whose bounds are equal: leave it out"
        )
    return action


def episode_limit(env: gymnasium.Env) -> int:
    """The most steps an episode of the environment has.

    Raises:
        UnsuitableEnvironment: if it does not say.
    """
    limits = [_attribute(env, "_max_episode_steps"), _attribute(env, "max_episode_steps")]
    limits.append(getattr(env.spec, "max_episode_steps", None))
    known = [int(limit) for limit in limits if isinstance(limit, (int, np.integer))]
    if not known:
        raise UnsuitableEnvironment(
            "the environment does not say how long an episode may last: give the limit with "
            "--task.max-episode-steps N (in Python GymnasiumTask(..., max_episode_steps=N), or "
            "task=rpl.EnvironmentOptions(max_episode_steps=N) for rpl.improve)"
        )
    return known[0]


def check_can_last(env: gymnasium.Env, steps: int) -> None:
    """Refuses more steps than an episode can have.

    Raises:
        UnsuitableEnvironment: with the limit, and how to make it another.
    """
    while isinstance(env, gymnasium.Wrapper):
        own = env._max_episode_steps if isinstance(env, TimeLimit) else None
        if own is not None and own < steps:
            raise UnsuitableEnvironment(
                f"max_episode_steps is {steps}, and the environment ends its episodes after {own} "
                f"steps: --task.kwargs max_episode_steps={steps} makes one of Gymnasium's with more"
            )
        env = env.env


def _attribute(env: gymnasium.Env, name: str) -> object:
    try:
        return env.get_wrapper_attr(name)
    except AttributeError:
        return None


def check_names(space: gymnasium.spaces.Dict) -> None:
    """Refuses parts of an observation whose names stand for something else.

    Raises:
        UnsuitableEnvironment: naming the part.
    """
    for name in {BASE_ACTION, SIMULATOR_STATE, WHOLE} & space.spaces.keys():
        raise UnsuitableEnvironment(
            f"the observation has a part {name}, a name that has a meaning of its own here: "
            "give it another"
        )


def check_goal_shapes(achieved: gymnasium.Space, desired: gymnasium.Space) -> None:
    """Refuses goals that cannot stand in each other's place.

    Raises:
        UnsuitableEnvironment: with both shapes.
    """
    if achieved.shape != desired.shape:
        raise UnsuitableEnvironment(
            f"achieved_goal has shape {achieved.shape} and desired_goal {desired.shape}: hindsight "
            "puts one in the place of the other, so they must be alike"
        )
