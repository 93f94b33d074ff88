"""Runs read back: the problem, the learner and a policy to play."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rpl.acting import greedy_policy
from rpl.catalog import TASKS, find, make_problem
from rpl.commands.options import from_record, without_task
from rpl.commands.train import new_learner
from rpl.config import Config
from rpl.problem import Problem
from rpl.rollout import Policy
from rpl.runs import RunError, from_dict, load_checkpoint, read_config


@dataclass(frozen=True)
class Subject:
    """What is evaluated or watched: a trained policy and its controller, or a controller alone."""

    name: str
    method: str | None
    problem: Problem
    policy: Policy | None


def load_subject(
    run_or_task: str,
    controller: str | None,
    num_envs: int,
    task_options: Any,
    controller_options: Any,
    checkpoint: str = "best",
    render_mode: str | None = None,
) -> Subject:
    """A run folder's policy, or a task with a controller.

    Args:
        run_or_task: a run folder, or a name in TASKS.
        controller: in place of the task's, for a task.
        num_envs: simulations at once.
        task_options: the task's variations; None for the run's own.
        controller_options: the controller's settings; None for the run's own.
        checkpoint: which of a run's policies, ``best`` or ``last``.
        render_mode: ``"human"`` opens a window.
    """
    path = Path(run_or_task)
    if run_or_task in TASKS or not path.exists():
        find("task", TASKS, run_or_task)
        config = Config(evaluation_episodes=num_envs, episodes_per_cycle=1)
        problem = make_problem(
            run_or_task,
            "scratch",
            config,
            task_options,
            controller,
            controller_options,
            render_mode,
        )
        return Subject(run_or_task, None, problem, None)
    record = read_config(path)
    if controller is not None and controller != record["controller"]:
        raise RunError(f"{path} learned on {record['controller']}, not on {controller}")
    config = replace(
        from_dict(Config, record["config"]), evaluation_episodes=num_envs, episodes_per_cycle=1
    )
    entry = TASKS[record["task"]]
    problem = make_problem(
        record["task"],
        record["method"],
        config,
        task_options or from_record(entry.options, record["task_options"]),
        record["controller"],
        controller_options
        or from_record(without_task(record["controller"]), record["controller_options"]),
        render_mode,
    )
    state, _ = load_checkpoint(path, new_learner(config, problem), checkpoint)
    return Subject(record["task"], record["method"], problem, greedy_policy(state))
