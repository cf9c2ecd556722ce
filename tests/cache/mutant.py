"""A mutant: one fault of the protocol that keeps the cache fresh, and how to plant it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from vacancy.db.changes import LOG_TABLE
from vacancy.db.statement import Engine

PACKAGE = Path(__file__).parents[2] / "src" / "vacancy"
BOTH: tuple[Engine, ...] = ("sqlite", "postgresql")
SQLITE: tuple[Engine, ...] = ("sqlite",)
POSTGRESQL: tuple[Engine, ...] = ("postgresql",)


class Edit(msgspec.Struct, frozen=True):
    """One replacement in a source file, named from the package on."""

    file: str
    old: str
    new: str

    def apply(self, package: Path) -> None:
        """Raises AssertionError when the old text does not stand there exactly once: a mutant that
        no longer fits must not pass for one that is caught."""
        path = package / self.file
        text = path.read_text()
        found = text.count(self.old)
        assert found == 1, f"{self.file}: {self.old!r} stands {found} times. Mend the mutant."
        path.write_text(text.replace(self.old, self.new))


class Drop(msgspec.Struct, frozen=True):
    """A trigger that is not there."""

    table: str
    event: str

    def ddl(self, engine: Engine) -> str:
        name = f"{LOG_TABLE}_{self.table}_{self.event}"
        return f"DROP TRIGGER {name}" + (f" ON {self.table}" if engine == "postgresql" else "")


class Mutant(msgspec.Struct, frozen=True, kw_only=True):
    """Edits of the sources, or DDL for a database that has all its triggers."""

    name: str
    breaks: str
    """The promise that it breaks, in one sentence."""
    edits: tuple[Edit, ...] = ()
    drops: tuple[Drop, ...] = ()
    postgresql_ddl: tuple[str, ...] = ()
    engines: tuple[Engine, ...] = BOTH
    """Where it must be caught."""

    def ddl(self, engine: Engine) -> Iterable[str]:
        """What is to be run on the database."""
        yield from (drop.ddl(engine) for drop in self.drops)
        if engine == "postgresql":
            yield from self.postgresql_ddl
