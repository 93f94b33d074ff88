"""Which settings of a controller can be searched, in every form that a controller comes in."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated

import numpy as np
import pytest

from rpl.controllers.adapt import adapt
from rpl.controllers.contract import ControllerError, ControllerPolicy
from rpl.controllers.pick_and_place import ReactivePickAndPlace
from rpl.controllers.settings import Setting, settings_of, with_settings
from rpl.errors import InvalidValue
from rpl.registry.bracketed import named_with
from rpl.registry.names import controller_source, is_custom_controller
from rpl.rollout.collect import collect
from rpl.tasks.gym.task import GymnasiumTask
from toys import Slide, Summing

DECLARED = {
    "gain": Setting(2.0, low=0.5, high=50.0),
    "tries": Setting(3, low=1, high=9),
    "side": Setting("top", ("top", "left")),
}


@dataclass(frozen=True)
class Fields:
    bias: float = 0.25
    gain: Annotated[float, (0.5, 50.0)] = 2.0
    tries: Annotated[int, (1, 9)] = 3
    side: Annotated[str, ("top", "left")] = "top"
    made: int = field(default=0, init=False)

    def __call__(self, observation):
        return self.gain * observation


class Arguments:
    def __init__(
        self,
        bias: float = 0.25,
        gain: Annotated[float, (0.5, 50.0)] = 2.0,
        tries: Annotated[int, (1, 9)] = 3,
        side: Annotated[str, ("top", "left")] = "top",
    ) -> None:
        self.gain = gain

    def __call__(self, observation):
        return self.gain * observation


class OfEnv(Arguments):
    def __init__(self, env, gain: Annotated[float, (0.5, 50.0)] = 2.0) -> None:
        self.env, self.gain = env, gain


def function(
    observation,
    bias: float = 0.25,
    *,
    gain: Annotated[float, (0.5, 50.0)] = 2.0,
    tries: Annotated[int, (1, 9)] = 3,
    side: Annotated[str, ("top", "left")] = "top",
):
    return gain * observation


def undeclared(observation, gain: float = 2.0, offset: float = -1.0, count: int = 3, on=True):
    return gain * observation


@pytest.mark.parametrize("source", [Fields, Fields(), Arguments, function, partial(function)])
def test_what_declares_bounds_is_searched_and_nothing_else(source):
    assert settings_of(source) == DECLARED
    given = with_settings(source, {"gain": 7.0})
    acting = given() if isinstance(given, partial) and given.func is Arguments else given
    assert np.array_equal(acting(np.ones(2)), [7.0, 7.0])


@pytest.mark.parametrize("source", [Fields, Fields(), Arguments, function, partial(function)])
def test_what_was_given_a_setting_is_searched_from_there(source):
    shipped = DECLARED | {"gain": Setting(7.0, low=0.5, high=50.0)}
    assert settings_of(with_settings(source, {"gain": 7.0})) == shipped


def test_without_bounds_every_positive_float_is_searched_a_factor_of_ten_either_way():
    assert settings_of(undeclared) == {"gain": Setting(2.0, low=0.2, high=20.0)}
    assert settings_of(undeclared)["gain"].by_factor
    shipped = settings_of(ReactivePickAndPlace(layout=None))  # type: ignore[arg-type]
    assert {name: one.default for name, one in shipped.items()} == {
        "gain": 10.0,
        "carrying_gain": 100.0,
    }


def test_of_what_makes_controllers_from_environments_the_settings_are_set_before():
    made = with_settings(OfEnv, {"gain": 7.0})
    assert made("env").gain == 7.0
    assert made("env").env == "env"


def test_without_settings_or_with_impossible_ones_it_says_what_to_do():
    with pytest.raises(ControllerError, match=r"gain: Annotated\[float, \(0.5, 50.0\)\]"):
        settings_of(lambda observation: observation)
    with pytest.raises(ControllerError, match=r"no setting pull; those it has: .*gain"):
        with_settings(function, {"pull": 1.0})

    def outside(observation, gain: Annotated[float, (0.5, 1.0)] = 2.0):
        return observation

    with pytest.raises(ControllerError, match=r"gain is 2\.0, outside"):
        settings_of(outside)


class Remembering:
    """An object with a setting in its call, and a memory."""

    def __init__(self):
        self.reset()

    def reset(self):
        self.sum = 0.0

    def __call__(self, observation, gain: Annotated[float, [0.1, 1.0]] = 0.5):
        self.sum += observation[0]
        return np.array([-gain * self.sum])


def test_an_object_with_a_memory_keeps_it_with_settings():
    def returns(source):
        task = GymnasiumTask(Slide, 2)
        return collect(task, ControllerPolicy(adapt(source, task), 1), list(range(4)), 8).returns

    with_its_own = returns(with_settings(Remembering(), {"gain": 0.5}))
    np.testing.assert_array_equal(with_its_own, returns(Summing))
    acting = with_settings(Remembering().__call__, {"gain": 0.5})
    np.testing.assert_array_equal(returns(acting), returns(Summing))
    assert settings_of(Remembering())["gain"].high == 1.0  # a list of bounds is as good


class Mode(enum.Enum):
    FAST = "fast"


@pytest.mark.parametrize(
    ("annotation", "default"),
    [
        (Annotated[Mode, (Mode.FAST, 2)], Mode.FAST),
        (Annotated[tuple, ((1, 2), (3, 4))], (1, 2)),
        (Annotated[dict, ({}, {})], {}),
        (Annotated[float, (0.1, math.inf)], 0.2),
        (Annotated[float, ("low", "high")], 0.2),
        (Annotated[float, (1.0, 0.1)], 0.2),
    ],
)
def test_what_cannot_be_searched_is_said_before_anything_is_played(annotation, default):
    def act(observation, gain=default):
        return observation

    act.__annotations__["gain"] = annotation
    with pytest.raises(ControllerError, match=r"declared for the setting gain: declare"):
        settings_of(act)


def test_a_name_with_settings_in_brackets_is_the_controller_with_these(workplace):
    (workplace / "mine.py").write_text("def act(observation, gain=2.0, side='top'): return gain\n")
    name = named_with("mine:act", {"gain": 3.5})
    assert name == "mine:act(gain=3.5)"
    assert named_with(name, {"side": "left"}) == "mine:act(gain=3.5, side='left')"
    assert is_custom_controller(name)
    assert controller_source(name)(None) == 3.5
    for broken in (
        "mine:act(gain)",
        "mine:act(2.0)",
        "mine:act(gain=open('x'))",
        "mine:act(gain=)",
    ):
        with pytest.raises(InvalidValue, match=r"as in mine:act\(gain=2.0\)"):
            controller_source(broken)


def test_a_range_is_of_the_kind_that_is_declared_whatever_numbers_are_written():
    def act(
        observation, gain: Annotated[float, (0.5, 50)] = 10, tries: Annotated[int, (1.5, 9.5)] = 2
    ):
        return observation

    found = settings_of(act)
    assert found == {"gain": Setting(10.0, low=0.5, high=50.0), "tries": Setting(2, low=2, high=9)}
    assert [type(one.default) for one in found.values()] == [float, int]
