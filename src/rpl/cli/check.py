"""``rpl check``: the contract of an environment and a controller, in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Annotated, Any

import gymnasium
import tyro
from gymnasium.wrappers import TimeLimit
from rich.console import Console

from rpl.check import Finding, Training, check
from rpl.check.first_lines import MARKS, print_finding
from rpl.cli.options import as_command, check_typed, first_parse, option_words
from rpl.cli.output import only_json
from rpl.controllers.contract import Answer, Answering, Source
from rpl.observations import Observation
from rpl.registry.builtin import make_controller
from rpl.registry.catalog import CONTROLLERS, TASKS, check_task, controller_name
from rpl.registry.environments import environment_maker, observed
from rpl.registry.names import EnvironmentOptions, controller_source
from rpl.settings import Record
from rpl.tasks.wrappers import SingleTask
from rpl.training.console import say


@dataclass(frozen=True)
class ReplayOptions:
    """What of the replay changes the verdict."""

    hindsight: float = 0.8
    """Share of transitions with another goal; 0 asks nothing of compute_reward."""


@dataclass(frozen=True)
class ResidualOptions:
    """What of the residual changes the verdict."""

    scale: float | tuple[float, ...] = 1.0
    """How far the policy may be from its controller, in halves of the action range."""


@dataclass(frozen=True)
class CheckOptions:
    """What ``rpl check`` takes: of ``rpl train`` all that changes the verdict."""

    environment: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="TASK_OR_FACTORY")]
    """A Gymnasium id, module:factory, or a task of `rpl tasks`."""
    controller: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """module:controller, an ONNX file, a cache, or a controller of `rpl tasks`."""
    task: EnvironmentOptions = field(default_factory=EnvironmentOptions)
    replay: ReplayOptions = field(default_factory=ReplayOptions)
    residual: ResidualOptions = field(default_factory=ResidualOptions)
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print one JSON object and nothing else."""

    def training(self) -> Training:
        """What of a training the options say."""
        return Training(
            self.task.max_episode_steps,
            observed(self.task.observe),
            self.replay.hindsight,
            self.residual.scale,
            self.task.processes,
        )


def command_for(arguments: list[str]) -> Callable[..., int]:
    """The command; what its options cannot be is refused before tyro reads them."""
    said = first_parse(arguments, CheckOptions)
    if said is not None:
        check_typed(said, task=EnvironmentOptions())
    summary = (
        "Checks an environment, and a controller in it, and says what to do about what is wrong."
    )
    return as_command(run_check, CheckOptions, summary)


def run_check(options: CheckOptions) -> int:
    """Checks, prints what was found, and returns 1 if a training would fail."""
    with only_json(options.json) as print_json:
        make_env, controller = named(options)
        findings = check(make_env, controller, options.training())
        if options.json:
            print_json(report(options, findings))
        else:
            print_findings(options, findings, Console())
    return 1 if any(finding.severity == "error" for finding in findings) else 0


def named(options: CheckOptions) -> tuple[Callable[[], gymnasium.Env], Source]:
    """What makes the environment, and the controller in a form that the check takes."""
    environment, controller = options.environment, options.controller
    check_task(environment)
    source, plans = None, False
    if controller is not None:
        name = controller_name(environment, controller)
        plans = name in CONTROLLERS and CONTROLLERS[name].plans
        source = _BoundToTask(controller) if name in CONTROLLERS else controller_source(name)
    if environment in TASKS:
        return partial(_paper_environment, environment, plans), source
    return environment_maker(environment, keywords=options.task.keywords()), source


class _BoundToTask:
    """A controller of the catalog, made for the environment it gets."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, env: gymnasium.Env) -> Answering:
        single: Any = env.unwrapped
        batched = make_controller(self._name, single.task)

        def controller(observation: Observation) -> Answer:
            return batched({name: part[None] for name, part in observation.items()})[0]

        return controller


def _paper_environment(name: str, plans: bool) -> gymnasium.Env:
    entry = TASKS[name]
    task = entry.variant.make(1, entry.options, num_threads=1, simulator_state=plans)
    return TimeLimit(SingleTask(task), entry.horizon)


def report(options: CheckOptions, findings: list[Finding]) -> Record:
    """What ``--json`` prints."""
    return {
        "environment": options.environment,
        "controller": options.controller,
        "passed": all(finding.severity != "error" for finding in findings),
        "findings": [asdict(finding) for finding in findings],
    }


def print_findings(options: CheckOptions, findings: list[Finding], console: Console) -> None:
    """One line a finding, the worst first, and the verdict."""
    for severity in MARKS:
        for finding in findings:
            if finding.severity == severity:
                print_finding(finding, console)
    count = sum(finding.severity == "error" for finding in findings)
    if count:
        say(console, f"{count} thing{'s' * (count > 1)} must be fixed before training")
        return
    sentence = "the environment can be trained on; check a controller with --controller"
    if options.controller:
        words = f"{options.environment} --controller {options.controller}"
        for group, defaults in (
            ("task", EnvironmentOptions()),
            ("replay", ReplayOptions()),
            ("residual", ResidualOptions()),
        ):
            words += option_words(group, getattr(options, group), defaults)
        sentence = f"it can be trained on: rpl train {words}"
    say(console, sentence)
