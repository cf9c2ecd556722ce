"""How a declared index stands in a database: as it is declared, in another shape, or not at all."""

from __future__ import annotations

import msgspec

from vacancy.db.catalog import Catalog
from vacancy.db.statement import Engine
from vacancy.perf.indexes.finding import IndexFinding, Rule
from vacancy.perf.indexes.trial import NOTHING, Change, IndexMade, constraints_made, made_from


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """A finding, and the change that mends it."""

    finding: IndexFinding
    change: Change = NOTHING


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """An index or a constraint of the database."""

    made: IndexMade
    definition: str
    predicate: str = ""
    valid: bool = True


def find_standing(catalog: Catalog, wanted: IndexMade) -> Standing | None:
    """What stands in the place of a declared index: under its name wherever it be; a constraint
    also under another name, when it is on the same columns, or is the table's primary key."""
    for table in catalog.tables:
        if "." in table.name:
            continue
        for index in table.indexes:
            if index.name == wanted.name:
                return Standing(
                    made=made_from(catalog.engine, table, index),
                    definition=index.definition,
                    predicate=index.predicate,
                    valid=index.valid,
                )
        for one in constraints_made(table):
            same = one.table == wanted.table and one.kind == wanted.kind != "index"
            if same and (one.kind == "primary key" or set(one.columns) == set(wanted.columns)):
                return Standing(made=one, definition=one.body)
            if one.name == wanted.name:
                return Standing(made=one, definition=one.body)
    return None


def fault_of(
    engine: Engine, wanted: IndexMade, found: Standing | None, meant: Standing | None
) -> Fault | None:
    """What is wrong with a declared index; None where nothing is."""
    told = f"({', '.join(wanted.columns)})"
    what = "constraint" if wanted.kind != "index" else "index"
    if found is None:
        change = Change(creates=(as_can_be_made(engine, wanted),))
        sentence = f"{wanted.table} lacks the {what} {wanted.name} {told} that is declared."
        return _as_fault("index_missing", wanted, sentence, change, engine)
    change = Change(drops=(found.made,), creates=(wanted,))
    if not found.valid:
        sentence = f"{wanted.name} is INVALID: a build of it has failed, and it serves nothing."
        fault = _as_fault("index_invalid", wanted, sentence, change, engine)
        if meant is not None and meant.definition == found.definition:
            again = f"REINDEX INDEX CONCURRENTLY {wanted.name};"
            return msgspec.structs.replace(
                fault, finding=msgspec.structs.replace(fault.finding, fix=again)
            )
        return fault
    if _same(wanted, found, meant):
        return None
    if found.made.kind != "index" and engine == "sqlite":
        # A constraint of SQLite stays as its table was made; an index of its name stands for it.
        change = Change(creates=(as_can_be_made(engine, wanted),))
    columns = f"({', '.join(found.made.columns)})"
    if found.made.table != wanted.table:
        return _as_fault(
            "index_cannot_serve",
            wanted,
            f"{wanted.name} stands on {found.made.table} and is declared on {wanted.table}.",
            change,
            engine,
        )
    reordered = found.made.columns != wanted.columns and sorted(found.made.columns) == sorted(
        wanted.columns
    )
    if reordered:
        sentence = (
            f"{wanted.name} is on {columns} and is declared on {told}: in this order it cannot be"
            " searched by what its statements compare."
        )
        return _as_fault("index_column_order", wanted, sentence, change, engine)
    is_so = _shown(found)
    should = told if meant is None else _shown(meant)
    sentence = f"{wanted.name} is {is_so} and is declared {should}."
    return _as_fault("index_cannot_serve", wanted, sentence, change, engine)


def _as_fault(
    rule: Rule, wanted: IndexMade, sentence: str, change: Change, engine: Engine
) -> Fault:
    finding = IndexFinding(
        name=rule,
        ok=False,
        table=wanted.table,
        index=wanted.name,
        sentence=sentence,
        fix=change.sql(engine),
    )
    return Fault(finding=finding, change=change)


def as_can_be_made(engine: Engine, wanted: IndexMade) -> IndexMade:
    """SQLite adds no constraint to a table that stands: a unique index of its name does the
    same."""
    if engine != "sqlite" or wanted.kind == "index":
        return wanted
    body = f"({', '.join(wanted.columns)})"
    return msgspec.structs.replace(wanted, kind="index", unique=True, body=body)


def _same(wanted: IndexMade, found: Standing, meant: Standing | None) -> bool:
    made = found.made
    if made.table != wanted.table:
        return False
    if wanted.kind != "index":
        return made.unique and made.columns == wanted.columns
    if meant is None:  # nothing was tried: no more than the columns can be compared
        return made.columns == wanted.columns and made.unique == wanted.unique
    return found.definition == meant.definition and made.unique == meant.made.unique


def may_serve(wanted: IndexMade, found: Standing, meant: Standing | None) -> bool:
    """Whether it may be harmless that it differs: the same columns come first, of the same rows,
    and no rows are refused that were not."""
    made = found.made
    return (
        meant is not None
        and wanted.kind == "index"
        and made.table == wanted.table
        and made.unique == wanted.unique
        and found.predicate == meant.predicate
        and made.columns[: len(meant.made.columns)] == meant.made.columns
        and found.definition.partition("(")[0] == meant.definition.partition("(")[0]
    )


def _shown(one: Standing) -> str:
    unique = "UNIQUE " if one.made.unique and one.made.kind == "index" else ""
    return f"{unique}{one.definition}"
