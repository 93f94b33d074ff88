"""Whether what it observes fits what it promises, and what a learner will make of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import gymnasium
import numpy as np

from rpl.check.finding import Findings
from rpl.observations import GOAL_PARTS, OBSERVATION, map_parts
from rpl.tasks.gym.observe import Choice, Observe, Path, leaves, name_of, needs_choice
from rpl.tasks.gym.task import Observation

LARGE = 200.0
LEAST_SPREAD = 1e-3  # in standard deviations of 0.01, the least that observations are divided by
COARSE = 0.02  # of a usual step, that float32 rounds away
JITTER = 0.01  # of the greatest change
REPLAY = 1_000_000  # transitions that are kept
WIDE = 4e9  # bytes of replay


def check_values(
    findings: Findings, space: gymnasium.Space, observations: Sequence[Observation]
) -> None:
    """Holds an episode's observations to their space: shapes, types, numbers."""
    for t, observation in enumerate(observations):
        when = "reset" if t == 0 else f"step {t}"
        for path, promised in leaves(space):
            if isinstance(promised, gymnasium.spaces.Box):
                _check_part(findings, name_of(path), _at(observation, path), promised, when)


def _at(observation: Observation, path: Path) -> Observation:
    """A part of an observation; None if it is missing."""
    try:
        for name in path:
            observation = observation[name]
    except (KeyError, IndexError, TypeError):
        return None
    return observation


def _check_part(
    findings: Findings, name: str, part: object, promised: gymnasium.spaces.Box, when: str
) -> None:
    what = "the observation" if not name else f"the observation's '{name}'"
    if part is None:
        findings.error("observation-part", f"{what} is missing at {when}: return every part")
        return
    array = np.asarray(part)
    if array.shape != promised.shape:
        findings.error(
            "observation-shape",
            f"{what} has shape {array.shape} at {when}, but its space says {promised.shape}: "
            "make them agree",
        )
    elif not np.issubdtype(array.dtype, np.number):
        findings.error("observation-dtype", f"{what} holds {array.dtype}: return numbers")
    elif not np.isfinite(array).all():
        findings.error(
            "observation-not-finite",
            f"{what} has {array[~np.isfinite(array)][0]} in component "
            f"{int(np.argmin(np.isfinite(array)))} at {when}: return finite numbers, or end the "
            "episode before",
        )
    elif not (np.all(array >= promised.low) and np.all(array <= promised.high)):
        outside = int(np.argmax((array < promised.low) | (array > promised.high)))
        low, high = promised.low.flat[outside], promised.high.flat[outside]
        findings.warning(
            "observation-bounds",
            f"{what} is {array.flat[outside]:.4g} in component {outside} at {when}, outside of its "
            f"space's [{low:.4g}, {high:.4g}]: widen the space",
        )
    elif array.dtype != promised.dtype:
        findings.warning(
            "observation-dtype",
            f"{what} is {array.dtype}, but its space says {promised.dtype}: it will be converted",
        )


def check_what_is_shown(
    findings: Findings,
    space: gymnasium.Space,
    observe: Observe,
    episodes: Sequence[Sequence[Observation]],
) -> None:
    """What a learner will make of the numbers that it is shown: their width, size and rounding."""
    shown = [dict(_shown(space, observe, observations)) for observations in episodes]
    width = sum(part.shape[1] for part in shown[0].values())
    if 4 * width * REPLAY > WIDE:
        findings.warning(
            "wide-observation",
            f"the learner is shown {width:,} numbers: a replay of {REPLAY:,} such observations "
            f"takes {4e-9 * width * REPLAY:.0f} GB; show it less, with --task.observe NAMES or "
            "module:function, or keep fewer, --replay.capacity",
        )
    for name in shown[0]:
        _check_numbers(findings, name, [parts[name] for parts in shown])


def _shown(
    space: gymnasium.Space, observe: Observe, observations: Sequence[Observation]
) -> Iterator[tuple[str, np.ndarray]]:
    """The parts that a learner is shown, each (steps, size)."""
    batch = map_parts(lambda *parts: np.stack(parts), *observations)
    if needs_choice(space, observe):
        batch = Choice(space, observe, lambda: observations[0])(batch)
    parts = batch if isinstance(batch, Mapping) else {OBSERVATION: batch}
    for name, part in parts.items():
        if name != GOAL_PARTS[1] and isinstance(part, np.ndarray) and part.ndim == 2:
            yield name, part


def _usual_change(steps: np.ndarray) -> float:
    """The median of those changes (steps,) that are more than the jitter of something at rest."""
    moving = steps[steps > JITTER * steps.max(initial=0.0)]
    return float(np.median(moving)) if len(moving) else np.inf


def _check_numbers(findings: Findings, name: str, episodes: Sequence[np.ndarray]) -> None:
    """The size and the differences of a part's components, each episode (steps, size)."""
    numbers = np.concatenate(episodes).astype(np.float64)
    largest, spread = np.abs(numbers).max(axis=0), numbers.std(axis=0)
    of = "" if name == OBSERVATION else f" of '{name}'"
    steps = np.concatenate([np.abs(np.diff(e.astype(np.float64), axis=0)) for e in episodes])
    usual = np.array([_usual_change(step) for step in steps.T])
    coarse = np.spacing(largest.astype(np.float32)) > COARSE * usual
    if coarse.any():
        c = int(np.argmax(coarse))
        findings.warning(
            "float32-precision",
            f"component {c}{of} is up to {largest[c]:.4g} and changes by {usual[c]:.2g} a step, "
            f"but float32, in which the learner keeps it, has a precision of "
            f"{np.spacing(np.float32(largest[c])):.2g} there: subtract an offset first",
        )
    elif (largest > LARGE).any():
        c = int(np.argmax(largest))
        findings.note(
            "large-observations",
            f"component {c}{of} is up to {largest[c]:.4g}: in whatever unit, observations are "
            "normalised by their mean and spread before they are clipped",
        )
    flat = (spread > 0.0) & (spread < LEAST_SPREAD) & (largest > 0.0)
    if flat.any():
        c = int(np.argmax(flat))
        findings.note(
            "small-observations",
            f"component {c}{of} varies by {spread[c]:.2g} only, and the learner divides by at "
            "least 0.01: if it matters, scale the observation to a unit in which it is about 1",
        )
