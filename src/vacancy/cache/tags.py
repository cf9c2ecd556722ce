"""Tags say what a stored value depends on. A tag is a path: `articles/7/2026-03`.

A change of a tag is a change of every tag above it: who depends on `articles/7` depends on all
that stands beneath. `articles/7/*` says that all of it has changed, `*` that
everything has.
"""

from __future__ import annotations

from collections.abc import Iterable

_BENEATH = "/*"


def tag(*parts: object) -> str:
    """The path of these parts: `tag("articles", 7)` is `articles/7`."""
    return "/".join(map(str, parts))


def touched_by(changes: Iterable[str]) -> set[str]:
    """Every tag that these changes touch, themselves and those above. What stands beneath an
    `…/*` is not listed: see `subtrees`."""
    touched: set[str] = set()
    for change in changes:
        path = change.removesuffix(_BENEATH)
        while path not in touched:
            touched.add(path)
            path, separator, _ = path.rpartition("/")
            if not separator:
                break
    return touched


def subtrees(changes: Iterable[str]) -> tuple[str, ...]:
    """What a tag begins with that stands beneath one of these changes; empty for most changes."""
    return tuple(change[:-1] for change in changes if change.endswith(_BENEATH))


def table_of(changed: str) -> str:
    """The first part of a path."""
    return changed.partition("/")[0]
