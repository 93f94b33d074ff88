"""The contract of a controller."""

from __future__ import annotations

import timeit
from collections.abc import Callable
from contextlib import closing

import numpy as np

from rpl.check.acting import Acted, act, ask_again, reset, turned
from rpl.check.actions import check_actions
from rpl.check.ends import Ending, endings_of
from rpl.check.finding import Findings, Training
from rpl.check.randomness import draws_at_random
from rpl.controllers.adapt import adapt
from rpl.controllers.contract import Controller, ControllerError, Remembers
from rpl.controllers.guard import Guarded
from rpl.controllers.per_environment import PerEnvironment
from rpl.tasks.gym.task import GymnasiumTask, MakeEnv

NUM_ENVS = 3
SLOW = 20.0  # times an environment's step
FLOAT32 = 2e-4  # of halves of the range: what sums of another order differ by in a network
EPISODES = 12  # enough to see how they end, if they are played quickly
SEE = (
    "the learner must see what it drew: train with --residual.observe-controller and "
    "--residual.critic-input sum, and expect evaluations to differ by chance"
)


def check_controller(
    make_env: MakeEnv, source: object, training: Training | None = None
) -> tuple[Findings, list[Ending]]:
    """Lets a controller act in three environments and in one, and asks it everything twice.

    Args:
        source: in any form that ``rpl.controllers.adapt.adapt`` takes.

    Returns:
        What was found, and how its episodes ended.
    """
    training = training or Training()
    findings, endings = Findings("controller"), list[Ending]()
    with closing(_task(make_env, NUM_ENVS, training)) as task:
        try:
            controller = adapt(source, task)
            acted = act(controller, task, 0, training.seconds)
            endings += endings_of(acted)
            for seed in range(NUM_ENVS, EPISODES, NUM_ENVS):
                endings += endings_of(act(controller, task, seed, training.seconds / EPISODES))
        except ControllerError as error:
            findings.error("contract", str(error))
            return findings, endings
        except Exception as error:
            findings.error("raises", f"it raises {type(error).__name__} as it acts: {error}")
            return findings, endings
        check_actions(findings, task, acted.all_actions, training.scale)
        if _check_memory(findings, acted, source):
            _check_rows(findings, acted)
            with closing(_task(make_env, 1, training)) as single:
                _check_alone(findings, source, single, acted)
        _check_time(findings, acted)
    return findings, endings


def _task(make_env: MakeEnv, num_envs: int, training: Training) -> GymnasiumTask:
    return GymnasiumTask(
        make_env,
        num_envs,
        max_episode_steps=training.max_episode_steps,
        observe=training.observe,
    )


def _check_memory(findings: Findings, acted: Acted, source: object) -> bool:
    """Whether the same episode earns the same actions again."""
    actions = acted.all_actions
    again = ask_again(acted.controller, acted)
    otherwise = np.abs(again.actions - actions).max(axis=(1, 2)) > FLOAT32
    if not otherwise.any():
        return True
    t = int(np.argmax(otherwise))
    task = acted.task
    if draws_at_random(lambda: ask_again(acted.controller, acted), [source, acted.controller]):
        findings.warning("random", f"it draws at random, two answers for one observation: {SEE}")
    elif not again.same_environment:
        findings.warning(
            "environment-differs",
            "the same seed and actions led to another episode, so its memory and its batches "
            "could not be judged: let the environment's reset() set everything back, or expect "
            "runs that cannot be repeated exactly",
        )
    elif _has_reset(acted.controller):
        if _copies_differ(task, source, acted):
            sentence = f"it acts otherwise in each of two fresh copies, as if at random: {SEE}"
            findings.warning("random", sentence)
            return False
        findings.error(
            "reset-forgets-too-little",
            f"after reset() it acted otherwise in the same episode, first at step {t}: let "
            "reset() clear all of its memory",
        )
    else:
        findings.error(
            "memory-without-reset",
            f"it acted otherwise when it saw the same episode again, first at step {t}: give it "
            "reset(), called where an episode begins",
        )
    return False


def _copies_differ(task: GymnasiumTask, source: object, acted: Acted) -> bool:
    """Whether controllers that begin alike do not act alike."""
    one, other = (ask_again(adapt(source, task), acted).actions for _ in range(2))
    return not np.allclose(one, other, atol=FLOAT32)


def _has_reset(controller: Controller) -> bool:
    inner = _unguarded(controller)
    if isinstance(inner, PerEnvironment):
        return any(isinstance(one, Remembers) for one in inner.controllers)
    return isinstance(inner, Remembers)


def _unguarded(controller: Controller) -> Controller:
    return controller.controller if isinstance(controller, Guarded) else controller


def _check_rows(findings: Findings, acted: Acted) -> None:
    """A batch is answered row by row: turned around, the answers turn around."""
    if isinstance(_unguarded(acted.controller), PerEnvironment):
        return
    answers = ask_again(acted.controller, acted, change=turned).actions
    if not np.allclose(answers[:, ::-1], acted.all_actions, atol=FLOAT32):
        findings.error(
            "mixes-environments",
            "what it does in one environment depends on the others in the batch: compute row by "
            "row, along axis 1, or write it for one observation",
        )


def _check_alone(findings: Findings, source: object, task: GymnasiumTask, acted: Acted) -> None:
    """One environment gets the actions that it gets among several, for the same observations."""
    try:
        alone = ask_again(adapt(source, task), acted, task).actions[:, 0]
    except Exception as error:
        findings.error(
            "one-environment",
            f"it fails with a single environment ({type(error).__name__}: {error}): it must take "
            "a batch of any size",
        )
        return
    if not np.allclose(alone, acted.all_actions[:, 0], atol=FLOAT32):
        findings.error(
            "number-of-environments",
            "it acts otherwise in one environment alone than in the first of three: keep what "
            "belongs to an environment apart",
        )


def _check_time(findings: Findings, acted: Acted) -> None:
    task, controller, observation = acted.task, acted.controller, acted.seen[0]
    reset(controller, task.num_envs)
    acting = _seconds(lambda: controller(observation)) / task.num_envs
    task.reset(seed=0)
    action = np.zeros(task.action_space.shape or ())
    stepping = _seconds(lambda: task.step(action)) / task.num_envs
    said = f"an action takes {_time(acting)}, a step of the environment {_time(stepping)}"
    if acting > SLOW * stepping:
        findings.warning("time", f"{said}: training will mostly wait for it")
    else:
        findings.note("time", said)


def _seconds(function: Callable[[], object]) -> float:
    """The least time of a few calls."""
    return min(timeit.repeat(function, number=1, repeat=5))


def _time(seconds: float) -> str:
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} us"
    return f"{seconds * 1e3:.1f} ms" if seconds < 1.0 else f"{seconds:.1f} s"
