"""Which shapes a controller takes and returns: one observation or a batch, actions or chunks.

It is tried out on a few first observations, on copies of what may have a memory.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable

import numpy as np
from gymnasium.vector import VectorEnv

from rpl.controllers.chunks import Chunks, ChunksOfOne
from rpl.controllers.contract import Answering, ControllerError, Source, action_of
from rpl.controllers.forms import OfTensors, Predicting, Recurrent, answer_of, copied
from rpl.controllers.guard import call_guarded
from rpl.controllers.onnx_policy import OnnxPolicy
from rpl.controllers.per_environment import AsBatchOfOne, PerEnvironment, begun, per_env
from rpl.controllers.resets import ByMask
from rpl.errors import frames_of_user_code
from rpl.observations import (
    Observation,
    arrays_of,
    map_parts,
    read_only,
    row_of,
    size_of,
    whole_of,
    width_of,
)

FEWEST_ROWS = 5


def of_either_shape(function: Source, task: VectorEnv) -> Source:
    """Finds out on first observations whether it takes one of them or a batch, and plans chunks."""
    if isinstance(function, OnnxPolicy):
        return function  # whose file is of batches
    size = width_of(task.single_action_space)
    batch = first_observations(task)
    count = size_of(batch)
    if isinstance(function, Predicting) and _is_recurrent(function, batch):
        return Recurrent(function)
    one_by_one, row_says = _attempt(per_env(_trial(function)), batch)
    whole, whole_says = None, "was not asked, since it answers one observation twice otherwise"
    if one_by_one is None or not _changes(function, batch, one_by_one[0]):
        whole, whole_says = _attempt(_trial(function), batch)
    if one_by_one is None and whole is None:  # else one of the two ways is not meant
        for says in (row_says, whole_says):
            if isinstance(says, ControllerError):
                raise says
    # What a function of one observation makes of a batch may have a batch's shape by chance.
    if one_by_one is not None and one_by_one.shape == (count, size):
        return function if _are_alike(whole, one_by_one) else per_env(function)
    if whole is not None and whole.shape == (count, size):
        return function
    if _are_chunks(one_by_one, count, size):
        return PerEnvironment([ChunksOfOne(function) for _ in range(task.num_envs)])
    if _are_chunks(whole, count, size):
        return Chunks(function)
    raise ControllerError(
        f"the controller fits neither one observation, to be answered with shape ({size},)"
        f", nor a batch of {count}, to be answered with shape ({count}, {size}): one by one "
        f"it {row_says}, for a batch it {whole_says}"
    )


def _are_alike(whole: np.ndarray | None, one_by_one: np.ndarray) -> bool:
    """Whether a batch is answered as one by one, but for the rounding of float32."""
    if whole is None or whole.shape != one_by_one.shape:
        return False
    return np.allclose(whole, one_by_one, rtol=1e-4, atol=1e-6)


def _are_chunks(actions: np.ndarray | None, count: int, size: int) -> bool:
    """Whether there is a chunk of actions for each observation, (count, k, size)."""
    if actions is None or actions.ndim != 3:
        return False
    return (actions.shape[0], actions.shape[2]) == (count, size)


def _is_recurrent(function: Predicting, batch: Observation) -> bool:
    try:
        return function.is_recurrent(read_only(batch))
    except Exception:  # it takes no batch, or will say what is wrong where it is tried
        return False


def _trial(function: Source) -> Source:
    """What to try a function out with: a copy of an object, whose memory is nobody's to spoil."""
    if inspect.isfunction(function) or isinstance(function, (Predicting, OfTensors)):
        return function
    try:
        return copied(function)
    except ControllerError:
        return function


def _changes(function: Source, batch: Observation, answer: np.ndarray) -> bool:
    """Whether a function, of which there is no copy, has a memory that a batch would spoil."""
    if not inspect.isfunction(function):
        return False
    again, _ = _attempt(per_env(function), _row_as_batch(batch, 0))
    return again is None or not np.array_equal(again[0], answer)


def _attempt(
    function: Answering, observation: Observation
) -> tuple[np.ndarray | None, str | ControllerError]:
    """The action, if there is one, and what happened in words, or why it is none."""
    try:
        action = call_guarded(function, observation)
    except ControllerError as error:
        return None, error
    except Exception as error:
        frames = frames_of_user_code(error)
        place = f" in {frames[-1].filename}, line {frames[-1].lineno}" if frames else ""
        return None, f"raised {type(error).__name__} ({error}){place}"
    if action.ndim == 0 and np.isnan(action):
        return action, "returned None or nan"
    return action, f"returned shape {action.shape}"


def _row_as_batch(batch: Observation, i: int) -> Observation:
    """One observation of a batch, as a batch."""
    return map_parts(lambda part: part[i : i + 1], batch)


def first_observations(task: VectorEnv) -> Observation:
    """First observations of a few episodes, in a number that no width of theirs equals."""
    seen, rounds = 0, []
    count = FEWEST_ROWS
    while seen < count:
        seeds = list(range(seen, seen + task.num_envs))
        observation, _ = task.reset(seed=seeds)  # type: ignore[arg-type]
        rounds.append(whole_of(observation))
        seen += task.num_envs
        shapes = (np.shape(part)[1:] for part in arrays_of(rounds[0]))
        widths = {width_of(task.single_action_space), *(n for shape in shapes for n in shape)}
        count = next(
            n for n in range(FEWEST_ROWS, FEWEST_ROWS + len(widths) + 1) if n not in widths
        )
    return map_parts(lambda *parts: np.concatenate(parts)[:count], *rounds)


def plans_chunks(inside: Source, task: VectorEnv) -> bool:
    try:
        trial = copied(inside)
        acting = ByMask(answer_of(trial), trial)
        observation = read_only(whole_of(task.reset(seed=0)[0]))
        acting.reset(np.ones(task.num_envs, bool))
        return action_of(acting(observation)).ndim == 3
    except Exception:  # it will be said where it acts
        return False


def answering(make: Callable[[], Source], task: VectorEnv) -> Answering:
    """How to ask a controller of one environment, which may want a batch of one or plan chunks.

    Args:
        make: makes one to try.
        task: where it is to act.
    """
    row = row_of(first_observations(task), 0)
    size = width_of(task.single_action_space)
    for wrap in (_as_it_is, AsBatchOfOne):
        trial = wrap(make())
        try:
            answer = np.atleast_1d(call_guarded(begun(trial), row))
        except ControllerError:
            raise
        except Exception:  # it will be said where it acts
            continue
        if answer.shape == (size,):
            return wrap
        if answer.ndim == 2 and answer.shape[1] == size:
            return lambda one, wrap=wrap: ChunksOfOne(wrap(one))
    return _as_it_is


def _as_it_is(controller: Source) -> Source:
    return controller
