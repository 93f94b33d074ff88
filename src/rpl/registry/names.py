"""Somebody's own environment and controller by name: ``module:attribute``, Gymnasium id, file."""

from __future__ import annotations

import ast
import contextlib
import difflib
import importlib
import importlib.util
import math
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

import gymnasium
import numpy as np
import tyro

from rpl.controllers.adapt import adapt
from rpl.controllers.cached import CachedPolicy
from rpl.controllers.contract import Controller, Source
from rpl.controllers.onnx_policy import OnnxPolicy
from rpl.controllers.sb3_file import load_model
from rpl.controllers.settings import with_settings
from rpl.errors import InvalidValue, UsageError, check_settings, is_installed
from rpl.registry.bracketed import WITH_SETTINGS, settings_in
from rpl.settings import PlainValues, Record

OBJECT = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
CACHE, MODEL = ".npz", ".zip"
MOST_PROCESSES = 1024
Metric = Literal["auto", "success", "return"]
METRICS = get_args(Metric)
Entry = TypeVar("Entry")
SuccessWhen = Literal["last", "any"]
GYM_ID = re.compile(r"([A-Za-z_][\w.]*:)?([\w:-]+/)?[\w:.-]+-v\d+")
UNVERSIONED_ID = re.compile(r"([A-Za-z_][\w.]*:)?[\w:-]+/[\w:.-]+")


class UnknownName(UsageError):
    """A name that the catalog does not have; the message lists those it has."""


class NotFound(UsageError):
    """A name that leads to no environment or controller; the message says why."""


@dataclass(frozen=True)
class EnvironmentOptions(PlainValues):
    """How one's own environment becomes a task; ``--task.*`` on the command line."""

    max_episode_steps: int | None = None
    """Truncate episodes after so many steps; default: where the environment says it ends."""
    processes: int = 1
    """Environments at once, each in a process of its own; 1 keeps all in this process. The episodes
    of a cycle are filled up to a multiple, so that another number is another run."""
    metric: Annotated[
        Literal["auto", "success", "return"], tyro.conf.arg(aliases=["--task.judged-by"])
    ] = "auto"
    """What makes a policy good; auto: success, if the environment reports it, else the return."""
    reward_bounds: tuple[float, float] | None = None
    """The least and the greatest reward of a step, if known: values are then kept possible."""
    observe: str | None = None
    """What the learner is shown of observations that are more than a vector: names of parts, as
    robot.joints,object; module:function, or an ONNX file, that makes a vector of one observation;
    default: all numbers. The controller gets everything."""
    kwargs: tuple[str, ...] = ()
    """What the environment is made with: env_name=push-v3 width=2.5."""
    success: SuccessWhen = "last"
    """Which step of an episode has to succeed: the last one, or any."""

    def __post_init__(self) -> None:
        """Refuses what no environment can be made a task with.

        Raises:
            ValueError: naming the option and what it may be.
        """
        if isinstance(self.kwargs, Mapping):  # as one writes it in Python
            words = tuple(f"{name}={_literal(name, value)}" for name, value in self.kwargs.items())
            object.__setattr__(self, "kwargs", words)
        self.keywords()
        if not (self.observe is None or isinstance(self.observe, str)):
            raise InvalidValue(
                "observe must be a text, which config.json keeps: names of parts, or the function "
                "as module:function"
            )
        if self.success not in get_args(SuccessWhen):
            raise InvalidValue(f"success is '{self.success}': choose last or any")
        if self.metric not in METRICS:
            raise InvalidValue(f"metric is '{self.metric}': choose one of {', '.join(METRICS)}")
        super().__post_init__()
        counts = {"max_episode_steps": self.max_episode_steps}
        check_settings(counts, lambda count: count >= 1, "at least 1")
        many = {"processes": self.processes}
        check_settings(many, lambda count: 1 <= count <= MOST_PROCESSES, "between 1 and 1024")
        for bound in self.reward_bounds or ():
            check_settings({"reward_bounds": bound}, math.isfinite, "finite")
        bounds = self.reward_bounds
        if bounds is not None and not (len(bounds) == 2 and bounds[0] < bounds[1]):
            raise InvalidValue(
                f"reward_bounds are {self.reward_bounds}: give the least reward, then the greatest"
            )

    def keywords(self) -> Record:
        """What the environment is made with; a value that is no Python literal is a text.

        Raises:
            InvalidValue: if one has no name.
        """
        found = {}
        for word in self.kwargs:
            name, equals, value = word.partition("=")
            if not (equals and name.isidentifier()):
                raise InvalidValue(f"kwargs '{word}' must be name=value, as in env_name=push-v3")
            try:
                found[name] = ast.literal_eval(value)
            except (SyntaxError, ValueError):
                found[name] = value
        return found


def _literal(name: str, value: object) -> str:
    """A value as Python writes it, which ``config.json`` keeps.

    Raises:
        InvalidValue: if reading that gives another value.
    """
    plain = value.item() if isinstance(value, np.generic) else value
    with contextlib.suppress(SyntaxError, ValueError):
        if ast.literal_eval(repr(plain)) == plain:
            return repr(plain)
    raise InvalidValue(
        f"kwargs has {name}={value!r}, which config.json cannot keep: give numbers, texts and "
        "what is made of them, or a function that makes the environment"
    )


def is_user_task(name: str) -> bool:
    """Whether a name looks like ``module:factory`` or a Gymnasium id, or is one without version.

    Such as ``Meta-World/MT1``: it could be a folder too, so it has to be registered, or have the
    module that registers it in front.
    """
    if OBJECT.fullmatch(name) or GYM_ID.fullmatch(name):
        return True
    if not UNVERSIONED_ID.fullmatch(name):
        return False
    return ":" in name.split("/")[0] or is_registered(name)


def is_registered(name: str) -> bool:
    """Whether Gymnasium knows an id, or does so once its namespace's package is imported.

    Such as ``gym_pusht`` of ``gym_pusht/PushT-v0``, or ``metaworld`` of ``Meta-World/MT1``.
    """
    namespace = name.partition("/")[0] if "/" in name else ""
    for module in {namespace, namespace.lower().replace("-", "")}:
        if name in gymnasium.registry:
            return True
        spec = importlib.util.find_spec(module) if module.isidentifier() else None
        if spec is not None and spec.origin is not None:  # not just a folder of that name
            import_module(module)
    return name in gymnasium.registry


def is_custom_controller(name: str) -> bool:
    """Whether a name looks like ``module:controller``, or a file that holds a policy.

    In brackets may follow its settings: ``module:controller(gain=2.0)``.
    """
    named = OBJECT.fullmatch(name) or WITH_SETTINGS.fullmatch(name)
    return bool(named) or name.endswith((".onnx", CACHE, MODEL))


def can_be_found(name: str) -> bool:
    """Whether a recorded name leads to its object again: not if a script or a function made it."""
    return "<" not in name and not name.startswith("__main__:")


def load_object(name: str) -> Any:
    """What ``module:attribute`` names; modules in the current directory count too.

    Raises:
        NotFound: if there is no such module or attribute.
    """
    module_name, _, path = name.partition(":")
    if module_name.endswith(".py"):
        raise NotFound(f"name the module without its suffix: {module_name[:-3]}:{path}")
    module = import_module(module_name)
    try:
        return attrgetter(path)(module)
    except AttributeError as error:
        raise NotFound(f"{module_name} has no '{path}'") from error


def code_behind(name: str) -> Path | None:
    """The file whose code runs where a name is followed, without running any of it.

    None of a name that leads to no module, to an installed one or to one that runs already.
    """
    module, colon, _ = name.partition(":")
    top = module.partition(".")[0]
    if not colon or not can_be_found(name) or top in sys.modules:
        return None
    _look_here()
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    places = [spec.origin, *(spec.submodule_search_locations or ())] if spec else []
    file = next((Path(place) for place in places if place), None)
    return None if file is None or is_installed(file) else file


def _look_here() -> None:
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))  # as `python -m` does


def import_module(name: str) -> Any:
    _look_here()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise NotFound(f"{name} needs the module {error.name}: install it") from error
        raise NotFound(
            f"there is no module {error.name}: it must be installed, or be in the current directory"
        ) from error


def name_of(source: Source) -> str:
    """A name for ``config.json``: what led to the object, or its module and name.

    An object of a class is not its class, whose settings may be others: it has a name only
    where its module holds it under one. Else ``can_be_found`` is false of what is returned.
    """
    if isinstance(source, (str, Path)):
        return str(source)
    named = source if hasattr(source, "__qualname__") else type(source)
    module = sys.modules.get(named.__module__)
    with contextlib.suppress(AttributeError):
        if named is source and attrgetter(named.__qualname__)(module) is source:
            return f"{named.__module__}:{named.__qualname__}"
    for name, value in vars(module).items() if module else ():
        if value is source:
            return f"{named.__module__}:{name}"
    return f"{named.__module__}:<{named.__qualname__}>"


def custom_controller(source: Source, task: gymnasium.vector.VectorEnv) -> Controller:
    """The controller of a name or an object, for a task; see ``rpl.controllers.adapt.adapt``.

    Args:
        source: ``module:controller``, the path of an ONNX file or of a cache that ``rpl cache``
            saved, or the object itself.
        task: the bare task.
    """
    return adapt(controller_source(source), task)


def controller_source(source: Source) -> Source:
    """What a name leads to: an object of a module, a file's policy; else the object itself."""
    if not isinstance(source, (str, Path)):
        return source
    name = str(source)
    if WITH_SETTINGS.fullmatch(name):
        bare, values = settings_in(name)
        return with_settings(load_object(bare), values)
    if name.endswith(CACHE):
        return CachedPolicy(name)
    if name.endswith(MODEL):
        return load_model(name)
    return OnnxPolicy(name) if name.endswith(".onnx") else load_object(name)


def find(kind: str, entries: Mapping[str, Entry], name: str) -> Entry:
    """The entry of a name.

    Raises:
        UnknownName: with the names there are.
    """
    if name not in entries:
        custom = ", or name your own: module:name or a file" if kind == "controller" else ""
        known = ", ".join(entries) + custom
        meant = did_you_mean(name, entries)
        raise UnknownName(f"there is no {kind} '{name}'; {meant}choose one of {known}")
    return entries[name]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The beginning of a sentence that proposes the name most like it; empty without one."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {close[0]}? Else " if close else ""
