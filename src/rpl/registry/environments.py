"""Somebody's own environment: found by its name, made, and made a task."""

from __future__ import annotations

import difflib
import inspect
import sysconfig
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import packages_distributions, version
from pathlib import Path

import gymnasium

from rpl.controllers.contract import Answer
from rpl.controllers.onnx_policy import OnnxPolicy
from rpl.errors import frames_of_user_code
from rpl.observations import Observation, batch_of_one
from rpl.registry.names import (
    OBJECT,
    EnvironmentOptions,
    NotFound,
    import_module,
    is_registered,
    load_object,
    name_of,
)
from rpl.settings import Record
from rpl.tasks.gym.observe import Observe
from rpl.tasks.gym.task import GymnasiumTask, MakeEnv


def environment_maker(
    source: str | MakeEnv,
    render_mode: str | None = None,
    keywords: Record | None = None,
) -> MakeEnv:
    """A function that makes one environment.

    Args:
        source: a Gymnasium id, ``module:factory``, or the factory: a function or an
            environment's class that can be called without arguments.
        render_mode: passed on where it is not None and the factory takes it.
        keywords: what it is made with besides.

    Raises:
        NotFound: if a name leads to nothing.
    """
    given = dict(keywords or {})
    if isinstance(source, str) and not OBJECT.fullmatch(source):
        return _MakeRegistered(_registered(source), render_mode, given)
    factory = load_object(source) if isinstance(source, str) else source
    if not callable(factory):
        raise NotFound(f"{factory!r} is not callable: give a function that makes an environment")
    return _MakeByFactory(factory, render_mode, given)


def _registered(name: str) -> str:
    """The name, once the module in front of it is imported and Gymnasium knows it."""
    module, _, environment = name.rpartition(":")
    if module:
        import_module(module)
    try:
        if not is_registered(environment):
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
    keywords: Record

    def __call__(self) -> gymnasium.Env:
        # Some environments have a render mode of their own, and know no None.
        keywords = dict(self.keywords)
        if self.render_mode is not None:
            keywords["render_mode"] = self.render_mode
        try:
            # Its checks run in every first step, with warnings; `rpl check` has its own.
            return gymnasium.make(self.name, disable_env_checker=True, **keywords)
        except (gymnasium.error.DependencyNotInstalled, ModuleNotFoundError) as error:
            raise NotFound(f"{self.name} cannot be made: {error}") from error
        except Exception as error:
            raise_if_not_users(self.name, error)
            raise


@dataclass(frozen=True)
class _MakeByFactory:
    """Calls a factory, with the render mode if it takes one."""

    factory: Callable[..., object]
    render_mode: str | None
    keywords: Record

    def __call__(self) -> gymnasium.Env:
        keywords = dict(self.keywords)
        if self.render_mode is not None and _takes(self.factory, "render_mode"):
            keywords["render_mode"] = self.render_mode
        _check_callable(self.factory, keywords)
        env = self.factory(**keywords)
        if not isinstance(env, gymnasium.Env):
            raise NotFound(
                f"{self.factory} made {type(env).__name__}: it must make a gymnasium.Env"
            )
        return env


def _check_callable(factory: Callable[..., object], keywords: Record) -> None:
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


def _takes(factory: Callable[..., object], name: str) -> bool:
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):
        return False
    return any(p.name == name or p.kind is p.VAR_KEYWORD for p in parameters)


def raise_if_not_users(name: str, error: Exception) -> None:
    """Says which package broke, where an environment fails that is nobody's own code.

    Raises:
        NotFound: if no frame of the error is the user's.
    """
    if frames_of_user_code(error):
        return
    packages = _packages_of(error)
    named = ", ".join(packages) or "the package that it is from"
    raise NotFound(
        f"{name} cannot be made: it raised {type(error).__name__}"
        f"{f' ({error})' if str(error) else ''} in its own package ({named}), which may need other "
        "versions than are installed: see that package's requirements"
    ) from error


def _packages_of(error: Exception) -> list[str]:
    """The installed packages an error came through, with versions, the innermost first."""
    installed = Path(sysconfig.get_path("purelib"))
    known, found = packages_distributions(), dict[str, str]()
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(installed):
            module = path.relative_to(installed).parts[0]
            for package in known.get(module, []):
                if package not in ("gymnasium", "rpl"):
                    found[package] = f"{package} {version(package)}"
    if any("mujoco" in name for name in found) or "gymnasium-robotics" in found:
        found["mujoco"] = f"mujoco {version('mujoco')}"
    return list(found.values())


def observed(name: str | None) -> Observe:
    """What a learner is shown, of ``--task.observe``: names of parts, or what a name leads to."""
    if name is None:
        return None
    if name.endswith(".onnx"):
        return _OnnxEncoder(name)
    return load_object(name) if OBJECT.fullmatch(name) else name


class _OnnxEncoder:
    """An ONNX file that makes a vector of one observation."""

    def __init__(self, path: str) -> None:
        self._policy = OnnxPolicy(path)

    def __call__(self, observation: Observation) -> Answer:
        return self._policy(batch_of_one(observation))[0]


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
        environment_maker(source, render_mode, options.keywords()),
        options.processes if parallel else num_envs,
        parallel=parallel,
        max_episode_steps=options.max_episode_steps,
        observe=observed(options.observe),
        success_at_any_step=options.success == "any",
    )
