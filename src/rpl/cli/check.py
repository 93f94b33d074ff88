"""``rpl check``: the contract of an environment and a controller, in words."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Annotated, Any

import gymnasium
import tyro
from gymnasium.wrappers import TimeLimit
from rich.console import Console

from rpl.check import Finding, check
from rpl.cli.output import say
from rpl.observations import batch_of_one
from rpl.registry.builtin import make_controller
from rpl.registry.catalog import CONTROLLERS, TASKS, check_task, controller_name
from rpl.registry.names import EnvironmentOptions, controller_source, environment_maker
from rpl.tasks.wrappers import SingleTask

MARKS = {
    "error": ("must be fixed", "red"),
    "warning": ("look at", "yellow"),
    "note": ("note", "dim"),
}


@dataclass(frozen=True)
class CheckTaskOptions:
    """What a check needs to know of the environment."""

    max_episode_steps: int | None = None
    """Truncate episodes after so many steps; default: where the environment says it ends."""

    def __post_init__(self) -> None:
        """Refuses what ``EnvironmentOptions`` does."""
        EnvironmentOptions(max_episode_steps=self.max_episode_steps)


@dataclass(frozen=True)
class CheckOptions:
    """What ``rpl check`` takes."""

    environment: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="TASK_OR_FACTORY")]
    """A Gymnasium id, module:factory, or a task of `rpl tasks`."""
    controller: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """module:controller, an ONNX file, a cache, or a controller of `rpl tasks`."""
    task: CheckTaskOptions = field(default_factory=CheckTaskOptions)
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print one JSON object and nothing else."""


def run_check(options: Annotated[CheckOptions, tyro.conf.arg(name="")]) -> int:
    """Checks an environment, and a controller in it, and says what to do about what is wrong."""
    make_env, controller = named(options.environment, options.controller)
    findings = check(make_env, controller, options.task.max_episode_steps)
    bad = any(finding.severity == "error" for finding in findings)
    if options.json:
        print(json.dumps(report(options, findings)))
    else:
        print_findings(options, findings)
    return 1 if bad else 0


def named(environment: str, controller: str | None) -> tuple[Callable[[], gymnasium.Env], Any]:
    """What makes the environment, and the controller in a form that the check takes."""
    check_task(environment)
    source, plans = None, False
    if controller is not None:
        name = controller_name(environment, controller)
        plans = name in CONTROLLERS and CONTROLLERS[name].plans
        source = (
            partial(_bound_to_task, name=controller)
            if name in CONTROLLERS
            else controller_source(name)
        )
    if environment in TASKS:
        return partial(_paper_environment, environment, plans), source
    return environment_maker(environment), source


def _bound_to_task(env: gymnasium.Env, name: str) -> Callable[[Any], Any]:
    """A controller of the catalog, made for an environment of the paper."""
    single: Any = env.unwrapped
    batched = make_controller(name, single.task)
    return lambda observation: batched(batch_of_one(observation))[0]


def _paper_environment(name: str, plans: bool) -> gymnasium.Env:
    entry = TASKS[name]
    task = entry.make(1, entry.options, num_threads=1, simulator_state=plans)
    return TimeLimit(SingleTask(task), entry.horizon)


def report(options: CheckOptions, findings: list[Finding]) -> dict[str, Any]:
    """What ``--json`` prints."""
    return {
        "environment": options.environment,
        "controller": options.controller,
        "passed": all(finding.severity != "error" for finding in findings),
        "findings": [asdict(finding) for finding in findings],
    }


def print_findings(options: CheckOptions, findings: list[Finding]) -> None:
    """One line a finding, the worst first, and the verdict."""
    for severity, (mark, style) in MARKS.items():
        for finding in findings:
            if finding.severity == severity:
                Console().print(f"[{style}]{mark}[/] ({finding.subject}):", end=" ")
                say(finding.sentence)
    count = sum(finding.severity == "error" for finding in findings)
    if count:
        say(f"{count} thing{'s' * (count > 1)} must be fixed before training")
    else:
        limit = options.task.max_episode_steps
        words = [] if limit is None else [f"--task.max-episode-steps {limit}"]
        train = ["rpl train", options.environment, f"--controller {options.controller}", *words]
        say(
            f"it can be trained on: {' '.join(train)}"
            if options.controller
            else "the environment can be trained on; check a controller with --controller"
        )
