"""Somebody's own environment and controller by name: ``module:attribute``, Gymnasium id, file."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import importlib.util
import inspect
import math
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any, Literal

import gymnasium
import tyro

from rpl.config import PlainValues
from rpl.controllers.adapt import adapt
from rpl.controllers.cached import CachedPolicy
from rpl.controllers.contract import Controller
from rpl.controllers.onnx_policy import OnnxPolicy
from rpl.errors import InvalidValue, UsageError, check_settings, is_installed
from rpl.tasks.gym.task import GymnasiumTask, MakeEnv

OBJECT = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
CACHE = ".npz"
MOST_PROCESSES = 1024
METRICS = ("auto", "success", "return")
GYM_ID = re.compile(r"([A-Za-z_][\w.]*:)?([\w:-]+/)?[\w:.-]+-v\d+")


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

    def __post_init__(self) -> None:
        """Refuses what no environment can be made a task with.

        Raises:
            ValueError: naming the option and what it may be.
        """
        if self.metric not in METRICS:
            raise InvalidValue(f"metric is '{self.metric}': choose one of {', '.join(METRICS)}")
        super().__post_init__()
        counts = {"max_episode_steps": self.max_episode_steps}
        check_settings(counts, lambda count: count >= 1, "at least 1")
        many = {"processes": self.processes}
        check_settings(many, lambda count: 1 <= count <= MOST_PROCESSES, "between 1 and 1024")
        for bound in self.reward_bounds or ():
            check_settings({"reward_bounds": bound}, math.isfinite, "finite")
        if self.reward_bounds is not None and not self.reward_bounds[0] < self.reward_bounds[1]:
            raise InvalidValue(
                f"reward_bounds are {self.reward_bounds}: give the least reward, then the greatest"
            )


def is_user_task(name: str) -> bool:
    """Whether a name looks like a Gymnasium id or ``module:factory``."""
    return bool(OBJECT.fullmatch(name) or GYM_ID.fullmatch(name))


def is_custom_controller(name: str) -> bool:
    """Whether a name looks like ``module:controller``, an ONNX file or a cache."""
    return bool(OBJECT.fullmatch(name)) or name.endswith((".onnx", CACHE))


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
    module = _import(module_name)
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


def _import(name: str) -> Any:
    _look_here()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not name.startswith(error.name):
            raise NotFound(f"{name} needs the module {error.name}: install it") from error
        raise NotFound(
            f"there is no module {error.name}: it must be installed, or be in the current directory"
        ) from error


def environment_maker(source: str | MakeEnv, render_mode: str | None = None) -> MakeEnv:
    """A function that makes one environment.

    Args:
        source: a Gymnasium id, ``module:factory``, or the factory: a function or an
            environment's class that can be called without arguments.
        render_mode: passed on where it is not None and the factory takes it.

    Raises:
        NotFound: if a name leads to nothing.
    """
    if isinstance(source, str) and GYM_ID.fullmatch(source):
        return _MakeRegistered(_registered(source), render_mode)
    factory = load_object(source) if isinstance(source, str) else source
    if not callable(factory):
        raise NotFound(f"{factory!r} is not callable: give a function that makes an environment")
    return _MakeByFactory(factory, render_mode)


def _registered(name: str) -> str:
    """The name, once the module in front of it is imported and Gymnasium knows it."""
    module, _, environment = name.rpartition(":")
    if module:
        _import(module)
    try:
        gymnasium.spec(environment)
    except gymnasium.error.UnregisteredEnv as error:
        hint = _did_you_mean(environment) or (
            f"put the module that registers it in front, as in gymnasium_robotics:{environment}"
        )
        raise NotFound(f"Gymnasium knows no environment '{environment}'; {hint}") from error
    return name


def _did_you_mean(name: str) -> str | None:
    """Another version of the environment, or one whose name is like it."""
    wanted = name.rpartition("-v")[0]
    known = list(gymnasium.registry)
    versions = [id_ for id_ in known if id_.rpartition("-v")[0] == wanted]
    close = versions or difflib.get_close_matches(name, known, n=1, cutoff=0.8)
    return f"did you mean {' or '.join(close)}?" if close else None


@dataclass(frozen=True)
class _MakeRegistered:
    """Makes a registered environment; an object, since processes must be able to load it."""

    name: str
    render_mode: str | None

    def __call__(self) -> gymnasium.Env:
        # Some environments have a render mode of their own, and know no None.
        keywords: dict[str, Any] = {}
        if self.render_mode is not None:
            keywords["render_mode"] = self.render_mode
        try:
            # Its checks run in every first step, with warnings; `rpl check` has its own.
            return gymnasium.make(self.name, disable_env_checker=True, **keywords)
        except (gymnasium.error.DependencyNotInstalled, ModuleNotFoundError) as error:
            raise NotFound(f"{self.name} cannot be made: {error}") from error


@dataclass(frozen=True)
class _MakeByFactory:
    """Calls a factory, with the render mode if it takes one."""

    factory: Callable[..., Any]
    render_mode: str | None

    def __call__(self) -> gymnasium.Env:
        keywords = {}
        if self.render_mode is not None and _takes(self.factory, "render_mode"):
            keywords["render_mode"] = self.render_mode
        _check_callable(self.factory, keywords)
        env = self.factory(**keywords)
        if not isinstance(env, gymnasium.Env):
            raise NotFound(
                f"{self.factory} made {type(env).__name__}: it must make a gymnasium.Env"
            )
        return env


def _check_callable(factory: Callable[..., Any], keywords: dict[str, Any]) -> None:
    """Refuses a factory that asks for more than it will get."""
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(**keywords)
    except TypeError as error:
        raise NotFound(
            f"{name_of(factory)} cannot be called without arguments ({error}): give them defaults, "
            "or name a function that calls it with them"
        ) from error


def _takes(factory: Callable[..., Any], name: str) -> bool:
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):
        return False
    return any(p.name == name or p.kind is p.VAR_KEYWORD for p in parameters)


def name_of(source: Any) -> str:
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


def user_task(
    source: str | MakeEnv,
    options: EnvironmentOptions,
    num_envs: int,
    render_mode: str | None = None,
) -> GymnasiumTask:
    """The task made of an environment.

    Args:
        source: see ``environment_maker``.
        options: with more than one process, there are as many environments.
        num_envs: environments at once in one process.
        render_mode: of each environment.
    """
    parallel = options.processes > 1
    return GymnasiumTask(
        environment_maker(source, render_mode),
        options.processes if parallel else num_envs,
        parallel=parallel,
        max_episode_steps=options.max_episode_steps,
    )


def custom_controller(source: Any, task: Any) -> Controller:
    """The controller of a name or an object, for a task; see ``rpl.controllers.adapt.adapt``.

    Args:
        source: ``module:controller``, the path of an ONNX file or of a cache that ``rpl cache``
            saved, or the object itself.
        task: the bare task.
    """
    return adapt(controller_source(source), task)


def controller_source(source: Any) -> Any:
    """What a name leads to: an object of a module, a file's policy; else the object itself."""
    if not isinstance(source, (str, Path)):
        return source
    name = str(source)
    if name.endswith(CACHE):
        return CachedPolicy(name)
    return OnnxPolicy(name) if name.endswith(".onnx") else load_object(name)
