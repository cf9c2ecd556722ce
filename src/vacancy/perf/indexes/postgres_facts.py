"""Reads the facts of a PostgreSQL database: catalogue, counters, and its own statistics.

A role that may read little is told little: what it may not see stays None.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import asyncpg

from vacancy.db.postgres.catalog import read_postgres_catalog
from vacancy.db.postgres.database import CONNECT_TIMEOUT_S
from vacancy.db.postgres.errors import CONNECTING_ERRORS, DRIVER_ERRORS, translated
from vacancy.perf.indexes import postgres_facts_sql as sql
from vacancy.perf.indexes.facts import (
    Facts,
    ForeignKey,
    IndexFacts,
    KeyPart,
    NumberedKey,
    ReplicationSlot,
    RunningQuery,
    ServerFacts,
    TableFacts,
    UnvalidatedConstraint,
)

_ANSWER_TIMEOUT_S = 10.0
_SETTINGS = {
    "application_name": "vacancy",
    "default_transaction_read_only": "on",
    "statement_timeout": "5000",
    "lock_timeout": "1000",
}
_PAGE_HEADER_BYTES = 24
_ROW_BYTES = 24 + 4
"""A row's header, which ends on a multiple of eight, and its place on the page."""
_ENTRY_BYTES = 8 + 4
_INDEX_PAGE_BYTES = _PAGE_HEADER_BYTES + 16
_ENDS = {"smallint": 2**15 - 1, "integer": 2**31 - 1, "bigint": 2**63 - 1}
_NOT_TOLD = (
    asyncpg.QueryCanceledError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.LockNotAvailableError,
)
_SOME_KEYS = 100
"""So many keys without a sequence are asked for their last value."""


async def read_postgres_facts(url: str) -> Facts:
    """Connects, reads and leaves again. Raises what connecting raises."""
    try:
        connection = await asyncpg.connect(
            url,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=_ANSWER_TIMEOUT_S,
            server_settings=_SETTINGS,
        )
    except CONNECTING_ERRORS as error:
        raise translated(error, "connecting") from error
    try:
        catalog = await read_postgres_catalog(connection)
        block_bytes = int(await connection.fetchval("SHOW block_size"))
        keys = await connection.fetch(sql.FOREIGN_KEYS)
        unvalidated = await connection.fetch(sql.UNVALIDATED)
        return Facts(
            engine="postgresql",
            catalog=catalog,
            tables=tuple(_table(row, block_bytes) for row in await connection.fetch(sql.TABLES)),
            indexes=tuple(_index(row, block_bytes) for row in await connection.fetch(sql.INDEXES)),
            foreign_keys=tuple(ForeignKey(**_fields(row)) for row in keys),
            unvalidated=tuple(UnvalidatedConstraint(**row) for row in unvalidated),
            keys=(*await _sequences(connection), *await _other_keys(connection)),
            server=await _server(connection),
        )
    except DRIVER_ERRORS as error:
        raise translated(error, "reading what the server tells of itself") from error
    finally:
        await connection.close()


def _fields(row: Any) -> dict[str, Any]:
    """A row by name, with tuples for its lists."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}


def _table(row: Any, block_bytes: int) -> TableFacts:
    size_bytes = row["size_bytes"]
    return TableFacts(
        name=row["name"],
        sql_name=row["sql_name"],
        rows=_rows(row, block_bytes),
        size_bytes=size_bytes,
        wasted_bytes=_wasted_by_table(row, block_bytes),
        dead_rows=row["dead_rows"],
        has_statistics=_has_statistics(row),
        changed_rows=_changed(row, block_bytes),
        scans=row["scans"],
        # Autovacuum looks at the parts of a partitioned table and never at the whole.
        is_seen_to=row["is_seen_to"] and not row["is_partitioned"],
        is_partitioned=row["is_partitioned"],
    )


def _rows(row: Any, block_bytes: int) -> int | None:
    """As the planner reckons: what it last knew, grown with the pages."""
    size_bytes, known, pages = row["size_bytes"], row["known_rows"], row["known_pages"]
    if row["is_partitioned"]:
        return int(known) if known >= 0 else None
    if known >= 0 and pages > 0:
        return int(known * (size_bytes / block_bytes) / pages)
    if size_bytes == 0:
        return 0
    if row["live_rows"]:
        return int(row["live_rows"])
    return int(size_bytes / 100)  # nobody has looked; a page holds some eighty rows


def _changed(row: Any, block_bytes: int) -> int | None:
    """Changes since the statistics were made.

    A session reports its counts up to a second late. What it loads and analyzes at once is then
    counted as changed afterwards, and as living twice: that tells how much to leave out.
    """
    if row["changed_rows"] is None:
        return None
    twice = max(0, (row["live_rows"] or 0) - (_rows(row, block_bytes) or 0))
    return max(0, int(row["changed_rows"]) - twice)


def _has_statistics(row: Any) -> bool | None:
    if row["analyzed_at"] is not None or row["columns_known"]:
        return True
    if row["known_rows"] < 0:  # neither ANALYZE nor VACUUM has ever seen it
        return False
    return False if row["may_read"] else None


def _wasted_by_table(row: Any, block_bytes: int) -> int | None:
    """The pages at the last look, less those that its rows need by the widths in the statistics."""
    known, pages = row["known_rows"], row["known_pages"]
    if known < 0 or pages <= 0 or row["columns_known"] < row["columns"]:
        return None
    row_bytes = _ROW_BYTES + _aligned(row["width"] + row["columns"] / 8)
    space = (block_bytes - _PAGE_HEADER_BYTES) * row["fill"] / 100
    return _beyond(row, block_bytes, 1 + known * row_bytes / space)


def _wasted_by_index(row: Any, block_bytes: int) -> int | None:
    known, pages = row["known_rows"], row["known_pages"]
    if known < 0 or pages <= 0 or row["method"] != "btree" or row["parts_known"] < row["width_of"]:
        return None
    space = (block_bytes - _INDEX_PAGE_BYTES) * row["fill"] / 100
    needed = 2 + known * (_ENTRY_BYTES + _aligned(row["width"])) / space
    return _beyond(row, block_bytes, needed)


def _beyond(row: Any, block_bytes: int, needed_pages: float) -> int:
    # Statistics may be older than the pages: what went away since is no waste.
    pages = min(row["known_pages"], row["size_bytes"] / block_bytes)
    return max(0, int((pages - needed_pages) * block_bytes))


def _aligned(width: float) -> float:
    """With what is left free behind it on average, for the next begins at a multiple of eight."""
    return width + 3.5


def _index(row: Any, block_bytes: int) -> IndexFacts:
    parts = zip(
        *(row["texts"], row["columns"], row["collations"], row["opclasses"], row["options"]),
        strict=True,
    )
    return IndexFacts(
        table=row["table_name"],
        name=row["name"],
        sql_name=row["sql_name"],
        parts=tuple(
            KeyPart(
                text=column or text,
                is_expression=column is None,
                collation=collation,
                opclass=opclass,
                descending=bool(option & 1),
                nulls_first=bool(option & 2),
            )
            for text, column, collation, opclass, option in parts
        ),
        included=tuple(row["included"]),
        predicate=row["predicate"],
        method=row["method"],
        is_unique=row["is_unique"],
        nulls_are_equal=row["nulls_are_equal"],
        constraint={"p": "primary key", "u": "unique", "x": "exclusion"}.get(row["kind"], ""),
        constraint_sql_name=row["constraint_sql_name"] or "",
        is_valid=row["is_valid"],
        is_being_built=row["is_being_built"],
        is_deferrable=row["is_deferrable"],
        is_held=row["is_held"],
        is_partitioned=row["is_partitioned"],
        made=row["made"],
        size_bytes=row["size_bytes"],
        wasted_bytes=_wasted_by_index(row, block_bytes),
        scans=row["scans"],
    )


async def _sequences(connection: asyncpg.Connection[Any]) -> Iterable[NumberedKey]:
    return [
        NumberedKey(
            table=row["table_name"] or "",
            column=row["column"] or "",
            column_sql=row["column_sql"] or "",
            type=row["type"] or row["sequence_type"],
            sequence_sql=row["sequence_sql"],
            sequence_type=row["sequence_type"],
            is_identity=row["is_identity"],
            smallest=row["smallest"],
            largest_used=row["largest_used"],
            column_end=_ENDS.get(row["type"]),
            sequence_end=row["sequence_end"],
        )
        for row in await connection.fetch(sql.SEQUENCES)
    ]


async def _other_keys(connection: asyncpg.Connection[Any]) -> list[NumberedKey]:
    """Narrow primary keys that no sequence fills. Their index knows the last."""
    keys = []
    for row in await connection.fetch(sql.NARROW_KEYS, _SOME_KEYS):
        last = None
        if row["may_read"]:
            asked = f"SELECT max({row['column_sql']}) FROM {row['sql_name']}"
            try:
                last = await connection.fetchval(asked)
            except _NOT_TOLD:
                last = None
        keys.append(
            NumberedKey(
                table=row["table_name"],
                column=row["column"],
                column_sql=row["column_sql"],
                type=row["type"],
                smallest=0,
                largest_used=last,
                column_end=_ENDS[row["type"]],
            )
        )
    return keys


async def _server(connection: asyncpg.Connection[Any]) -> ServerFacts:
    row = await connection.fetchrow(sql.SERVER)
    assert row is not None
    running = None
    if row["sees_all"]:
        found = await connection.fetch(sql.RUNNING)
        running = tuple(RunningQuery(**one) for one in found)
    return ServerFacts(
        transaction_age=row["transaction_age"],
        multixact_age=row["multixact_age"],
        connections=row["connections"],
        connections_max=row["connections_max"],
        running=running,
        table_hits=row["table_hits"],
        table_reads=row["table_reads"],
        index_hits=row["index_hits"],
        index_reads=row["index_reads"],
        slots=tuple(ReplicationSlot(**one) for one in await connection.fetch(sql.SLOTS)),
        slots_keep_all_log=row["slots_keep_all_log"],
        replay_behind_s=row["replay_behind_s"],
        counted_s=row["counted_s"],
    )
