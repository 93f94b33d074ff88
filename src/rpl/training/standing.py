"""How the policy stands at the end of an epoch: whether it is fit to be deployed.

An actor that was better than its controller can fall far below it for thousands of steps. So in
the last cycles of an epoch the policy acts alone, as it would be deployed, and does not change;
the episodes are learned from afterwards. Where it did worse in them than its controller, the
controller takes its place in the evaluation, and no checkpoint of it is the best.
"""

from __future__ import annotations

import math

import numpy as np

from rpl.config import Config
from rpl.problem import Problem
from rpl.replay.episodes import Episodes
from rpl.rollout.evaluate import Outcome, diverged_return
from rpl.training.progress import Progress

FEWEST = 3
"""Episodes in which the policy acted alone, below which nothing is said of it."""


def acts_alone(config: Config, problem: Problem, progress: Progress) -> bool:
    """Whether the policy acts without disturbances in this cycle, to show how it stands.

    In the last cycles of an epoch or of the run; an untrained policy is its controller.
    """
    if not problem.adds or progress.is_untrained or progress.burning_in:
        return False
    of_epoch = config.cycles_per_epoch - progress.epoch_cycles
    of_run = (config.steps - progress.environment_steps) / config.steps_per_cycle(problem.horizon)
    return min(of_epoch, of_run) <= _cycles_alone(config)


def _cycles_alone(config: Config) -> int:
    """Its share of an epoch's cycles; where that is too few episodes, up to a half for enough."""
    share, cycles = config.exploration.alone_share, config.cycles_per_epoch
    enough = math.ceil(FEWEST / config.episodes_per_cycle)
    asked = round(share * cycles)
    return enough if share > 0.0 and asked < enough <= cycles / 2 else asked


def remember(progress: Progress, problem: Problem, episodes: Episodes) -> None:
    """Takes down how episodes went in which the policy acted alone; diverged ones are failures."""
    by_success = problem.metric == "success"
    measured = episodes.success.astype(float) if by_success else episodes.returns
    failed = 0.0 if by_success else diverged_return(episodes, problem.horizon)
    progress.alone = (*progress.alone, *measured.tolist(), *[failed] * episodes.dropped)


def stands_below(progress: Progress, problem: Problem, controller: Outcome) -> bool:
    """Whether the policy alone did worse than its controller, by more than a standard error.

    Args:
        controller: its outcomes in an evaluation.
    """
    alone = progress.alone
    if len(alone) < FEWEST:
        return False
    level = controller.level(problem.metric)
    return bool(np.mean(alone) < level - np.std(alone) / np.sqrt(len(alone)))
