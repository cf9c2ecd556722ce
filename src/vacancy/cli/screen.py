"""Draws over what was drawn before, for commands that look again and again."""

from __future__ import annotations

import shutil

import click

HOME = "\x1b[H"
CLEAR = "\x1b[2J"
CLEAR_LINE = "\x1b[K"
CLEAR_BELOW = "\x1b[J"


def draw(text: str, *, first: bool) -> None:
    """Over what was drawn before, as far as the terminal reaches."""
    columns, rows = shutil.get_terminal_size()
    lines: list[str] = []
    for line in text.splitlines():
        lines += [line[at : at + columns] for at in range(0, len(line), columns)] or [""]
    if len(lines) >= rows:
        lines = [*lines[: rows - 2], "… a taller window shows the rest"]
    shown = "".join(f"{line}{CLEAR_LINE}\n" for line in lines)
    click.echo((CLEAR if first else "") + HOME + shown + CLEAR_BELOW, nl=False, color=True)
