"""What a learner is shown of an environment whose observations are more than a vector.

Controllers get all that the environment observes. Learners get numbers side by side: those that
``observe`` names, what a function makes of an observation, or all that are no pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Text
from gymnasium.spaces.utils import flatdim, flatten

from rpl.observations import GOAL_PARTS, OBSERVATION, WHOLE, Observation, rows
from rpl.settings import Record
from rpl.tasks.gym.requirements import UnsuitableEnvironment, check_goal_shapes

Path = tuple[Any, ...]
"""The way to a part of an observation."""
Part = tuple[Path, gymnasium.Space]
Observe = str | Callable[[Observation], object] | None
"""Names of parts, such as ``robot.joints,object``; a function of one observation; or None."""
MOST_NUMBERS = 4096  # in one part: more is a picture, whatever its shape
NUMBERS = (Box, Discrete, MultiBinary, MultiDiscrete)  # what a vector can be made of
GOALS = tuple(name for name in GOAL_PARTS if name != OBSERVATION)


class Choice:
    """What is shown of observations: ``observation``, the goals, and ``whole`` for controllers.

    Args:
        space: of one environment's observations.
        observe: see ``Observe``.
        example: makes one observation, for a function whose width has to be found out.

    Raises:
        UnsuitableEnvironment: if it names what is not there, or what no vector can be made of.
    """

    def __init__(
        self, space: gymnasium.Space, observe: Observe, example: Callable[[], Observation]
    ) -> None:
        for path, part in leaves(space):
            if not isinstance(part, (*NUMBERS, Text)):
                raise UnsuitableEnvironment(
                    f"the observation's '{name_of(path)}' is {part}, of which no batch is made: "
                    "give it a fixed length, with gymnasium.wrappers.TransformObservation"
                )
        named = None if callable(observe) else observe
        self._function = observe if callable(observe) else None
        self._goals = GOALS if has_goals(space) else ()
        self._paths: list[Part] = []
        if self._function is not None:
            width = len(_vector(self._function, example()))
        else:
            self._paths = _chosen(space, named, self._goals)
            width = sum(flatdim(part) for _, part in self._paths)
        if width == 0:
            raise UnsuitableEnvironment(
                f"nothing is left to show the learner of {space}: name parts of it, --task.observe"
            )
        shown = {OBSERVATION: Box(-np.inf, np.inf, (width,), np.float64)}
        spaces: Any = getattr(space, "spaces", None)
        self._width = width
        self.space = Dict({**shown, **{name: spaces[name] for name in self._goals}, WHOLE: space})

    @property
    def parts(self) -> list[Record] | None:
        """What the vector is made of, for programs without this one; None of a function's.

        The way to each part, and of choices how many ``options`` each has and which is the
        ``first``: they are one-hot in the vector, one after the other.
        """
        if self._function is not None:
            return None
        return [{"path": list(path), **_options(space)} for path, space in self._paths]

    def __call__(self, observation: Observation) -> dict[str, Observation]:
        """A batch of the environment's observations, as the task's."""
        if self._function is not None:
            seen = rows(observation)
            shown = np.stack([_vector(self._function, row, self._width) for row in seen])
        else:
            parts = [_flat(_at(observation, path), space) for path, space in self._paths]
            shown = np.concatenate(parts, axis=1, dtype=np.float64)
        goals = {name: observation[name] for name in self._goals}
        return {OBSERVATION: shown, **goals, WHOLE: observation}


def needs_choice(space: gymnasium.Space, observe: Observe) -> bool:
    """Whether learners are shown something else than the space's own vectors."""
    if observe is not None:
        return True
    parts = space.spaces.values() if isinstance(space, Dict) and has_goals(space) else [space]
    return not all(isinstance(part, Box) and len(part.shape) == 1 for part in parts)


def has_goals(space: gymnasium.Space) -> bool:
    """Whether there are an achieved and a desired goal that hindsight can put in their places."""
    if not (isinstance(space, Dict) and all(name in space.spaces for name in GOAL_PARTS)):
        return False
    goals = [space.spaces[name] for name in GOALS]
    if not all(isinstance(goal, Box) and len(goal.shape) == 1 for goal in goals):
        return False
    check_goal_shapes(*goals)
    return True


def leaves(space: gymnasium.Space, path: Path = ()) -> Iterator[Part]:
    """The parts of a space that have no parts, each with the way to it."""
    if isinstance(space, gymnasium.spaces.Dict):
        for name, part in space.spaces.items():
            yield from leaves(part, (*path, name))
    elif isinstance(space, gymnasium.spaces.Tuple):
        for i, part in enumerate(space.spaces):
            yield from leaves(part, (*path, i))
    else:
        yield path, space


def name_of(path: Path) -> str:
    """How ``observe`` names a part."""
    return ".".join(map(str, path))


def is_picture(space: gymnasium.Space) -> bool:
    """Whether a part is meant to be looked at: bytes in rows and columns, or very many numbers."""
    if not isinstance(space, Box):
        return False
    in_rows = len(space.shape) >= 2
    return in_rows and (space.dtype == np.uint8 or int(np.prod(space.shape)) > MOST_NUMBERS)


def _chosen(space: gymnasium.Space, observe: str | None, goals: Sequence[str]) -> list[Part]:
    """Where the chosen parts are, and their spaces."""
    all_parts = [(path, part) for path, part in leaves(space) if name_of(path) not in goals]
    numbers = [(path, part) for path, part in all_parts if _is_numbers(part)]
    if observe is not None:
        names = [name for name in map(str.strip, observe.split(",")) if name not in ("", *goals)]
        return [part for name in names for part in _named(name, all_parts)]
    others = [(path, part) for path, part in all_parts if not _is_numbers(part)]
    if not others:
        return numbers
    odd, what = others[0]
    kind = "a picture" if is_picture(what) else "no vector of numbers"
    part = f"the observation's '{name_of(odd)}'" if odd else "the observation"
    named = ",".join(name_of(path) for path, _ in numbers)
    way = f"--task.observe {named} shows it the state alone, and " if numbers else ""
    raise UnsuitableEnvironment(
        f"{part} is {kind} ({what}), which the learner cannot see: {way}--task.observe "
        "module:function what an encoder makes of it; the controller gets all of the "
        "observation either way"
    )


def _named(name: str, parts: list[Part]) -> list[Part]:
    """The parts that a name stands for: one of them, or all inside of something.

    Raises:
        UnsuitableEnvironment: if there are none, or if one is no vector.
    """
    found = [(path, part) for path, part in parts if f"{name_of(path)}.".startswith(f"{name}.")]
    if not found:
        known = ", ".join(name_of(path) for path, _ in parts if path) or "no parts"
        raise UnsuitableEnvironment(
            f"the observation has no part '{name}' to show the learner; it has {known}"
        )
    for path, part in found:
        if not _is_numbers(part):
            raise UnsuitableEnvironment(
                f"the observation's '{name_of(path)}' is {part}, of which no vector is made: name "
                "other parts, or a function that makes one of it, --task.observe module:function"
            )
    return found


def _is_numbers(space: gymnasium.Space) -> bool:
    return isinstance(space, NUMBERS) and not is_picture(space)


def _at(observation: Observation, path: Path) -> Observation:
    for name in path:
        observation = observation[name]
    return observation


def _options(space: gymnasium.Space) -> Record:
    """Of a choice, or of several side by side, how many there are and which is the first."""
    if not isinstance(space, (Discrete, MultiDiscrete)):
        return {}
    count = np.atleast_1d(space.n if isinstance(space, Discrete) else space.nvec)
    first = np.atleast_1d(space.start)
    return {"options": count.ravel().tolist(), "first": first.ravel().tolist()}


def _flat(batch: Observation, space: gymnasium.Space) -> np.ndarray:
    """A part of a batch as rows of numbers, one-hot where it is a choice."""
    if isinstance(space, Box):
        return np.asarray(batch).reshape(len(batch), -1)
    return np.array([flatten(space, one) for one in batch])


def _vector(
    function: Callable[[Observation], object], observation: Observation, width: int | None = None
) -> np.ndarray:
    """What the user's function makes of one observation.

    Raises:
        UnsuitableEnvironment: if it is no vector of numbers, or has not the width that it had.
    """
    made: Any = function(observation)
    if hasattr(made, "detach"):
        made = made.detach().cpu().numpy()
    try:
        vector = np.array(made, np.float64)
    except (TypeError, ValueError):
        vector = np.empty((0, 0))
    if vector.ndim != 1 or not vector.size:
        raise UnsuitableEnvironment(
            f"what --task.observe names returned {type(made).__name__} of shape {np.shape(made)} "
            "for one observation: return one vector of numbers, such as encoder(picture).ravel()"
        )
    if width not in (None, len(vector)):
        raise UnsuitableEnvironment(
            f"what --task.observe names returned {len(vector)} numbers for one observation, and "
            f"{width} for the first: return as many for every one"
        )
    return vector
