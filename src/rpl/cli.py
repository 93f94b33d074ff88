"""The ``rpl`` command: which subcommands there are, and how they fail."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import tyro
from rich.console import Console

from rpl.catalog import UnknownName
from rpl.commands import (
    benchmark,
    cache,
    check,
    evaluate,
    export,
    objects,
    paper,
    plot,
    report,
    tasks,
    train,
    watch,
)
from rpl.own import NotFound
from rpl.residual import ControllerError
from rpl.runs import RunError
from rpl.tasks.rendering import RenderingError
from rpl.train import TrainingDiverged

USAGE_ERRORS = (UnknownName, NotFound)
OTHER_ERRORS = (RunError, ControllerError, RenderingError, TrainingDiverged, OSError, ValueError)


def main() -> None:
    """Runs the command line and exits: 0 done, 2 a usage error, 1 anything else."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Runs a command and returns its exit code; an error is one sentence on standard error."""
    try:
        result = tyro.extras.subcommand_cli_from_dict(
            commands(arguments),
            args=arguments or ["--help"],
            prog="rpl",
            description="Residual policy learning: improve a controller with deep RL.",
        )
    except USAGE_ERRORS as error:
        return _complain(str(error), 2)
    except KeyboardInterrupt:
        return _complain("interrupted", 1)
    except OTHER_ERRORS as error:
        return _complain(str(error) or type(error).__name__, 1)
    return result or 0


def commands(arguments: list[str]) -> dict[str, Callable[..., Any]]:
    """The subcommands; some have options that depend on the task named in the arguments."""

    def of(name: str) -> list[str]:
        return arguments if arguments[:1] == [name] else []

    return {
        "tasks": tasks.tasks,
        "objects": objects.objects,
        "train": train.command_for(of("train")),
        "eval": evaluate.command_for(of("eval")),
        "watch": watch.command_for(of("watch")),
        "cache": cache.command_for(of("cache")),
        "check": check.run_check,
        "export": export.export,
        "plot": plot.plot,
        "report": report.report,
        "paper": paper.command(),
        "bench": benchmark.bench,
    }


def _complain(sentence: str, code: int) -> int:
    Console(stderr=True, soft_wrap=True).print(f"rpl: {sentence}", markup=False, highlight=False)
    return code
