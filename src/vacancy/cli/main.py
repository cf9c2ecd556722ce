"""The command `vacancy`: its groups, and how every error becomes a sentence and an exit code."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence

import click

from vacancy import __version__
from vacancy.cli.command import shared_options
from vacancy.cli.db import db
from vacancy.cli.demo import demo
from vacancy.cli.imports import imports
from vacancy.cli.init import init
from vacancy.cli.keys import keys
from vacancy.cli.output import hush_stdout, show_error
from vacancy.cli.perf import perf
from vacancy.cli.properties import properties
from vacancy.cli.report import report
from vacancy.cli.serve import serve
from vacancy.errors import EXIT_CODE, Internal, Invalid, VacancyError

INTERRUPTED = 130
"""128 and SIGINT, as shells say it."""
BROKEN_PIPE = 141
"""128 and SIGPIPE: whoever read our answer has gone."""


@click.group(name="vacancy", context_settings={"help_option_names": ["-h", "--help"]})
@shared_options
@click.version_option(__version__, "--version", message="vacancy %(version)s")
def commands() -> None:
    """Hotel bookings over SQLite or PostgreSQL.

    \b
    vacancy demo                          a small demo on 127.0.0.1:8000
    vacancy init                          a database and the first admin key
    vacancy serve                         the HTTP API
    """


for command in (init, demo, serve, keys, properties, imports, report, db, perf):
    commands.add_command(command)


def run(arguments: Sequence[str]) -> int:
    """Runs one command and answers its exit code; every error of ours is printed here."""
    as_json = "--json" in arguments
    try:
        with commands.make_context("vacancy", list(arguments)) as context:
            commands.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.exceptions.NoArgsIsHelpError as asked:
        click.echo(asked.format_message(), err=True)
        return EXIT_CODE[Invalid]
    except click.ClickException as wrong:
        return _refuse(_usage_error(wrong), as_json)
    except VacancyError as error:
        return _refuse(error, as_json)
    except BrokenPipeError:
        hush_stdout()
        return BROKEN_PIPE
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last place that can give it an exit code
        traceback.print_exc()
        fault = Internal(
            "INTERNAL",
            f"A fault of ours: {type(error).__name__}.",
            hint="Please report it with the lines above.",
        )
        return _refuse(fault, as_json)
    return 0


def _usage_error(wrong: click.ClickException) -> Invalid:
    context = wrong.ctx if isinstance(wrong, click.UsageError) else None
    name = context.command_path if context else "vacancy"
    return Invalid("COMMAND_INVALID", wrong.format_message(), hint=f"See `{name} --help`.")


def _refuse(error: VacancyError, as_json: bool) -> int:
    show_error(error, as_json=as_json)
    return EXIT_CODE[type(error)]


def main() -> None:
    """The console script."""
    sys.exit(run(sys.argv[1:]))
