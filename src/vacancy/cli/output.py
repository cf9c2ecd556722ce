"""What a command says and where: answers on stdout, notes and errors on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import click
import msgspec

from vacancy.errors import VacancyError

JSON = "vacancy.json"
"""Where the click context remembers that `--json` was given."""

_BAR_WIDTH = 30


def wants_json() -> bool:
    """Whether the running command was asked for JSON."""
    return bool(click.get_current_context().meta.get(JSON))


def answer(document: object, text: str) -> None:
    """The answer of a command, once: the document with `--json`, else the text."""
    if wants_json():
        click.echo(_json(document, indent=2))
    else:
        click.echo(text)


def _json(document: object, indent: int = -1) -> str:
    """On one line, or indented for people."""
    return msgspec.json.format(msgspec.json.encode(document), indent=indent).decode()


def note(text: str) -> None:
    """Something to know beside the answer."""
    click.echo(text, err=True)


def show_error(error: VacancyError, *, as_json: bool) -> None:
    """An error for people, or as one JSON object for programs."""
    if as_json:
        refusal = msgspec.to_builtins(error.to_refusal())
        del refusal["kind"]
        click.echo(_json(refusal), err=True)
        return
    click.echo(f"error {error.code}: {error.detail}", err=True)
    if error.hint:
        click.echo(error.hint, err=True)


def table(headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Aligned columns; numbers stand to the right, and what is not there is a dash."""
    given = [list(row) for row in rows]
    cells = [list(headers), *([_cell(value) for value in row] for row in given)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    right = [
        any(isinstance(row[number], int | float) for row in given) for number in range(len(headers))
    ]
    return "\n".join(
        "  ".join(
            text.rjust(width) if to_right else text.ljust(width)
            for text, width, to_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in cells
    )


def listing(document: Mapping[str, Any]) -> str:
    """One line for each key, under the key's own name."""
    width = max(map(len, document))
    return "\n".join(f"{key:<{width}}  {_cell(value)}" for key, value in document.items())


def _cell(value: Any) -> str:
    match value:
        case None | "" | () | []:
            return "-"
        case bool():
            return "yes" if value else "no"
        case tuple() | list():
            return ", ".join(map(str, value))
    return str(value)


def progress_bar(what: str) -> Callable[[int, int], None] | None:
    """Draws how many are done of how many, on a terminal; None where nobody watches."""
    if not sys.stderr.isatty():
        return None

    def draw(done: int, total: int) -> None:
        filled = _BAR_WIDTH * done // max(total, 1)
        bar = "#" * filled + "." * (_BAR_WIDTH - filled)
        end = "\n" if done >= total else ""
        click.echo(f"\r{what} [{bar}] {done:,} of {total:,}{end}", nl=False, err=True)

    return draw


def hush_stdout() -> None:
    """Nobody reads stdout any more: the interpreter must not complain when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
