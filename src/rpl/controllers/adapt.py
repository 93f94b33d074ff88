"""Somebody's own controller, in whatever form it comes, as a batched one.

| what it is | how it is used |
|---|---|
| a function of a batch, (n, dim) -> (n, action_dim) | as it is |
| a function of one observation, (dim,) -> (action_dim,) | called for each environment |
| an object with ``reset(mask)`` or ``reset(env_ids)`` | as it is: it keeps all memories |
| an object with ``reset()`` or ``reset(observation)`` | copied for each environment, and reset
where an episode begins |
| a class | an object of it, used as above |
| a class or a function whose only parameter is ``env`` | makes one for each environment |
| a function of ``env`` and an observation | called for each environment |
| an ONNX file's policy | as it is: it takes a batch |
| a ``rpl.controllers.CachedPolicy`` | as it is |
| objects of other libraries | see ``rpl.controllers.forms`` |
| any of these with chunks of actions, (k, action_dim) | each chunk is played to its end |

Actions are in the environment's own units everywhere. Which shapes something takes and returns
is tried out on a few first observations, on copies of what may have a memory.
"""

from __future__ import annotations

import inspect
from functools import partial

import gymnasium
import numpy as np
from gymnasium.vector import VectorEnv

from rpl.controllers.cached import CachedPolicy
from rpl.controllers.chunks import Chunks
from rpl.controllers.contract import Controller, ControllerError, Source
from rpl.controllers.forms import answer_of, copied, has_weights
from rpl.controllers.guard import call_guarded, guarded
from rpl.controllers.per_environment import PerEnvironment, begun
from rpl.controllers.resets import ByMask, OfOne, positional, reset_kind
from rpl.controllers.shapes import answering, of_either_shape, plans_chunks
from rpl.observations import width_of
from rpl.tasks.gym.task import GymnasiumTask


def adapt(source: Source, task: VectorEnv) -> Controller:
    """A batched controller for a task, with actions as fractions of the action range.

    Args:
        source: the user's controller; see the table above.
        task: the bare task that it is to act in. A function of the environment gets
            each environment of a ``GymnasiumTask``, or else the whole task.

    Raises:
        ControllerError: if nothing in the table fits.
    """
    if isinstance(source, CachedPolicy):
        return source  # which has the task's units already
    size = width_of(task.single_action_space)
    if not isinstance(task, GymnasiumTask):
        return guarded(_of_task(source, task), size)
    return guarded(_of_environments(source, task), size, task.to_unit)


def is_factory(source: Source) -> bool:
    """Whether it makes controllers from an environment: its first parameter is ``env``."""
    return positional(source)[:1] == ["env"]


def _of_environments(source: Source, task: GymnasiumTask) -> Source:
    if not is_factory(source):
        return _one_or_all(source, task)
    if task.parallel:
        _check_reads_no_state(source, task)
    envs = [task.envs[0]] * task.num_envs if task.parallel else task.envs
    wrap = answering(lambda: _of_one(_from_env(source, task.envs[0])), task)
    return PerEnvironment([wrap(_of_one(_from_env(source, env))) for env in envs])


def _of_task(source: Source, task: VectorEnv) -> Source:
    """For a task that is batched itself: nothing to make for each environment but memories."""
    return _one_or_all(source(task) if is_factory(source) else source, task)


def class_of(source: Source) -> type | None:
    """The class that is to be made, with or without arguments of ``functools.partial``."""
    made = source.func if isinstance(source, partial) else source
    return made if inspect.isclass(made) else None


def _made(source: Source) -> Source:
    """An object of a class, or the object itself."""
    kind = class_of(source)
    if kind is None:
        return source
    if missing := positional(source):
        name = kind.__name__
        raise ControllerError(
            f"the class {name} cannot be made without {', '.join(missing)}: give an object of it, "
            f"as in --controller module:controller with controller = {name}(...) in the module"
        )
    try:
        return source()
    except ValueError as error:
        raise ControllerError(f"{kind.__name__} refuses its settings: {error}") from error


def _one_or_all(source: Source, task: VectorEnv) -> Source:
    """A controller of all environments: as it is, or one for each where it has one memory.

    Those of a class are made, so that each draws its own random numbers; but a network's weights
    are in memory once.
    """
    controller = _made(source)
    kind = reset_kind(controller)
    if kind is None:
        return of_either_shape(answer_of(controller), task)
    if kind in ("mask", "ids"):
        batched = ByMask(answer_of(controller), controller)
        return Chunks(batched, batched) if plans_chunks(controller, task) else batched
    makes = class_of(source) is not None and not has_weights(controller)

    def another() -> Source:
        return _of_one(_made(source) if makes else copied(controller))

    wrap = answering(another, task)
    return PerEnvironment([wrap(another()) for _ in range(task.num_envs)])


def _of_one(controller: Source) -> Source:
    """A controller of one environment, reset as it wants to be."""
    act = answer_of(controller)
    return act if reset_kind(controller) is None else OfOne(act, controller)


def _from_env(source: Source, env: gymnasium.Env) -> Source:
    """The controller of one environment, which keeps it or is handed it in every call."""
    if class_of(source) or len(positional(source)) == 1:
        make: Source = source
        return make(env)
    return partial(source, env)


def _check_reads_no_state(source: Source, task: GymnasiumTask) -> None:
    """Environments in processes of their own are out of sight: their state must not matter.

    Raises:
        ControllerError: if the action for one observation changes as the environment moves on.
    """
    env = task.envs[0]
    observation, _ = env.reset(seed=0)

    def asked() -> np.ndarray:
        return call_guarded(begun(_of_one(_from_env(source, env))), observation)

    before, again = asked(), asked()
    env.action_space.seed(0)
    for _ in range(3):
        env.step(env.action_space.sample())
    after = asked()
    env.reset(seed=0)
    # Of one that draws its actions the answers say nothing.
    if np.array_equal(before, again) and not np.array_equal(before, after):
        raise ControllerError(
            "the controller reads the state of the environment it was made from, which other "
            "processes cannot show it: use one process, --task.processes 1"
        )
