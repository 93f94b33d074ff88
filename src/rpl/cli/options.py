"""Options that several commands share, and how those that depend on a task are parsed.

A command whose options depend on the task parses its words twice: first with the options of all
tasks and controllers, to learn what is named; then with those of what is named, whose defaults
they are.
"""

import dataclasses
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import tyro

from rpl.errors import UsageError, check_settings
from rpl.registry.catalog import CONTROLLERS, TASKS, check_task
from rpl.registry.names import EnvironmentOptions
from rpl.registry.resolve import NoSettings, RunSpec, resolve
from rpl.runs.load import Request, Subject, load_subject, named_spec
from rpl.runs.many import runs_named
from rpl.settings import Record, Settings

PICTURES = (".png", ".pdf", ".svg")
HELP = {"-h", "--help"}
# Far from the seeds of training runs, whose evaluations have chosen their best checkpoints.
UNSEEN_SEED = 1_000_000
MOST_EPISODES = 1_000_000
Parsed = Any
"""Options as they were given: an instance of a class that ``with_groups`` makes."""
ControllerName = Annotated[
    str | None,
    tyro.conf.arg(
        name="controller",
        metavar="NAME",
        help="The controller; default: the task's. Yours: module:controller, .onnx or .npz file.",
    ),
]


@dataclass(frozen=True, kw_only=True)
class SubjectOptions:
    """What commands take that show a run's policy, or a controller."""

    run_or_task: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN_OR_TASK")]
    """A run folder, or a task whose controller is meant."""
    controller_name: ControllerName = None
    seed: int = UNSEEN_SEED
    """Chooses the episodes."""
    checkpoint: Literal["deployed", "best", "last"] = "deployed"
    """Which of the run's policies; deployed: the best if the run has shown that it is better than
    its controller, else the controller."""


def require_suffix(path: Path | None, option: str, *suffixes: str) -> None:
    """Refuses a file name whose kind cannot be told, before any work is done for it.

    Raises:
        UsageError: with the suffixes there are.
    """
    if path is not None and path.suffix.lower() not in suffixes:
        raise UsageError(f"{option} '{path}' must end in {' or '.join(suffixes)}")


def check_counts(**counts: int | None) -> None:
    """Refuses numbers of episodes and the like that are none, or that nobody can wait for.

    Raises:
        InvalidValue: naming the option.
    """
    values = {f"--{name}": count for name, count in counts.items()}
    check_settings(values, lambda count: count >= 1, "at least 1")
    check_settings(values, lambda count: count <= MOST_EPISODES, f"at most {MOST_EPISODES:,}")


def as_command(run: Callable[[Parsed], int], options: type, summary: str) -> Callable[..., int]:
    """A subcommand that parses ``options`` without a prefix and hands them to ``run``."""

    def command(options: Parsed) -> int:
        return run(options)

    command.__doc__ = summary
    command.__annotations__["options"] = Annotated[options, tyro.conf.arg(name="")]
    return command


def with_groups(
    base: type, fields: Iterable[tuple[str, object, object]] = (), **groups: Any
) -> type:
    """``base`` with further options that depend on what is named.

    Args:
        base: a dataclass of options.
        fields: single options, as ``dataclasses.make_dataclass`` takes them.
        groups: instances whose fields become ``--name.field``, and those of ``config``
            ``--field``; their values are the defaults.
    """
    grouped = [
        (
            name,
            Annotated[type(group), tyro.conf.arg(name="" if name == "config" else name)],
            group,
        )
        for name, group in groups.items()
    ]
    return dataclasses.make_dataclass("Options", [*fields, *grouped], bases=(base,), frozen=True)


def without_option(arguments: Iterable[str], name: str) -> list[str]:
    """Arguments without an option and its value, in either way of writing it."""
    kept, words = [], iter(arguments)
    for word in words:
        if word == name:
            next(words, None)
        elif not word.startswith(f"{name}="):
            kept.append(word)
    return kept


def one_of(rows: Iterable[str], **about: Any) -> object:
    """The type of an option that is one of some names."""
    return Annotated[tyro.extras.literal_type_from_choices(list(rows)), tyro.conf.arg(**about)]


def union_of(*settings: Settings) -> Any:
    """Settings with all fields of several; what the task fills is left out."""
    fields = {}
    for instance in settings:
        hints = get_type_hints(type(instance), include_extras=True)
        for field in dataclasses.fields(instance):
            if field.name not in ("layout", "task"):
                default = getattr(instance, field.name)
                fields.setdefault(field.name, (field.name, hints[field.name], default))
    return dataclasses.make_dataclass("All", fields.values(), frozen=True)()


def first_parse(arguments: list[str], base: type, *configs: Settings) -> Parsed:
    """What a subcommand's words say, read with the options of all tasks and controllers.

    None if they say nothing yet, as where only help is asked for.

    Args:
        arguments: of ``rpl``, the subcommand first.
        base: the options that do not depend on the task.
        configs: what the subcommand can configure without a prefix.
    """
    options = with_groups(
        base,
        task=union_of(*(entry.options for entry in TASKS.values()), EnvironmentOptions()),
        controller=union_of(*(entry.settings() for entry in CONTROLLERS.values())),
        **({"config": union_of(*configs)} if configs else {}),
    )
    helps = not arguments or bool(HELP & set(arguments))  # of all subcommands, or of this one
    try:
        said, _ = tyro.cli(
            options,
            prog=f"rpl {arguments[0]}" if arguments else "rpl",
            args=[word for word in arguments[1:] if word not in HELP],
            return_unknown_args=True,
            add_help=False,
            console_outputs=not helps,
        )
    except SystemExit:
        if not helps:
            raise
        return None
    return said


def options_for(base: type, arguments: list[str]) -> type:
    """``base`` with ``--task.*`` and ``--controller.*``; unset, a run's settings hold."""
    said = first_parse(arguments, base)
    if said is not None and not said.run_or_task and not HELP & set(arguments):
        check_task(said.run_or_task)  # which says what there is
    if said is None or not said.run_or_task:
        spec = resolve("push", preset="paper")
    else:
        named = next(iter(runs_named(said.run_or_task)), said.run_or_task)
        spec = named_spec(Request(str(named), said.controller_name))
        check_typed(said, **groups_of(spec))
    return with_groups(base, **groups_of(spec))


def check_typed(said: Parsed, **groups: Any) -> None:
    """Refuses settings of a task or controller that cannot be: tyro would say it in a box.

    Args:
        said: from ``first_parse``.
        groups: instances with what is named, as for ``with_groups``.

    Raises:
        InvalidValue: naming the setting and what it may be.
    """
    for name, group in groups.items():
        typed = getattr(said, name)
        values = {one.name: getattr(typed, one.name) for one in dataclasses.fields(typed)}
        unset = {one.name: one.default for one in dataclasses.fields(typed)}
        known = {one.name for one in dataclasses.fields(group)}
        given = {key: value for key, value in values.items() if key in known}
        dataclasses.replace(group, **{k: v for k, v in given.items() if v != unset[k]})


def groups_of(spec: RunSpec) -> Record:
    """The options of a run's task and controller, for ``with_groups``."""
    return {"task": spec.task.options, "controller": spec.controller.options or NoSettings()}


def load_for(
    options: Parsed, num_envs: int, render_mode: str | None = None, exactly: bool = False
) -> Subject:
    """The subject that parsed options name, with ``num_envs`` simulations at once.

    Of a user's environment there are at most ten, unless it is to be ``exactly`` so many.
    """
    request = Request(
        options.run_or_task,
        options.controller_name,
        options.task,
        options.controller,
        options.checkpoint,
    )
    return load_subject(request, num_envs, render_mode, exactly)


def option_words(prefix: str, options: Settings, defaults: Settings) -> str:
    """The words ``--prefix.name value`` that make ``options`` of the defaults, to be repeated."""
    words = []
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if value == getattr(defaults, field.name):
            continue
        name = field.name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{prefix}.{name}" if value else f"--{prefix}.no-{name}")
        else:
            parts = value if isinstance(value, (tuple, list)) else (value,)
            words += [f"--{prefix}.{name}", *map(str, parts)]
    return "".join(f" {shlex.quote(word)}" for word in words)
