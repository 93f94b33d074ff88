"""Options that several commands share, and those that depend on a task or a controller."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import tyro

from rpl.errors import UsageError
from rpl.registry.catalog import CONTROLLERS, TASKS, task_options_of
from rpl.registry.names import is_own_controller, is_own_task
from rpl.registry.resolve import OwnSettings, without_task
from rpl.runs.files import read_config
from rpl.runs.settings import read_back

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


PICTURES = (".png", ".pdf", ".svg")


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


def with_groups(base: type, **groups: Any) -> type:
    """``base`` with further options that depend on the arguments.

    Args:
        base: a dataclass of options.
        groups: instances whose fields become ``--name.field``, and those of ``config``
            ``--field``; their values are the defaults.
    """
    fields = [
        (
            name,
            Annotated[type(group), tyro.conf.arg(name="" if name == "config" else name)],
            group,
        )
        for name, group in groups.items()
    ]
    return dataclasses.make_dataclass("Options", fields, bases=(base,), frozen=True)


def parsed(command: Callable[..., int], arguments: list[str]) -> Any:
    """The options that a subcommand made by ``as_command`` would be run with."""
    return tyro.cli(command.__annotations__["options"], args=arguments)


def named_value(arguments: list[str], option: str) -> str | None:
    """The value of ``--option VALUE`` or ``--option=VALUE`` in unparsed arguments.

    The real parser needs to know the task before it can know the task's options. Of an option
    that is repeated it takes the last value too.
    """
    found = None
    for argument, following in pairwise([*arguments, None]):
        name, equals, value = str(argument).partition("=")
        if name.replace("_", "-") == option:
            found = value if equals else following
    return found


def named_task(arguments: list[str]) -> str | None:
    """The task, or run folder's task, among unparsed arguments."""
    record = named_record(arguments)
    if record is not None:
        return record.get("task")
    words = _names(arguments)
    known = [word for word in words if word in TASKS]
    return next(iter(known or [word for word in words if is_own_task(word)]), None)


def named_record(arguments: list[str]) -> dict[str, Any] | None:
    """What the run folder among unparsed arguments records; None without one."""
    for word in _names(arguments):
        if word in TASKS:
            return None
        if (Path(word) / "config.json").exists():
            return read_config(Path(word))
    return None


def _names(arguments: list[str]) -> list[str]:
    """The words that may name a task or a run."""
    return [word for before, word in pairwise(arguments) if before not in NAMES_OF_OTHERS]


def task_options(task: str | None) -> Any:
    """The default of ``--task.*`` for a task."""
    return task_options_of(task or "push")


def recorded_task(record: dict[str, Any]) -> Any:
    """The variations of its task that a run records."""
    return read_back(task_options(record["task"]), record.get("task_options", {}))


def recorded_controller(record: dict[str, Any]) -> Any:
    """The settings of its controller that a run records."""
    if record["controller"] not in CONTROLLERS:
        return OwnSettings()
    return read_back(without_task(record["controller"]), record.get("controller_options", {}))


def usual_options(arguments: list[str]) -> tuple[Any, Any]:
    """The defaults of ``--task.*`` and ``--controller.*``: a run folder's own, or the task's."""
    name, record = named_task(arguments), named_record(arguments)
    task = task_options(name) if record is None else recorded_task(record)
    if record is None or record.get("method") == "pets":
        return task, controller_options(arguments, name)
    return task, recorded_controller(record)


def controller_options(arguments: list[str], task: str | None) -> Any:
    """The default of ``--controller.*``: a controller without its task."""
    name = named_value(arguments, "--controller")
    if is_own_task(task or "") or is_own_controller(name or ""):
        return OwnSettings()
    if name not in CONTROLLERS:
        name = TASKS[task].controller if task in TASKS else next(iter(CONTROLLERS))
    return without_task(name)


def option_words(prefix: str, options: Any, usual: Any) -> str:
    """The words ``--prefix.name value`` that make ``options`` of ``usual``, to be repeated."""
    words = []
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if value == getattr(usual, field.name):
            continue
        name = field.name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{prefix}.{name}" if value else f"--{prefix}.no-{name}")
        else:
            parts = value if isinstance(value, (tuple, list)) else (value,)
            words += [f"--{prefix}.{name}", *map(str, parts)]
    return "".join(f" {shlex.quote(word)}" for word in words)
