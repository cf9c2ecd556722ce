"""What commands share: their flags, the settings that come of them, and how they run."""

from __future__ import annotations

import asyncio
import math
import signal
import threading
from collections.abc import Callable, Coroutine
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import click

from vacancy.cli.output import JSON
from vacancy.config import Settings, load_settings
from vacancy.errors import Misconfigured

FLAGS = "vacancy.flags"
"""Where the click context remembers the settings that were given as flags."""

_BY_SIGNAL = 128
"""An exit code says so that a signal has ended the command: this, and the signal's number."""

T = TypeVar("T")
Command = TypeVar("Command", bound=Callable[..., Any])


def shared_options(command: Command) -> Command:
    """The flags that every command takes, before or after its name; the last one wins."""
    for option in (
        click.option(
            "--json",
            "as_json",
            is_flag=True,
            expose_value=False,
            callback=_remember_json,
            help="One JSON document on stdout; an error is one on stderr.",
        ),
        click.option(
            "--env",
            type=click.Choice(["development", "test", "production"]),
            expose_value=False,
            callback=_remember_flag,
            help="Over VACANCY_ENV.",
        ),
        click.option(
            "--data-dir",
            metavar="DIR",
            expose_value=False,
            callback=_remember_flag,
            help="Over VACANCY_DATA_DIR.",
        ),
        click.option(
            "--database-url",
            metavar="URL",
            expose_value=False,
            callback=_remember_flag,
            help="Over VACANCY_DATABASE_URL: sqlite:///path or postgresql://…",
        ),
    ):
        command = option(command)
    return command


def _remember_json(context: click.Context, option: click.Parameter, value: bool) -> None:
    if value:
        context.meta[JSON] = True


def _remember_flag(context: click.Context, option: click.Parameter, value: str | None) -> None:
    if value is not None:
        flags = context.meta.setdefault(FLAGS, {})
        # A URL that is given wins over the direct URL of another database, too.
        if option.name == "database_url":
            flags["database_direct_url"] = value
        flags[option.name] = value


def settings_given(**flags: Any) -> Settings:
    """File, environment, shared flags, then a command's own flags that are not None."""
    shared = click.get_current_context().meta.get(FLAGS, {})
    own = {name: value for name, value in flags.items() if value is not None}
    return load_settings(flags={**shared, **own})


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Runs a command's work, on the event loop that the server uses. Told to end by SIGTERM or
    SIGHUP it is cancelled, as by Ctrl-C: what it has begun, it cleans up."""
    from uvloop import new_event_loop

    told: list[int] = []
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        try:
            return runner.run(_until_told(work, told))
        except asyncio.CancelledError:
            if not told:
                raise
            raise click.exceptions.Exit(_BY_SIGNAL + told[0]) from None


async def _until_told(work: Coroutine[Any, Any, T], told: list[int]) -> T:
    task = asyncio.current_task()
    assert task is not None

    def end(number: int) -> None:
        told.append(number)
        task.cancel()

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGHUP):
            # What nohup has the process ignore stays ignored.
            if signal.getsignal(number) is not signal.SIG_IGN:
                asyncio.get_running_loop().add_signal_handler(number, end, number)
    return await work


def make_data_dir(settings: Settings) -> Path:
    """The data directory, made for its owner alone where there is none.

    Raises `Misconfigured` DATA_DIR_UNUSABLE.
    """
    folder = Path(settings.data_dir)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Misconfigured(
            "DATA_DIR_UNUSABLE",
            f"The data directory {folder} cannot be made: {error.strerror}.",
            hint="Choose another with --data-dir or VACANCY_DATA_DIR.",
        ) from None
    return folder


class Seconds(click.FloatRange):
    """So many seconds. `nan` lies in every range, as it is not outside of it; here in none."""

    name = "seconds"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        seconds = float(super().convert(value, param, ctx))
        if not math.isfinite(seconds):
            self.fail(f"{value} is no number of seconds", param, ctx)
        return seconds


class Day(click.ParamType[date]):
    """A date as 2027-03-01."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no date; write it as 2027-03-01", param, ctx)
