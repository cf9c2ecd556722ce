"""Indexes that another index makes superfluous: the same as it, or the beginning of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from vacancy.db.statement import Engine
from vacancy.perf.indexes.facts import Facts, IndexFacts, KeyPart, TableFacts
from vacancy.perf.indexes.finding import IndexFinding, Rule
from vacancy.perf.indexes.words import columns_of, drop, in_bytes, named


def alike_indexes(facts: Facts, kept: frozenset[str] = frozenset()) -> Iterator[IndexFinding]:
    """Each index that another one replaces. Of two that replace each other the later one goes,
    unless it is among those that are kept."""
    by_table: defaultdict[str, list[IndexFacts]] = defaultdict(list)
    for index in facts.indexes:
        by_table[index.table].append(index)
    for name, indexes in by_table.items():
        for index in indexes:
            if not _may_go(index):
                continue
            found = _replacement(facts.engine, index, indexes, kept)
            if found is not None:
                yield _finding(facts.engine, facts.table(name), index, found)


def replaces(engine: Engine, other: IndexFacts, index: IndexFacts) -> bool:
    """Whether whatever `index` does is done by `other` too: it serves the same searches and
    refuses the same rows."""
    if (
        other is index
        or not other.is_valid
        or other.is_partitioned != index.is_partitioned
        or (other.table, other.method, other.predicate)
        != (index.table, index.method, index.predicate)
    ):
        return False
    held = {part.text for part in other.parts if not part.is_expression} | {*other.included}
    if not held.issuperset(index.included):
        return False
    if index.is_unique:
        return (
            other.is_unique
            and (index.is_deferrable or not other.is_deferrable)
            and (other.nulls_are_equal or not index.nulls_are_equal)
            and _begins(engine, other.parts, index.parts)
            and len(other.parts) == len(index.parts)
        )
    if len(other.parts) > len(index.parts) and index.method != "btree":
        return False  # only a tree serves a search by its first columns as well as a shorter one
    return _begins(engine, other.parts, index.parts)


def _begins(engine: Engine, longer: Sequence[KeyPart], shorter: Sequence[KeyPart]) -> bool:
    beginning = tuple(longer[: len(shorter)])
    if beginning == tuple(shorter):
        return True
    # PostgreSQL reads an index backwards as well. So does SQLite, but then the rows of equal
    # values, which lie there in the order of their rowid, come out backwards too.
    return engine == "postgresql" and beginning == tuple(part.reversed() for part in shorter)


def _may_go(index: IndexFacts) -> bool:
    return (
        index.is_valid
        and not index.is_held
        and index.constraint in ("", "unique")
        and bool(index.constraint_sql_name or not index.constraint)
    )


def _replacement(
    engine: Engine, index: IndexFacts, indexes: Sequence[IndexFacts], kept: frozenset[str]
) -> IndexFacts | None:
    def rank(one: IndexFacts) -> tuple[bool, bool, bool, bool, int]:
        """The lowest stays."""
        return (
            one.constraint != "primary key",
            not one.constraint and not one.is_held,
            one.name not in kept,
            not one.is_unique,
            one.made,
        )

    found = [
        other
        for other in indexes
        if replaces(engine, other, index)
        and (not replaces(engine, index, other) or not _may_go(other) or rank(other) < rank(index))
    ]
    # The one with the same columns says most.
    return min(found, key=lambda one: (len(one.parts), rank(one)), default=None)


def _finding(
    engine: Engine, table: TableFacts, index: IndexFacts, other: IndexFacts
) -> IndexFinding:
    is_same = len(index.parts) == len(other.parts)
    rule: Rule = "index_duplicate" if is_same else "index_prefix"
    size = f"; it takes {in_bytes(index.size_bytes)}" if index.size_bytes else ""
    its = f"{index.name} ({columns_of(index)})"
    others = f"{named(other)} ({columns_of(other)})"
    what = "has the same columns as" if is_same else "is the beginning of"
    sentence = f"{table.name}: {its} {what} {others}, and each write pays for both{size}."
    by_rowid = engine == "sqlite" and bool(table.rowid_key) and not is_same
    if by_rowid and other.parts[len(index.parts)].text != table.rowid_key.lower():
        # SQLite puts the rowid behind the columns of each index.
        sentence += (
            f" Only it gives rows of equal values in the order of {table.rowid_key}: keep it if a"
            " statement asks for that order."
        )
    else:
        by_rowid = False
    return IndexFinding(
        name=rule,
        ok=by_rowid,
        table=table.name,
        index=index.name,
        sentence=sentence,
        fix=drop(engine, table, index),
    )
