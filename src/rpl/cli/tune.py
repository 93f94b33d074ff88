"""``rpl tune``: better settings for a controller, before anything is learned on it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from rpl.cli.evaluate import print_outcomes
from rpl.cli.options import (
    UNSEEN_SEED,
    ControllerName,
    Parsed,
    as_command,
    check_counts,
    load_for,
    option_words,
    options_for,
)
from rpl.cli.output import plain_table, say
from rpl.controllers.settings import Values
from rpl.errors import UsageError
from rpl.registry.bracketed import named_with
from rpl.registry.resolve import RunSpec, default_options
from rpl.rollout.evaluate import MEAN
from rpl.runs.load import Request, named_spec
from rpl.runs.provenance import provenance
from rpl.runs.settings import as_record
from rpl.settings import Record
from rpl.tuning.folder import PICTURE, RECORD, TuningFolder
from rpl.tuning.play import Player
from rpl.tuning.search import ROUND
from rpl.tuning.session import Budget, run_tuning

SUMMARY = """Searches better settings for a controller, and says what they come to.

Plays episodes of training only; the result is judged beside the shipped settings on episodes that
are held out. `rpl tune pick-and-place` finds what is wrong with that task's controller. Settings
are a controller's --controller.* options, or arguments with bounds of your own one:
def controller(observation, gain: Annotated[float, (0.5, 50.0)] = 10.0)."""


@dataclass(frozen=True, kw_only=True)
class TuneOptions:
    """What ``rpl tune`` takes besides the options that depend on the task."""

    run_or_task: Annotated[tyro.conf.Positional[str], tyro.conf.arg(name="task", metavar="TASK")]
    """The task, as of `rpl train`."""
    controller_name: ControllerName = None
    episodes: int = Budget.episodes
    """Episodes of training that may be played, in search and confirmation together."""
    evaluation_episodes: int = Budget.evaluation_episodes
    """Held-out episodes that tuned and shipped settings are judged on."""
    seed: int = 0
    """Decides what is tried, and chooses the episodes of training."""
    checkpoint: tyro.conf.Suppress[tyro.conf.Fixed[str]] = "deployed"
    out: Path | None = None
    """The folder of the result; default: runs/<task>-tune-seed<k>."""
    resume: tyro.conf.FlagCreatePairsOff[bool] = False
    """Continue the tuning in the folder."""
    overwrite: tyro.conf.FlagCreatePairsOff[bool] = False
    """Replace the tuning in the folder."""


def command_for(arguments: list[str]) -> Callable[..., int]:
    """The command, with the options of the task and controller in the arguments."""

    def run(options: Parsed) -> int:
        return run_tune(options, arguments)

    return as_command(run, options_for(TuneOptions, arguments), SUMMARY)


def run_tune(options: Parsed, arguments: list[str]) -> int:
    """Tunes, prints the result and how to use it; 1 if it was stopped."""
    request = Request(
        options.run_or_task, options.controller_name, options.task, options.controller
    )
    if request.folder is not None:
        raise UsageError(f"rpl tune takes a task, and {options.run_or_task} is a folder")
    spec = named_spec(request)
    if spec.controller.source is None:
        raise UsageError(f"{spec.task.name} has no controller: name yours with --controller")
    check_counts(**{"evaluation-episodes": options.evaluation_episodes})
    budget = Budget(options.episodes, options.evaluation_episodes, options.seed, UNSEEN_SEED)
    player = Player(spec.controller, load_for(options, ROUND, exactly=True).problem)
    budget.check(len(player.settings))
    command = shlex.join(["rpl", *(w for w in arguments if w not in ("--resume", "--overwrite"))])
    folder = TuningFolder(
        options.out or _default_folder(spec, options.seed),
        _record(spec, player, budget, command),
        options.resume,
        options.overwrite,
    )
    console = Console()
    try:
        result = run_tuning(folder, player, budget, console)
        if result is None:
            say(f"stopped and saved; continue with: {command} --resume")
            return 1
        _draw(folder, spec, player, result)
    finally:
        folder.close()
    _print(folder.path, spec, player, result, console)
    return 0


def _default_folder(spec: RunSpec, seed: int) -> Path:
    name = re.sub(r"[^\w.-]+", "-", spec.task.name)
    return Path("runs") / f"{name}-tune-seed{seed}"


def _record(spec: RunSpec, player: Player, budget: Budget, command: str) -> Record:
    return {
        "task": spec.task.name,
        "task_options": as_record(spec.task.options),
        "controller": spec.controller.name,
        "controller_options": as_record(spec.controller.options),
        "searched": {name: vars(one) for name, one in player.settings.items()},
        **vars(budget),
        "command": command,
        **provenance(),
    }


def words_for(spec: RunSpec, player: Player, values: Values) -> str:
    """What makes a command on the task use these settings of the controller."""
    name, options, task = spec.controller.name, spec.controller.options, spec.task.options
    words = option_words("task", task, default_options(spec.task.name))
    if options is not None:
        words += f" --controller {name}"
        return words + option_words("controller", player.options(values), type(options)())
    changed = {key: v for key, v in values.items() if v != player.settings[key].default}
    return f"{words} --controller {shlex.quote(named_with(str(name), changed))}"


def _draw(folder: TuningFolder, spec: RunSpec, player: Player, result: Record) -> None:
    from rpl.viz.search import draw_search  # matplotlib is slow to import

    draw_search(
        folder.path / PICTURE,
        f"{spec.task.name} ({spec.controller.name}): {result['tried']} settings tried",
        folder.rows,
        {name: one.default for name, one in player.settings.items()},
        result["settings"],
        {name: one.by_factor for name, one in player.settings.items()},
        result["metric"],
    )


def _print(path: Path, spec: RunSpec, player: Player, result: Record, console: Console) -> None:
    confirmed, metric = result["confirmed"], result["metric"]
    passed_over = f", {refused} passed over" if (refused := result.get("refused")) else ""
    say(
        f"{result['tried']} settings tried in {result['episodes']:,} episodes of training, "
        f"{result['steps']:,} environment steps{passed_over}"
    )
    table = plain_table("setting", numbers=("shipped", "tuned", f"{metric} that it is worth"))
    for name, one in player.settings.items():
        worth = confirmed["changed"].get(name)
        table.add_row(name, str(one.default), str(result["settings"][name]), _worth(worth, metric))
    console.print(table)
    print_outcomes(
        {
            **result["evaluation"],
            "task": spec.task.name,
            "judged_by": metric,
            "compared_with": "controller",
            "method": "tuned controller",
            "policy": result["evaluation"]["tuned"],
            "remark": None,
            "largest_deviation": None,
        },
        f"{result['evaluation']['episodes']} held-out episodes",
    )
    if not confirmed["changed"]:
        say("the shipped settings stay: no others were shown to be better")
    else:
        words = words_for(spec, player, result["settings"])
        say(f"use them: rpl train {spec.task.name}{words}")
    say(f"wrote {path / RECORD}, {path / PICTURE}")


def _worth(difference: Record | None, metric: str) -> str:
    if difference is None:
        return "-"
    low, high = difference[f"{metric}_interval"]
    mean = difference[MEAN[metric]]
    return f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]"
