"""A controller with any of its settings, in episodes of its task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol, cast

from rpl.controllers.contract import ControllerError, ControllerPolicy
from rpl.controllers.settings import Setting, Values, settings_of, with_settings
from rpl.errors import InvalidValue
from rpl.problem import Problem
from rpl.registry.builtin import make_controller
from rpl.registry.names import controller_source
from rpl.registry.resolve import ControllerSpec
from rpl.rollout.evaluate import Outcome, evaluate
from rpl.settings import Settings

Tell = Callable[[int], None]


class Refused(ControllerError):
    """Settings with which a controller cannot be made, or cannot act."""


class Play(Protocol):
    """Plays one episode a seed with a controller's settings; says how many are being played."""

    metric: str
    """``"success"`` or ``"return"``: what makes one setting better than another."""

    def __call__(self, values: Values, seeds: Sequence[int]) -> Outcome: ...


class Player:
    """The controller of a run, of which any settings can be played.

    Args:
        controller: as it is shipped.

    Raises:
        ControllerError: if it has no setting to search.
    """

    def __init__(self, controller: ControllerSpec, problem: Problem) -> None:
        self._controller, self._problem = controller, problem
        self._source = controller.options or controller_source(controller.source)
        self.metric: str = problem.metric
        self.settings: dict[str, Setting] = settings_of(self._source)

    def __call__(self, values: Values, seeds: Sequence[int]) -> Outcome:
        """The outcome of the controller with these settings in these episodes.

        Raises:
            Refused: naming the values.
        """
        try:
            return self._played(values, seeds)
        except ControllerError as error:
            said = ", ".join(f"{name}={value!r}" for name, value in values.items())
            raise Refused(f"with {said} {error}") from error

    def _played(self, values: Values, seeds: Sequence[int]) -> Outcome:
        problem = self._problem
        task, options = problem.evaluation_task, self._controller.options
        if options is None:
            acting = make_controller(with_settings(self._source, values), task)
        else:
            acting = make_controller(self._controller.source, task, self.options(values))
        policy = ControllerPolicy(acting, problem.action_size)
        return evaluate(task, policy, seeds, problem.horizon)

    def options(self, values: Values) -> Settings:
        """The options of a controller of the catalog with these values.

        Raises:
            ControllerError: if it refuses them.
        """
        try:
            return replace(cast(Any, self._controller.options), **values)
        except InvalidValue as error:
            raise ControllerError(f"the controller refuses them: {error}") from error
