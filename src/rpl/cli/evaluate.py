"""``rpl eval``: policy and controller on the same unseen episodes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tyro
from rich.console import Console
from rich.table import Table
from rich.text import Text

from rpl.cli.by_object import (
    category_counts,
    print_categories,
    splits_to_judge,
    task_with_objects,
    training_categories,
)
from rpl.cli.evaluate_many import as_json, print_reports
from rpl.cli.options import (
    PICTURES,
    Parsed,
    SubjectOptions,
    as_command,
    check_counts,
    load_for,
    options_for,
    require_suffix,
)
from rpl.cli.output import only_json, say
from rpl.controllers.contract import Policy
from rpl.errors import UsageError
from rpl.problem import Problem
from rpl.rollout.evaluate import FEWEST_PAIRS, Outcome, compared, evaluate
from rpl.rollout.seeds import evaluation_seeds
from rpl.runs.load import Subject, is_planner
from rpl.runs.many import runs_named
from rpl.settings import Record

LARGEST_ROUND = 100
EPISODES, EPISODES_OF_PLANNERS = 200, 10
MEASURES = (
    ("success", "success_rate", "success_interval", ".3f"),
    ("return", "mean_return", "return_interval", ".2f"),
)
"""Columns of the table: their names, and keys and format of what is in them."""
VERDICTS = {
    "better": "better (the paired interval lies above zero)",
    "worse": "worse (the paired interval lies below zero)",
    "no difference shown": "no difference shown (the paired interval includes zero)",
    "too few episodes": f"too few episodes to say; --episodes {FEWEST_PAIRS} is the least",
}


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(SubjectOptions):
    """What ``rpl eval`` takes besides the options that depend on the task."""

    episodes: int | None = None
    """Episodes, the same for policy and controller; default: 200, or 10 for a run of PETS."""
    num_envs: int | None = None
    """Episodes side by side; default: all of them, up to 100, or 10 in a user's environment."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print one JSON object and nothing else."""
    picture: Path | None = None
    """Where episodes differ in objects: draw success by kind of object, as .png, .pdf or .svg."""


def command_for(arguments: list[str]) -> Callable[..., int]:
    """The command, with the options of the task and controller in the arguments."""
    summary = "Evaluates a run's policy beside its controller, or a controller."
    return as_command(run_evaluation, options_for(EvaluateOptions, arguments), summary)


def run_evaluation(options: Parsed) -> int:
    """Evaluates and prints a table or JSON."""
    require_suffix(options.picture, "--picture", *PICTURES)
    with only_json(options.json) as print_json:
        _evaluate(options, print_json)
    return 0


def _evaluate(options: Parsed, print_json: Callable[[object], None]) -> None:
    if runs := runs_named(options.run_or_task):
        if options.picture is not None:
            raise UsageError("--picture shows a single run: name one of the folder's")
        say("the same unseen episodes for each run; IQM: interquartile mean over them", error=True)
        reports = {run.name: report_of(replace(options, run_or_task=str(run))) for run in runs}
        if options.json:
            print_json(as_json(reports))
        else:
            print_reports(reports)
        return
    report = report_of(options)
    if options.picture is not None:
        from rpl.viz.by_object import success_by_category  # matplotlib is slow to import

        success_by_category(report["splits"], options.picture)
    if options.json:
        print_json(report)
    else:
        print_report(report)


def report_of(options: Parsed) -> Record:
    """Evaluates a run, or a task's controller; what ``--json`` prints of it."""
    enough = EPISODES_OF_PLANNERS if is_planner(options.run_or_task) else EPISODES
    episodes = enough if options.episodes is None else options.episodes
    check_counts(episodes=episodes, num_envs=options.num_envs)
    num_envs = min(episodes, options.num_envs or LARGEST_ROUND)
    exactly = options.num_envs is not None

    def with_task(task: object) -> Subject:
        return load_for(replace(options, task=task), num_envs, exactly=exactly)

    subject = with_task(options.task)

    if options.picture is not None and task_with_objects(subject) is None:
        raise UsageError(
            f"--picture shows success by kind of object, and {subject.name} has one object only"
        )
    return full_report(subject, episodes, options.seed, with_task)


def full_report(
    subject: Subject, episodes: int, seed: int, with_task: Callable[[Any], Subject]
) -> Record:
    """What ``--json`` prints; training and held-out objects apart where there are objects.

    ``episodes`` are those of each split, and ``with_task`` loads the subject with other options.
    """
    task = task_with_objects(subject)
    if task is None:
        return evaluation_report(subject, episodes, seed)
    options = task.options
    splits = {
        split: evaluation_report(
            subject if split == options.split else with_task(replace(options, split=split)),
            episodes,
            seed,
        )
        for split in splits_to_judge(options)
    }
    return {**next(iter(splits.values())), "splits": splits}


def evaluation_report(subject: Subject, episodes: int, seed: int) -> Record:
    """The outcome of policy and controller on the same episodes."""
    problem = subject.problem
    seeds = evaluation_seeds(seed, episodes)
    controller, policy = judge(subject, seeds)
    report = {
        "task": subject.name,
        "method": subject.method,
        "episodes": episodes,
        "seed": seed,
        "judged_by": problem.metric,
        "compared_with": problem.baseline,
        "controller": controller.summary(),
        "policy": None if policy is None else policy.summary(),
        "untrained": subject.remark is not None,
        "remark": subject.remark,
        **judgement(problem, policy, controller),
    }
    if task := task_with_objects(subject):
        outcomes = {"controller": controller, "policy": policy}
        trained = training_categories(task.options)
        objects = list(map(task.episode_object, seeds))
        report["categories"] = category_counts(objects, outcomes, trained)
    return report


def judgement(problem: Problem, policy: Outcome | None, controller: Outcome) -> Record:
    """The paired difference, what it allows to say, and how far from the controller it went."""
    if policy is None:
        beside = ("difference", "verdict", "acted_share", "largest_deviation")
        return dict.fromkeys(beside)
    difference, verdict = compared(policy, controller, problem.metric)
    adds = problem.adds
    return {
        "difference": difference,
        "verdict": verdict,
        "acted_share": policy.acted_share if adds else None,
        "largest_deviation": list(policy.largest_deviation) if adds else None,
    }


def print_report(report: Record) -> None:
    """The report as tables: one, or one for training and one for held-out objects."""
    if "splits" not in report:
        print_outcomes(report, f"{report['episodes']} unseen episodes")
        return
    for split, part in report["splits"].items():
        print_outcomes(part, f"{part['episodes']} unseen episodes, {split} objects")
    print_categories(report["splits"])


def print_outcomes(report: Record, title: str) -> None:
    """Controller, policy and their difference as a table."""
    table = Table(title=Text(f"{report['task']}: {title}"))
    table.add_column("")
    # Where success says little, it is not shown.
    shown = MEASURES if report["judged_by"] == "success" else MEASURES[1:]
    for name, *_ in shown:
        table.add_column(name, justify="right")
        table.add_column("95 % interval", justify="right")
    rows = [(report["compared_with"], report["controller"], "")]
    if report["policy"] is not None:
        rows += [(f"policy ({report['method']})", report["policy"], "")]
        rows += [("difference", report["difference"], "+")]
    for who, numbers, sign in rows:
        cells = []
        for _, value, interval, form in shown:
            low, high = (f"{end:{sign}{form}}" for end in numbers[interval])
            cells += [f"{numbers[value]:{sign}{form}}", f"[{low}, {high}]"]
        table.add_row(*map(Text, (who, *cells)))
    Console().print(table)
    print_remarks(report)


def print_remarks(report: Record) -> None:
    """What there is to say besides: the verdict, and what makes the numbers doubtful."""
    if report["verdict"] is not None:
        say(f"policy against {report['compared_with']}: {VERDICTS[report['verdict']]}")
    if report["remark"]:
        say(report["remark"])
    diverged = max(report[name]["diverged"] for name in ("controller", "policy") if report[name])
    if diverged:
        say(
            f"up to {diverged} of the episodes had an observation or a reward that was not "
            "finite: each counts as a failure, with the least return of the others or -1 a step"
        )
    starts = report["controller"]["starts"]
    if starts is not None and starts < report["episodes"]:
        say(
            f"the {report['episodes']} episodes had {starts} different first observation"
            f"{'s' * (starts != 1)}: the intervals hold for these alone"
        )
    if report["largest_deviation"]:
        far = ", ".join(f"{far:.3f}" for far in report["largest_deviation"])
        say(
            f"the residual acted in {report['acted_share']:.1%} of the steps; largest deviation "
            f"from the controller, in halves of the action range: {far}"
        )


def judge(subject: Subject, seeds: Sequence[int]) -> tuple[Outcome, Outcome | None]:
    """The controller's outcome, and the policy's where the subject has one."""
    problem = subject.problem
    controller = _shown(problem, problem.baseline, problem.level(), seeds)
    if subject.policy is None:
        return controller, None
    base = problem.base()
    return controller, _shown(problem, "policy", subject.policy, seeds, base)


def _shown(
    problem: Problem, whose: str, policy: Policy, seeds: Sequence[int], base: Policy | None = None
) -> Outcome:
    """The outcome, and until then a line on the terminal that says how far it is."""
    with Console(stderr=True).status(whose) as status:

        def tell(share: float) -> None:
            status.update(f"{whose}: {share:.0%} of {len(seeds)} episodes")

        return evaluate(problem.evaluation_task, policy, seeds, problem.horizon, tell, base)
