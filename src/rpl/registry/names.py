"""Somebody's own environment and controller by name: ``module:attribute``, Gymnasium id, file."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal, get_args

import gymnasium

from rpl.controllers.adapt import adapt
from rpl.controllers.cached import CachedPolicy
from rpl.controllers.contract import Controller
from rpl.controllers.onnx_policy import OnnxPolicy
from rpl.controllers.sb3_file import load_model
from rpl.errors import InvalidValue, UsageError, check_settings
from rpl.tasks.gym.task import GymnasiumTask, MakeEnv

OBJECT = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
CACHE, MODEL = ".npz", ".zip"
Judge = Literal["auto", "success", "return"]
JUDGES = get_args(Judge)
GYM_ID = re.compile(r"([A-Za-z_][\w.]*:)?([\w:-]+/)?[\w:.-]+-v\d+")


class NotFound(UsageError):
    """A name that leads to no environment or controller; the message says why."""


@dataclass(frozen=True)
class EnvironmentOptions:
    """How one's own environment becomes a task; ``--task.*`` on the command line."""

    max_episode_steps: int | None = None
    """Truncate episodes after so many steps; default: where the environment says it ends."""
    processes: int = 1
    """Environments at once, each in a process of its own; 1 keeps all in this process. The episodes
    of a cycle are filled up to a multiple, so that another number is another run."""
    judged_by: Judge = "auto"
    """What makes a policy good; auto: success, if the environment reports it, else the return."""
    reward_bounds: tuple[float, float] | None = None
    """The least and the greatest reward of a step, if known: values are then kept possible."""

    def __post_init__(self) -> None:
        """Refuses what no environment can be made a task with.

        Raises:
            ValueError: naming the option and what it may be.
        """
        if self.judged_by not in JUDGES:
            raise InvalidValue(
                f"judged_by is '{self.judged_by}': choose one of {', '.join(JUDGES)}"
            )
        counts = {"processes": self.processes, "max_episode_steps": self.max_episode_steps}
        check_settings(counts, lambda count: count >= 1, "at least 1")
        if self.reward_bounds is not None and not self.reward_bounds[0] < self.reward_bounds[1]:
            raise InvalidValue(
                f"reward_bounds are {self.reward_bounds}: give the least reward, then the greatest"
            )


def is_user_task(name: str) -> bool:
    """Whether a name looks like a Gymnasium id or ``module:factory``."""
    return bool(OBJECT.fullmatch(name) or GYM_ID.fullmatch(name))


def is_custom_controller(name: str) -> bool:
    """Whether a name looks like ``module:controller``, or a file that holds a policy."""
    return bool(OBJECT.fullmatch(name)) or name.endswith((".onnx", CACHE, MODEL))


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


def _import(name: str) -> Any:
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))  # as `python -m` does
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
        raise NotFound(
            f"Gymnasium knows no environment '{environment}'; put the module that registers it "
            f"in front, as in gymnasium_robotics:{environment}"
        ) from error
    return name


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
        env = self.factory(**keywords)
        if not isinstance(env, gymnasium.Env):
            raise NotFound(
                f"{self.factory} made {type(env).__name__}: it must make a gymnasium.Env"
            )
        return env


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
    if name.endswith(MODEL):
        return load_model(name)
    return OnnxPolicy(name) if name.endswith(".onnx") else load_object(name)
