"""What is learned on somebody's own environment."""

from __future__ import annotations

import math

import numpy as np

from rpl.config import Config
from rpl.controllers.contract import Answering, Controller, Source
from rpl.problem import Metric, Problem
from rpl.registry.environments import user_task
from rpl.registry.names import EnvironmentOptions, custom_controller
from rpl.replay.hindsight import (
    GoalRules,
    OfGoals,
    needs_more_than_goals,
    numbers_of,
    one_by_one,
    rule_of,
)
from rpl.rollout.collect import collect
from rpl.rollout.seeds import evaluation_seeds
from rpl.tasks.gym.requirements import UnsuitableEnvironment
from rpl.tasks.gym.task import GymnasiumTask, MakeEnv

MOST_ENVS = 10  # of evaluations, in one process


def user_problem(
    source: str | MakeEnv,
    controller: Source,
    config: Config,
    options: EnvironmentOptions,
    residual: bool = True,
    render_mode: str | None = None,
) -> Problem:
    """Builds what a run on a user's environment learns.

    Args:
        source: see ``rpl.registry.environments.environment_maker``.
        controller: see ``rpl.registry.names.custom_controller``; None does nothing, in the middle
            of the action range.
        options: how the environment becomes a task.
        residual: learn the residual on the controller; else the whole action.
        render_mode: of the environments that evaluations use.
    """
    num_envs = config.num_envs or min(config.evaluation_episodes, MOST_ENVS)
    bare = user_task(source, options, num_envs, render_mode)
    task, acting = bare, _acting(controller, bare)
    exploring = acting
    if not bare.parallel:  # processes serve both: every round of episodes resets all of them
        task = user_task(source, options, config.num_envs or config.episodes_per_cycle)
        exploring = _acting(controller, task)
    problem = Problem(
        task=task,
        evaluation_task=bare,
        controller=acting,
        exploring_controller=exploring,
        horizon=bare.max_episode_steps,
        rules=goal_rules(bare, config.replay.hindsight),
        value_bounds=_value_bounds(config, options, bare.max_episode_steps),
        baseline="doing nothing" if controller is None else "controller",
        residual=config.residual if residual else None,
    )
    problem.metric = _metric(options, problem, bare)
    return problem


def _acting(controller: Source, task: GymnasiumTask) -> Controller:
    return custom_controller(idle(task) if controller is None else controller, task)


def _metric(options: EnvironmentOptions, problem: Problem, bare: GymnasiumTask) -> Metric:
    """Success if the environment reports it, in an episode of the controller, else the return."""
    if options.metric != "auto":
        return options.metric
    seeds = evaluation_seeds(0, bare.num_envs)
    collect(bare, problem.level(), seeds, problem.horizon)
    return "success" if bare.reports_success else "return"


def _value_bounds(config: Config, options: EnvironmentOptions, horizon: int) -> tuple[float, float]:
    """What discounted sums of rewards within the bounds can be; an episode may end at any time."""
    if options.reward_bounds is None:
        return -math.inf, math.inf
    low, high = options.reward_bounds
    discount = config.learner.discount_over(horizon)
    return min(low, 0.0) / (1.0 - discount), max(high, 0.0) / (1.0 - discount)


def idle(task: GymnasiumTask) -> Answering:
    """A controller that stays in the middle of the action range."""
    return lambda observation: task.action_middle


def goal_rules(task: GymnasiumTask, hindsight: float) -> GoalRules:
    """The environment's rules for arrays of goals, whether its functions take arrays or not.

    Args:
        task: any; without goals there is nothing to relabel.
        hindsight: the share of transitions that are relabelled.

    Raises:
        UnsuitableEnvironment: if there are goals to relabel but no ``compute_reward``, or if a
            rule needs more than the goals.
    """
    spaces = getattr(task.single_observation_space, "spaces", None)
    if spaces is None or "achieved_goal" not in spaces or hindsight == 0.0:
        return GoalRules(_nothing)
    width = spaces["achieved_goal"].shape[0]
    task.envs[0].reset(seed=0)  # a rule may use what an environment has only in an episode
    compute_reward = _of_goals(task, "compute_reward", width)
    if compute_reward is None:
        raise UnsuitableEnvironment(
            "the environment has goals but no compute_reward, without which hindsight cannot pay "
            "for other goals: add compute_reward(achieved_goal, desired_goal, info), or train "
            "with --replay.hindsight 0"
        )
    ends = _of_goals(task, "compute_terminated", width)
    return GoalRules(compute_reward, ends and (lambda *goals: ends(*goals).astype(bool)))


def _of_goals(task: GymnasiumTask, name: str, width: int) -> OfGoals | None:
    """A method of the environment that follows from two goals, for arrays; None without it.

    Raises:
        UnsuitableEnvironment: if it cannot be called with two goals and an empty info.
    """
    # Some goals reached and some missed, so that no rule says the same of all.
    achieved, desired = np.random.default_rng(0).standard_normal((2, 7, width))
    desired[::2] = achieved[::2]
    compute = rule_of(task.envs[0], name)
    if compute is None:
        return None
    try:
        compute(achieved[0], desired[0], {})
    except NotImplementedError:
        return None
    except Exception as error:
        raise UnsuitableEnvironment(needs_more_than_goals(name, error)) from error

    singly = one_by_one(name, compute)

    def together(achieved: np.ndarray, desired: np.ndarray, info: object) -> np.ndarray:
        return numbers_of(name, compute(achieved, desired, info), len(achieved))

    try:
        values = together(achieved, desired, {})
        fits = np.allclose(values, singly(achieved, desired, {}))
    except Exception:
        return singly
    return together if fits else singly


def _nothing(achieved: np.ndarray, desired: np.ndarray, info: object) -> np.ndarray:
    """Where no reward is ever used."""
    return np.zeros(len(achieved))
