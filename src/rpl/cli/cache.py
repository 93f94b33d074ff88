"""``rpl cache``: any policy, however slow, as a fast controller."""

import math
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from rich.console import Console

from rpl.cli.evaluate import LARGEST_ROUND
from rpl.cli.options import (
    Parsed,
    SubjectOptions,
    as_command,
    check_counts,
    load_for,
    option_words,
    options_for,
    require_suffix,
)
from rpl.cli.output import say
from rpl.controllers.cached import Cache, CacheError, from_episodes
from rpl.registry.resolve import default_options
from rpl.replay.episodes import Episodes, join
from rpl.rollout.collect import collect
from rpl.rollout.seeds import training_seeds
from rpl.runs.load import Subject
from rpl.runs.provenance import provenance

# Its episodes are training episodes of a seed that runs do not have: never those of evaluations.
CACHE_SEED = 2_000_000


@dataclass(frozen=True, kw_only=True)
class CacheOptions(SubjectOptions):
    """What ``rpl cache`` takes besides the options that depend on the task."""

    out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT")]
    """The file to write, .npz."""
    states: int = 500
    """States to keep, drawn at random from the episodes."""
    episodes: int | None = None
    """Episodes to draw them from; default: as many as have that many steps."""
    seed: int = CACHE_SEED
    """Chooses the episodes and the states."""


def command_for(arguments: list[str]) -> Callable[..., int]:
    """The command, with the options of the task and controller in the arguments."""
    summary = "Saves what a policy does in N of its own states, to act from: a fast controller."

    def run(options: Parsed) -> int:
        return run_caching(options, ["rpl", *arguments])

    return as_command(run, options_for(CacheOptions, arguments), summary)


def run_caching(options: Parsed, command: list[str]) -> int:
    """Collects episodes of the policy and writes the cache."""
    require_suffix(options.out, "OUT", ".npz")
    check_counts(states=options.states, episodes=options.episodes)
    subject = load_for(options, 1)
    episodes = options.episodes or math.ceil(options.states / subject.problem.horizon)
    subject = load_for(options, min(episodes, LARGEST_ROUND))
    with Console(stderr=True).status("acting"):
        acted = acted_episodes(subject, 0, episodes, options.seed)
        while acted.steps < options.states and options.episodes is None:  # some ended early
            more = math.ceil((options.states - acted.steps) * len(acted) / acted.steps)
            acted = join([acted, acted_episodes(subject, episodes, more, options.seed)])
            episodes += more
    cache = make_cache(subject, acted, options.states, options.seed, shlex.join(command))
    cache.save(options.out)
    variations = option_words("task", options.task, default_options(subject.name))
    say(
        f"wrote {options.out}: {len(cache)} states (episodes: {len(acted)}, mean return "
        f"{acted.returns.mean():.1f}); act from it with\n"
        f"  rpl eval {subject.name} --controller {options.out}{variations}"
    )
    return 0


def acted_episodes(subject: Subject, first: int, count: int, seed: int) -> Episodes:
    """Training episodes ``first`` .. ``first + count - 1`` of a seed, played by the policy.

    Where the subject has none, its controller plays.

    Raises:
        CacheError: if nothing finite was seen in them.
    """
    problem = subject.problem
    policy = problem.level() if subject.policy is None else subject.policy
    seeds = training_seeds(seed, first, count)
    acted = collect(problem.evaluation_task, policy, seeds, problem.horizon, problem.base())
    if not acted.steps:
        raise CacheError("each episode had an observation or a reward that was not a finite number")
    return acted


def make_cache(subject: Subject, acted: Episodes, states: int, seed: int, command: str) -> Cache:
    """A cache of so many states of the episodes, which ``seed`` chooses, with its provenance."""
    origin = {
        "task": subject.name,
        "method": subject.method,
        "command": command,
        "seed": seed,
        "returns": [round(float(earned), 2) for earned in acted.returns],
        "charged_steps": subject.charged_steps + acted.steps,
        "run": subject.record,
        **provenance(),
    }
    return from_episodes(acted, states, np.random.default_rng(seed), origin)
