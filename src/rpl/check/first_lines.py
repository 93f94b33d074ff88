"""What a training says before it begins: what ``rpl check`` would, of what nothing else says."""

from __future__ import annotations

from rich.console import Console

from rpl.check import Training, check
from rpl.check.finding import Finding
from rpl.config import Config
from rpl.registry.environments import environment_maker, observed
from rpl.registry.names import EnvironmentOptions, controller_source
from rpl.registry.resolve import RunSpec

MARKS = {
    "error": ("must be fixed", "red"),
    "warning": ("look at", "yellow"),
    "note": ("note", "dim"),
}
SECONDS = 1.0  # of each pass through episodes
RAISED = frozenset({"cannot-be-made", "unsuitable", "contract", "raises"})  # by the training too


def say_first(spec: RunSpec, console: Console) -> None:
    """Says what is wrong with a user's environment and controller, in a line each."""
    for finding in first_findings(spec):
        print_finding(finding, console)


def first_findings(spec: RunSpec) -> list[Finding]:
    """What a run on a user's environment should be told before it begins; nothing of others."""
    options, config = spec.task.options, spec.config
    if not (isinstance(options, EnvironmentOptions) and isinstance(config, Config)):
        return []
    residual = config.residual
    training = Training(
        options.max_episode_steps,
        observed(options.observe),
        config.replay.hindsight,
        residual.scale if spec.row.residual else 2.0,
        options.processes,
        SECONDS,
    )
    make_env = environment_maker(spec.task.source, keywords=options.keywords())
    found = check(make_env, controller_source(spec.controller.source), training)
    sees = residual.observe_controller and residual.critic_input == "sum"
    known = RAISED | ({"random"} if sees else set())
    return [f for f in found if f.severity != "note" and f.name not in known]


def print_finding(finding: Finding, console: Console) -> None:
    """A finding in one line."""
    mark, style = MARKS[finding.severity]
    console.print(f"[{style}]{mark}[/] ({finding.subject}):", end=" ")
    console.print(finding.sentence, markup=False, highlight=False, soft_wrap=True)
