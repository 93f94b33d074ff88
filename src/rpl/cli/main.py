"""The ``rpl`` command: which subcommands there are, and how they fail."""

import contextlib
import importlib.metadata
import os
import pkgutil
import re
import signal
import sys
from collections.abc import Callable

import tyro

from rpl.cli.output import say
from rpl.errors import Failure, UsageError, described, discard_unfinished, frames_of_user_code

COMMANDS = {
    "tasks": "rpl.cli.tasks:tasks",
    "objects": "rpl.cli.objects:objects",
    "train": "rpl.cli.train:command_for",
    "sweep": "rpl.cli.sweep:command_for",
    "tune": "rpl.cli.tune:command_for",
    "eval": "rpl.cli.evaluate:command_for",
    "watch": "rpl.cli.watch:command_for",
    "cache": "rpl.cli.cache:command_for",
    "check": "rpl.cli.check:command_for",
    "export": "rpl.cli.export:export",
    "plot": "rpl.cli.plot:plot",
    "report": "rpl.cli.report:report",
    "paper": "rpl.paper.command:command_for",
}
"""Where each subcommand is, below ``rpl.cli``."""
HOME = re.compile(r"^(--[\w.-]+=)(~.*)")


def main() -> None:
    """Runs the command line and exits: 0 done, 2 a usage error, 1 anything else."""
    signal.signal(signal.SIGINT, _leave)
    sys.exit(run(sys.argv[1:]))


def _leave(number: int, frame: object) -> None:
    """Ends at once: a KeyboardInterrupt is lost where it meets JAX's callbacks from the collector.

    A run takes the signal over as soon as it has something to save.
    """
    discard_unfinished()
    shows_cursor = b"\x1b[?25h" if sys.stderr.isatty() else b""
    with contextlib.suppress(OSError):
        os.write(sys.stderr.fileno(), shows_cursor + b"rpl: interrupted\n")
    os._exit(1)


def run(arguments: list[str]) -> int:
    """Runs a command and returns its exit code; an error is one sentence on standard error.

    One in somebody's own environment or controller says where in their code it arose.
    """
    if arguments == ["--version"]:
        print(importlib.metadata.version("rpl"))
        return 0
    try:
        check_command(arguments)
        arguments = [HOME.sub(_at_home, word) for word in arguments]
        result = tyro.extras.subcommand_cli_from_dict(
            commands(arguments),
            args=arguments or ["--help"],
            prog="rpl",
            description="Residual policy learning: improve a controller with deep RL.",
        )
    except UsageError as error:
        return _complain(str(error), 2)
    except KeyboardInterrupt:
        return _complain("interrupted", 1)
    except SystemExit as error:
        frames = frames_of_user_code(error)
        if not frames:
            raise  # tyro's, which has said why
        place = f"{frames[-1].filename}, line {frames[-1].lineno}"
        return _complain(f"{place} ended the program with exit code {error.code}", 1)
    except Failure as error:
        return _complain(str(error), 1)
    except BrokenPipeError:  # whoever read has ended, as `head` does; Python would flush once more
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        by_user = isinstance(error, SyntaxError) or frames_of_user_code(error)
        if not by_user and not isinstance(error, OSError):
            raise
        said = described(error) if by_user else str(error) or type(error).__name__
        return _complain(said, 1)
    return result or 0


def _at_home(named: re.Match[str]) -> str:
    """What no shell does: it leaves the ~ of --out=~/runs as it is."""
    return named[1] + os.path.expanduser(named[2])


def check_command(arguments: list[str]) -> None:
    """Refuses a word that is no subcommand.

    Raises:
        UnknownName: with the subcommands there are.
    """
    word = arguments[0] if arguments else "-"
    if not word.startswith("-") and word not in COMMANDS:
        from rpl.registry.names import find  # slow to import

        find("command", COMMANDS, word)


def commands(arguments: list[str]) -> dict[str, Callable[..., int | None]]:
    """The subcommand that the arguments name, or all: the learner's take seconds to import."""
    named = arguments[:1]
    names = named if named and named[0] in COMMANDS else list(COMMANDS)
    return {name: _command(name, arguments if [name] == named else []) for name in names}


def _command(name: str, arguments: list[str]) -> Callable[..., int | None]:
    """A subcommand; some have options that depend on the task named in the arguments."""
    found = pkgutil.resolve_name(COMMANDS[name])
    return found(arguments) if COMMANDS[name].endswith(":command_for") else found


def _complain(sentence: str, code: int) -> int:
    with contextlib.suppress(OSError):  # where nobody can be told, the exit code is left
        say(f"rpl: {sentence}", error=True)
    return code
