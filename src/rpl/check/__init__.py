"""Whether an environment and a controller keep the contract, in words."""

from __future__ import annotations

import gymnasium

from rpl.check.controller import check_controller
from rpl.check.ends import check_ends
from rpl.check.environment import check_environment
from rpl.check.finding import Finding, Findings, Training
from rpl.errors import Failure
from rpl.tasks.gym.requirements import UnsuitableEnvironment
from rpl.tasks.gym.task import MakeEnv

__all__ = ["Finding", "Training", "check"]


def check(
    make_env: MakeEnv, controller: object = None, training: Training | None = None
) -> list[Finding]:
    """Runs an environment, and a controller in it, and says what is wrong with them.

    Args:
        make_env: makes one environment.
        controller: in any form that ``rpl.controllers.adapt.adapt`` takes; None checks the
            environment alone.
        training: what they are to be trained with.

    Returns:
        What was found; without any of severity ``error`` the two can be trained on.
    """
    training = training or Training()
    try:
        env = make_env()
    except Failure as error:
        return [_cannot_be_made(str(error))]
    except Exception as error:
        return [_cannot_be_made(f"it cannot be made: {type(error).__name__}: {error}")]
    if not isinstance(env, gymnasium.Env):
        return [_cannot_be_made(f"the factory made {type(env).__name__}, not a gymnasium.Env")]
    findings, usable, endings = check_environment(env, make_env, training)
    found, of_ends = [], Findings("environment")
    if controller is not None and usable:
        try:
            found, more = check_controller(make_env, controller, training)
            endings += more
        except UnsuitableEnvironment as error:
            found = [_cannot_be_made(str(error))]
    check_ends(of_ends, env, endings, training.hindsight)
    env.close()
    return [*findings, *of_ends, *found]


def _cannot_be_made(sentence: str) -> Finding:
    return Finding("error", "environment", "cannot-be-made", sentence)
