"""Options that several commands share, and those that depend on a task or a controller."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import tyro

from rpl.catalog import CONTROLLERS, TASKS, find, task_options_of
from rpl.errors import UsageError
from rpl.own import is_own_controller, is_own_task
from rpl.runs import read_config

ControllerName = Annotated[
    str | None,
    tyro.conf.arg(
        name="controller",
        metavar="NAME",
        help="The controller; default: the task's. Yours: module:controller, .onnx or .npz file.",
    ),
]

# Options whose value may look like a task or a run, and is none.
NAMES_OF_OTHERS = ("--controller", "--controller.path", "--out", "--video", "--strip", "--picture")


def require_suffix(path: Path | None, option: str, *suffixes: str) -> None:
    """Refuses a file name whose kind cannot be told, before any work is done for it.

    Raises:
        UsageError: with the suffixes there are.
    """
    if path is not None and path.suffix.lower() not in suffixes:
        raise UsageError(f"{option} '{path}' must end in {' or '.join(suffixes)}")


def as_command(run: Callable[[Any], int], options: type, summary: str) -> Callable[..., int]:
    """A subcommand that parses ``options`` without a prefix and hands them to ``run``."""

    def command(options: Any) -> int:
        return run(options)

    command.__doc__ = summary
    command.__annotations__["options"] = Annotated[options, tyro.conf.arg(name="")]
    return command


def parsed(command: Callable[..., int], arguments: list[str]) -> Any:
    """The options that a subcommand made by ``as_command`` would be run with."""
    return tyro.cli(command.__annotations__["options"], args=arguments)


def named_value(arguments: list[str], option: str) -> str | None:
    """The value of ``--option VALUE`` or ``--option=VALUE`` in unparsed arguments.

    The real parser needs to know the task before it can know the task's options.
    """
    for i, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name.replace("_", "-") != option:
            continue
        if equals:
            return value
        if i + 1 < len(arguments):
            return arguments[i + 1]
    return None


def task_words(arguments: list[str]) -> str:
    """The ``--task.*`` options among unparsed arguments, to be repeated in another command."""
    words, taking = [], False
    for argument in arguments:
        taking = argument.startswith("--task.") or (taking and not argument.startswith("--"))
        if taking:
            words.append(argument)
    return "".join(f" {shlex.quote(word)}" for word in words)


def named_task(arguments: list[str]) -> str | None:
    """The first task, or run folder's task, among unparsed arguments."""
    for before, argument in pairwise(arguments):
        if before in NAMES_OF_OTHERS:
            continue
        if argument in TASKS:
            return argument
        if (Path(argument) / "config.json").exists():
            return read_config(Path(argument)).get("task")
        if is_own_task(argument):
            return argument
    return None


def task_options(task: str | None) -> Any:
    """The default of ``--task.*`` for a task."""
    return task_options_of(task or "push")


def recorded_task(arguments: list[str]) -> Any:
    """The default of ``--task.*`` for a task, or those that a run folder records."""
    name = named_task(arguments)
    for argument in arguments[1:]:
        if argument not in TASKS and (Path(argument) / "config.json").exists():
            return from_record(
                task_options(name), read_config(Path(argument)).get("task_options", {})
            )
    return task_options(name)


def controller_options(arguments: list[str], task: str | None) -> Any:
    """The default of ``--controller.*``: a controller without its task."""
    name = named_value(arguments, "--controller")
    if is_own_task(task or "") or is_own_controller(name or ""):
        return OwnSettings()
    if name not in CONTROLLERS:
        name = TASKS[task].controller if task in TASKS else next(iter(CONTROLLERS))
    return without_task(name)


def without_task(controller: str) -> Any:
    """The settings of a controller, without the fields that the task fills."""
    entry = find("controller", CONTROLLERS, controller)
    hidden = tyro.conf.Suppress[tyro.conf.Fixed[Any]]
    settings = dataclasses.make_dataclass(
        entry.make.__name__,
        [(name, hidden, None) for name in entry.from_task],
        bases=(entry.make,),
        frozen=True,
    )
    return settings()


@dataclasses.dataclass(frozen=True)
class OwnSettings:
    """Somebody's own controller has its settings in its own code."""


def as_record(options: Any) -> dict[str, Any]:
    """Options for ``config.json``; what a controller gets from its task is not among them."""
    return {
        field.name: getattr(options, field.name)
        for field in dataclasses.fields(options)
        if field.name not in ("layout", "task")
    }


def from_record(default: Any, record: dict[str, Any]) -> Any:
    """Options read back from ``config.json``."""
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in record.items()}
    return dataclasses.replace(default, **values)
