"""A trained policy in Python: from observations to actions, in the environment's units."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from rpl import learner
from rpl.errors import Failure
from rpl.learner import LearnerState
from rpl.observations import (
    BASE_ACTION,
    DESIRED_GOAL,
    OBSERVATION,
    WITH_GOAL,
    Observation,
    batch_of_one,
    in_form,
    is_single,
)
from rpl.problem import Problem
from rpl.rollout.policies import GreedyPolicy, WholePolicy
from rpl.settings import Record
from rpl.tasks.gym.task import GymnasiumTask


def check_finite(what: str, values: Observation) -> None:
    """Refuses numbers on which nobody should act; those that no float32 can hold are such too.

    Raises:
        NotFinite: naming the first.
    """
    for name, part in _named_parts(what, values):
        with np.errstate(over="ignore"):
            bad = np.argwhere(~np.isfinite(np.asarray(part, np.float32)))
        if len(bad):
            place = "".join(f"[{i}]" for i in bad[0])
            value = np.asarray(part)[tuple(bad[0])]
            raise NotFinite(f"the {name} is not finite, {place} is {value}: stop, or act otherwise")


def _named_parts(what: str, values: Observation) -> Iterator[tuple[str, Observation]]:
    """The arrays of an observation, however nested, each with what it is called."""
    if isinstance(values, tuple):
        values = {str(i): part for i, part in enumerate(values)}
    if not isinstance(values, Mapping):
        yield what, values
        return
    for name, part in values.items():
        yield from _named_parts(what if name == what else f"{what}'s {name}", part)


def checked_finite(what: str, values: np.ndarray) -> np.ndarray:
    """The same numbers; see ``check_finite``."""
    check_finite(what, values)
    return values


class NotFinite(Failure, ValueError):
    """A number that nobody should act on."""


class Policy:
    """Controller plus learned residual, as it is deployed.

    ``policy(observation)`` takes what the task observes, one observation or a batch of
    them, and returns actions of the same number in the environment's units. Where the
    controller has a memory, call ``reset()`` where an episode begins.

    Args:
        state: the learner.
        problem: what it was learned on.
        record: the run's ``config.json``.
        remark: why it acts as its controller, if it does.
    """

    def __init__(
        self, state: LearnerState, problem: Problem, record: Record, remark: str | None = None
    ) -> None:
        self.state = state
        self.remark = remark
        self.problem = problem
        self.task_name: str = record["task"]
        self.method: str = record["method"]
        self.controller_name: str = record["controller"]
        self.controller = problem.controller
        self.frames = problem.frames
        self.seen = problem.seen
        """What the learner is shown: names of parts and their widths."""
        self.is_residual = problem.adds
        """Whether the learner adds to the controller, or acts alone."""
        self.scale = problem.scale
        """What a residual of 1 adds, in halves of the action range; (action_dim,)."""
        self.base = problem.base()
        """The controller as a policy, in halves of the action range; None where there is none."""
        self._greedy = GreedyPolicy(state, problem)
        self._whole = WholePolicy(self._greedy, self.base)
        bare = problem.evaluation_task.unwrapped
        ones = np.ones(problem.action_size)
        own = bare if isinstance(bare, GymnasiumTask) else None
        self._choice = None if own is None else own.choice
        self._encoder = record.get("task_options", {}).get("observe")
        self._space = problem.evaluation_task.single_observation_space
        self._shown: Callable[[Observation], Observation] = lambda observation: observation
        if own is not None:
            self._space, self._shown = own.whole_space, own.shown
        self.action_low = -ones if own is None else own.action_low
        """(action_dim,) the environment's bounds."""
        self.action_high = ones if own is None else own.action_high
        self.action_dtype = np.dtype(np.float32) if own is None else own.action_dtype
        self.is_whole = bool(np.issubdtype(self.action_dtype, np.integer))
        """Whether actions are whole numbers, to which they are rounded."""
        self.reset()  # whoever calls it at once is at the beginning of an episode

    @property
    def widths(self) -> dict[str, int]:
        """Widths of the parts of an observation that the task gives and the learner sees."""
        return {name: size for name, size in self.seen.sizes.items() if name != BASE_ACTION}

    @property
    def observed(self) -> Record | None:
        """What ``observation`` is made of, where that is not what the environment observes.

        Its ``parts``, see ``rpl.tasks.gym.observe.Choice``, or the ``function`` that makes it.
        """
        if self._choice is None:
            return None
        parts = self._choice.parts
        return {"function": self._encoder} if parts is None else {"parts": parts}

    @property
    def observes_base(self) -> bool:
        """Whether the learner sees the controller's action."""
        return self.problem.observes_base

    def __call__(self, observation: Observation) -> np.ndarray:
        """Actions, (n, action_dim) for n observations or (action_dim,) for one.

        Raises:
            ValueError: if an observation is not as wide as those of the task, or if it, the
                controller's action or the action is not finite. What a robot does then is for
                whoever calls to decide.
        """
        observation = in_form(observation, self._space)
        if is_single(observation, self._space):
            return self(batch_of_one(observation))[0]
        if not isinstance(observation, (Mapping, tuple)):
            observation = np.asarray(observation)
        observation = self._shown(observation)
        self._check_widths(observation)
        check_finite("observation", observation)
        return checked_finite("action", self._from_unit(self._whole(observation)))

    def _check_widths(self, observation: Observation) -> None:
        plain = not isinstance(observation, Mapping)
        parts: Mapping[str, Observation] = {OBSERVATION: observation} if plain else observation
        if missing := [name for name in self.widths if name not in parts]:
            raise ValueError(
                f"the observation has no {' and no '.join(missing)}, which the policy was learned "
                "with" + (WITH_GOAL if DESIRED_GOAL in missing else "")
            )
        widths = {name: np.shape(parts[name])[-1] for name in self.widths}
        if widths != self.widths:
            found, expected = tuple(widths.values()), tuple(self.widths.values())
            raise ValueError(
                f"the observation's {', '.join(widths)} have {found} numbers, and the policy was "
                f"learned on {expected}"
            )

    def reset(self, mask: np.ndarray | None = None) -> None:
        """Clears the controller's memory, of the environments in ``mask`` or of all."""
        count = self.problem.evaluation_task.num_envs
        self._whole.reset(np.ones(count, bool) if mask is None else mask)

    def residual(
        self, observation: Observation, base_action: np.ndarray | None = None
    ) -> np.ndarray:
        """f(s, g), (n, action_dim) in [-1, 1], for n observations; 0 where a gate is closed.

        Args:
            observation: what the task observes.
            base_action: the controller's actions in halves of the action range, (n, action_dim),
                where the policy observes them.

        Raises:
            ValueError: if they are missing, or a number is not finite.
        """
        check_finite("observation", observation)
        if self.observes_base and base_action is None:
            raise ValueError("this policy observes the controller's action: give it too")
        if base_action is not None:
            check_finite("controller's action", base_action)
        return checked_finite("residual", self._greedy.learned(observation, base_action))

    def advantage(self, observation: Observation, base_action: np.ndarray) -> np.ndarray:
        """What the critics are sure of, (n,) in discounted reward, for n observations.

        Args:
            observation: what the task observes.
            base_action: the controller's actions, in the environment's units.

        Raises:
            ValueError: if the policy has no gate.
        """
        if self.state.gate is None:
            raise ValueError("this policy has no gate: its residual always acts")
        shown = self.seen(observation, self.to_unit(base_action))
        return np.array(learner.advantage(self.state, shown))

    def combine(self, base_action: np.ndarray, learned: np.ndarray) -> np.ndarray:
        """Actions from the controller's, in the environment's units, and the residual's.

        Raises:
            ValueError: if a number is not finite.
        """
        check_finite("controller's action", base_action)
        check_finite("residual", learned)
        return self._from_unit(self.executed(base_action, learned))

    def executed(self, base_action: np.ndarray, learned: np.ndarray) -> np.ndarray:
        """The same in halves of the action range, before whole numbers are made of it."""
        return self._greedy.executed(learned, self.to_unit(base_action))

    def to_unit(self, action: np.ndarray) -> np.ndarray:
        """The controller's actions in halves of the action range, as the learner sees them."""
        middle, reach = self.middle_and_reach
        base = (action - middle) / reach
        clips = self.base is not None and self.base.clip
        return np.clip(base, -1.0, 1.0) if clips else base

    @property
    def middle_and_reach(self) -> tuple[np.ndarray, np.ndarray]:
        """The middle of the action range and half of its width, each (action_dim,)."""
        low, high = self.action_low, self.action_high
        return (high + low) / 2.0, (high - low) / 2.0

    def _from_unit(self, action: np.ndarray) -> np.ndarray:
        middle, reach = self.middle_and_reach
        inside = np.clip(middle + reach * action, self.action_low, self.action_high)
        return (np.rint(inside) if self.is_whole else inside).astype(self.action_dtype)

    def random_observations(self, count: int, generator: np.random.Generator) -> Observation:
        """Observations as wide as those seen in training, and wider: (count, ...)."""
        mean, std = (np.asarray(x) for x in (self.state.normalizer.mean, self.state.normalizer.std))
        drawn = mean + 3.0 * std * generator.standard_normal((count, len(mean)))
        ends = np.cumsum(list(self.seen.sizes.values()))[:-1]
        parts = dict(zip(self.seen.sizes, np.split(drawn, ends, axis=1), strict=True))
        parts = {name: parts[name] for name in self.widths}
        if DESIRED_GOAL not in parts:
            return parts[OBSERVATION] if len(parts) == 1 else parts
        return {**parts, "achieved_goal": parts[DESIRED_GOAL]}

    def real_observations(self, steps: int = 20) -> Iterator[Observation]:
        """Batched observations of the task, as the policy acts in it."""
        task = self.problem.evaluation_task
        observation, _ = task.reset(seed=0)
        self._whole.reset(np.ones(task.num_envs, bool))
        for _ in range(steps):
            yield observation
            observation = task.step(self._whole(observation))[0]
