"""The package in two calls: ``improve`` a controller, ``load`` what was learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from rpl.check.first_lines import say_first
from rpl.config import Config
from rpl.deploy.policy import Policy
from rpl.errors import InvalidValue, check_settings
from rpl.registry.names import EnvironmentOptions
from rpl.registry.resolve import resolve
from rpl.runs.load import load_policy
from rpl.runs.record import default_folder
from rpl.runs.session import run_session
from rpl.tasks.gym.processes import leave_if_spawned
from rpl.tasks.gym.task import MakeEnv


def improve(
    env: str | MakeEnv,
    controller: object,
    *,
    steps: int = 100_000,
    out: str | Path | None = None,
    seed: int = 0,
    learner: Literal["ddpg", "td3", "sac"] | None = None,
    scale: float | tuple[float, ...] | None = None,
    prior: str | Path | Sequence[str | Path] = (),
    prior_share: float | None = None,
    task: EnvironmentOptions | None = None,
    config: Config | None = None,
    resume: bool = False,
    overwrite: bool = False,
    quiet: bool = False,
) -> Policy:
    """Learns a residual on a controller, and returns the best policy found.

    The run folder is the same as that of ``rpl train``, and so are its results.

    Args:
        env: a Gymnasium id, or a function that makes an environment.
        controller: a function of one observation or of a batch, an object with a memory, a
            class, a function of the environment, ``module:name``, an ONNX file or a cache
            that ``rpl cache`` saved.
        steps: environment steps to train for.
        out: the run folder; default: that of ``rpl train``, ``runs/<env>-rpl-seed<seed>``.
        seed: decides everything random in the run.
        learner: the reinforcement learner; default: that of ``config``, or DDPG.
        scale: how far the policy may be from its controller, in halves of the action range:
            one number, or one for each component.
        prior: episodes to learn from beside the run's own: files that ``rpl.EpisodeLog`` writes, or
            Minari datasets by id or folder.
        prior_share: share of each batch that is drawn from them; default: a half.
        task: how the environment becomes a task: its length, processes, how it is judged.
        config: every other setting; default: the fast preset in the environment's rhythm.
        resume: continue the run in the folder.
        overwrite: replace it.
        quiet: print nothing.

    Raises:
        RunError: if the folder holds a run, and neither ``resume`` nor ``overwrite`` is asked.
        UnsuitableEnvironment, ControllerError, NotFound: with what to do about it.
    """
    leave_if_spawned()
    _check_kind("task", task, EnvironmentOptions, "rpl.EnvironmentOptions(max_episode_steps=200)")
    _check_kind("config", config, Config, "rpl.config.Config, as config_for_horizon makes one")
    if controller is None:
        raise InvalidValue("controller is None: a residual is added to what a controller does")
    if out is not None and not str(out).strip():
        raise InvalidValue("out is empty: name a folder, or leave it out")
    spec = resolve(
        env,
        preset="fast" if config is None else None,
        learner=learner,
        controller=controller,
        task_options=task or EnvironmentOptions(),
        config=config,
    )
    assert isinstance(spec.config, Config)
    config = replace(spec.config, steps=steps, seed=seed)
    if scale is not None:
        config = replace(config, residual=replace(config.residual, scale=scale))
    spec = replace(spec, config=_with_prior(config, prior, prior_share))
    console = Console(quiet=quiet)
    if not (resume or quiet):
        say_first(spec, console)
    names = spec.task.name, spec.controller.name
    folder, _ = run_session(
        spec,
        "rpl.improve({!r}, {!r}, steps={})".format(*names, steps),
        console,
        out=None if out is None else Path(out).expanduser(),
        resume=resume,
        overwrite=overwrite,
        resuming=f"rpl.improve(..., out={str(out or default_folder(spec))!r}, resume=True)",
    )
    return load_policy(folder, "deployed", 1, make_env=env, controller=controller)


def _check_kind(name: str, given: object, kind: type, instead: str) -> None:
    """Refuses an argument of another kind.

    Raises:
        InvalidValue: with what to give.
    """
    if not (given is None or isinstance(given, kind)):
        raise InvalidValue(f"{name} is a {type(given).__name__}: give {instead}")


def _with_prior(
    config: Config, prior: str | Path | Sequence[str | Path] | None, share: float | None
) -> Config:
    """The configuration with these prior data, where any are given."""
    files = (prior,) if isinstance(prior, (str, Path)) else prior or ()
    if not isinstance(files, Sequence):
        raise InvalidValue(f"prior is a {type(prior).__name__}: give files, or one of them")
    named = {"prior": tuple(map(str, files))} if files else {}
    shared = {} if share is None else {"prior_share": share}
    return replace(config, replay=replace(config.replay, **named, **shared))


def load(
    run: str | Path, checkpoint: str = "deployed", num_envs: int = 1, **objects: Any
) -> Policy:
    """The policy of a run folder.

    Args:
        run: the folder.
        checkpoint: ``best``, ``last``, or ``deployed``: the best where the run has shown that it is
            better than its controller, and else the controller.
        num_envs: how many environments it is asked for at once, where its controller has a
            memory for each.
        objects: ``make_env`` and ``controller`` themselves, where the run was made with objects
            that no module holds under a name.

    Raises:
        RunError: if there is no policy, or the objects it was made with cannot be found.
    """
    check_settings({"num_envs": num_envs}, lambda count: count >= 1, "at least 1")
    return load_policy(Path(run), checkpoint, num_envs, **objects)
