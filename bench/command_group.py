"""What surrounds every command: where it is found, open streams, errors as one message and an exit code."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import pkgutil
import shlex
import sys
from typing import Any

import click

from bench.errors import EXIT_INTERRUPTED, EXIT_STORE, BenchError, SuiteError
from bench.redact import redact

EXIT_PIPE = 141
"""A run whose output nobody reads any more has stopped early; a shell says the same of what SIGPIPE kills."""
MOST_PROBLEMS = 50
"""Lines of one suite's mistakes that are shown at once."""


class Commands(click.Group):
    """The files of `bench.commands`, each imported when it is asked for.

    What a user can mend becomes one message and the right exit code, never a traceback.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands, sorted."""
        from bench import commands

        return sorted(info.name for info in pkgutil.iter_modules(commands.__path__))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The `command` of the file of that name; None where there is no such file."""
        if cmd_name not in self.list_commands(ctx):
            return None
        found: click.Command = importlib.import_module(f"bench.commands.{cmd_name}").command
        return found

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Everything from the arguments to the exit code."""
        _open_streams()
        return super().main(*args, **kwargs)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the arguments; --help and --version print here."""
        try:
            return super().make_context(*args, **kwargs)
        except OSError as error:
            sys.exit(_output_failed(error, 0))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except SuiteError as error:
            for problem in error.problems[:MOST_PROBLEMS]:
                click.echo(redact(problem), err=True)
            if (more := len(error.problems) - MOST_PROBLEMS) > 0:
                click.echo(f"… and {more} more problems", err=True)
            ctx.exit(error.exit_code)
        except BenchError as error:
            from bench.printable import printable

            click.echo("\n".join(map(printable, redact(f"bench: {error}").splitlines())), err=True)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            again = shlex.join(["bench", *sys.argv[1:]])
            click.echo(f"bench: interrupted; what had finished is kept. To go on from there: {again}", err=True)
            ctx.exit(EXIT_INTERRUPTED)
        except OSError as error:  # what cannot be read or written and nobody foresaw; our own output among it
            ctx.exit(_output_failed(error, EXIT_PIPE if ctx.invoked_subcommand == "run" else 0))


def _output_failed(error: OSError, gone: int) -> int:
    """Say what could not be read or written; the exit code: `gone` where the reader of our output went away, as
    `bench plan … | head` does."""
    from bench.printable import printable

    with contextlib.suppress(io.UnsupportedOperation):  # else its rest fails once more at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        return gone
    place = f"{error.filename}: " if error.filename else ""
    if isinstance(error, FileNotFoundError) and not place:
        place = "the current folder has gone: "  # what else has no name: os.getcwd
    click.echo(printable(redact(f"bench: {place}{error.strerror or error}; put that right, run again")), err=True)
    return EXIT_STORE


def _open_streams() -> None:
    """Open those of the three standard streams that we were started without: else the next file, a lock or a record,
    would be one of them, and be printed to."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115  (for as long as we live)
