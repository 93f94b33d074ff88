"""Improving one's own controller in one's own environment, in one call."""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from rpl.commands.loading import load_policy
from rpl.commands.train import facts_of, train_in
from rpl.config import PRESETS, Config, with_learner
from rpl.own import OwnOptions, name_of
from rpl.own_problem import horizon_of, own_config, own_problem
from rpl.policy import Policy
from rpl.runs import RunFolder, provenance
from rpl.tasks.gymnasium_task import MakeEnv


def improve(
    env: str | MakeEnv,
    controller: Any,
    *,
    steps: int = 100_000,
    out: str | Path | None = None,
    seed: int = 0,
    learner: Literal["ddpg", "td3", "sac"] = "ddpg",
    scale: float | tuple[float, ...] | None = None,
    task: OwnOptions | None = None,
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
        out: the run folder; default: ``runs/<env>-rpl-seed<seed>``.
        seed: decides everything random in the run.
        learner: the reinforcement learner.
        scale: how far the policy may be from its controller, in halves of the action range:
            one number, or one for each component.
        task: how the environment becomes a task: its length, processes, how it is judged.
        config: every other setting; default: the fast preset in the environment's rhythm.
        resume: continue the run in the folder.
        overwrite: replace it.
        quiet: print nothing.

    Raises:
        RunError: if the folder holds a run, and neither ``resume`` nor ``overwrite`` is asked.
        UnsuitableEnvironment, ControllerError, NotFound: with what to do about it.
    """
    task = task or OwnOptions()
    if config is None:
        horizon = horizon_of(env, task.max_episode_steps)
        preset = with_learner(PRESETS["fast"].config, learner)
        config = own_config(preset, horizon, task.processes)
    config = replace(config, steps=steps, seed=seed)
    if scale is not None:
        config = replace(config, residual=replace(config.residual, scale=scale))
    problem = own_problem(env, controller, config, task)
    name = re.sub(r"[^\w.-]+", "-", name_of(env))
    folder = Path(out) if out is not None else Path("runs") / f"{name}-rpl-seed{seed}"
    record = _record(env, controller, learner, config, task) | facts_of(problem, config)
    run = RunFolder(folder, record, resume, overwrite)
    try:
        train_in(
            run,
            config,
            problem,
            Console(quiet=quiet),
            f"rpl.improve(..., out={str(folder)!r}, resume=True)",
        )
    finally:
        run.close()
    return load_policy(folder, "best", 1, make_env=env, controller=controller)


def _record(
    env: Any, controller: Any, learner: str, config: Config, task: OwnOptions
) -> dict[str, Any]:
    """What ``config.json`` says, as ``rpl train`` writes it."""
    return {
        "task": name_of(env),
        "method": "rpl",
        "learner": learner,
        "preset": "fast",
        "seed": config.seed,
        "controller": name_of(controller),
        "task_options": asdict(task),
        "controller_options": {},
        "config": asdict(config),
        "command": f"rpl.improve({name_of(env)!r}, {name_of(controller)!r}, steps={config.steps})",
        **provenance(),
    }
