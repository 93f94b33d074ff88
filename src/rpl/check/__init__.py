"""Whether an environment and a controller keep the contract, in words."""

from __future__ import annotations

import gymnasium

from rpl.check.controller import check_controller
from rpl.check.environment import check_environment
from rpl.check.finding import Finding
from rpl.tasks.gym.requirements import UnsuitableEnvironment
from rpl.tasks.gym.task import MakeEnv

__all__ = ["Finding", "check"]


def check(
    make_env: MakeEnv, controller: object = None, max_episode_steps: int | None = None
) -> list[Finding]:
    """Runs an environment, and a controller in it, and says what is wrong with them.

    Args:
        make_env: makes one environment.
        controller: in any form that ``rpl.controllers.adapt.adapt`` takes; None checks the
            environment alone.
        max_episode_steps: of an environment that does not say it.

    Returns:
        What was found; without any of severity ``error`` the two can be trained on.
    """
    try:
        env = make_env()
    except Exception as error:
        return [_cannot_be_made(f"it cannot be made: {type(error).__name__}: {error}")]
    if not isinstance(env, gymnasium.Env):
        return [_cannot_be_made(f"the factory made {type(env).__name__}, not a gymnasium.Env")]
    findings, usable = check_environment(env, make_env, max_episode_steps)
    env.close()
    found: list[Finding] = list(findings)
    if controller is not None and usable:
        try:
            found += check_controller(make_env, controller, max_episode_steps)
        except UnsuitableEnvironment as error:
            found.append(_cannot_be_made(str(error)))
    return found


def _cannot_be_made(sentence: str) -> Finding:
    return Finding("error", "environment", "cannot-be-made", sentence)
