"""What a database tells of itself without a question being run: sizes, counters, ends of keys.

Names of tables are the catalog's. What is not known, or not for this role to read, is None.
"""

from __future__ import annotations

import msgspec

from vacancy.db.catalog import Catalog
from vacancy.db.statement import Engine


class TableFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One table."""

    name: str
    sql_name: str
    """As it is written in a statement: with its schema and its quotes, where it needs them."""
    rows: int | None = None
    """About so many; nothing is counted."""
    size_bytes: int | None = None
    """The table's own pages, without its indexes. On SQLite estimated from the first pages."""
    wasted_bytes: int | None = None
    """Estimated: what its pages hold beyond the rows that live. None where nothing tells."""
    dead_rows: int | None = None
    """PostgreSQL: versions of rows that nobody sees any more and no VACUUM has taken away."""
    has_statistics: bool | None = None
    rows_in_statistics: int | None = None
    """SQLite: the rows that the planner takes it to have."""
    changed_rows: int | None = None
    """PostgreSQL: rows added, changed and deleted since the statistics were made."""
    scans: int | None = None
    """PostgreSQL: how often it was read from end to end."""
    is_seen_to: bool = False
    """PostgreSQL: autovacuum analyzes it, a minute or so after many rows have changed."""
    is_partitioned: bool = False
    rowid_key: str = ""
    """SQLite: the column that is the row's own number; empty where there is none."""


class KeyPart(msgspec.Struct, frozen=True, kw_only=True):
    """One column or expression of an index."""

    text: str
    is_expression: bool = False
    collation: str = ""
    opclass: str = ""
    """PostgreSQL: the operator class with its options."""
    descending: bool = False
    nulls_first: bool = False

    def reversed(self) -> KeyPart:
        """The same, read from its other end."""
        return msgspec.structs.replace(
            self, descending=not self.descending, nulls_first=not self.nulls_first
        )


class IndexFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One index; those of keys and unique constraints too. SQLite's rowid key is one without a
    name."""

    table: str
    name: str
    sql_name: str
    parts: tuple[KeyPart, ...]
    included: tuple[str, ...] = ()
    predicate: str = ""
    method: str = "btree"
    is_unique: bool = False
    nulls_are_equal: bool = False
    """NULLS NOT DISTINCT."""
    constraint: str = ""
    """`primary key`, `unique` or `exclusion`; empty for what is only an index."""
    constraint_sql_name: str = ""
    """How to drop the constraint; empty on SQLite, where that is not possible."""
    is_valid: bool = True
    is_being_built: bool = False
    is_deferrable: bool = False
    """It refuses rows at the end of a transaction only, and settles no conflict of an INSERT."""
    is_held: bool = False
    """Something else needs this very index: a foreign key, replication, the table's order, the
    index of a partitioned table."""
    is_partitioned: bool = False
    made: int = 0
    """Those made later have a higher number."""
    size_bytes: int | None = None
    wasted_bytes: int | None = None
    scans: int | None = None


class ForeignKey(msgspec.Struct, frozen=True, kw_only=True):
    """A reference of one table to another one."""

    table: str
    name: str
    columns: tuple[str, ...]
    columns_sql: str
    """The columns between commas, quoted where they need it."""
    parent: str
    parent_columns: tuple[str, ...] = ()


class UnvalidatedConstraint(msgspec.Struct, frozen=True, kw_only=True):
    """PostgreSQL: a rule that new rows keep and old ones may not."""

    table: str
    name: str
    sql_name: str


class NumberedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A source of numbers that has an end."""

    table: str
    """Empty for a sequence that fills no column."""
    column: str
    column_sql: str = ""
    type: str
    sequence_sql: str = ""
    """Empty where no sequence fills the column."""
    sequence_type: str = ""
    is_identity: bool = False
    smallest: int = 1
    largest_used: int | None = None
    column_end: int | None = None
    """The largest that the column takes."""
    sequence_end: int | None = None
    """The largest that the sequence gives."""


class RunningQuery(msgspec.Struct, frozen=True, kw_only=True):
    """PostgreSQL: what a connection has been doing for a while."""

    pid: int
    running_s: float
    is_idle: bool
    """Its transaction is open and does nothing."""


class ReplicationSlot(msgspec.Struct, frozen=True, kw_only=True):
    """PostgreSQL: somebody for whom the server keeps its log."""

    name: str
    is_active: bool
    behind_bytes: int | None = None
    is_lost: bool = False
    """The log that it needs is gone."""


class ServerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """How a PostgreSQL server is doing."""

    transaction_age: int | None = None
    """Of the oldest transaction id in this database; at 2^31 the server stops to write."""
    multixact_age: int | None = None
    connections: int | None = None
    connections_max: int | None = None
    running: tuple[RunningQuery, ...] | None = None
    """In this database, longest first."""
    table_hits: int | None = None
    """Blocks of tables that were found in the server's memory."""
    table_reads: int | None = None
    """Blocks of tables that were not."""
    index_hits: int | None = None
    index_reads: int | None = None
    slots: tuple[ReplicationSlot, ...] | None = None
    slots_keep_all_log: bool | None = None
    """Whether nothing limits what is kept for a slot."""
    replay_behind_s: float | None = None
    """On a standby: how old the last change is that it has replayed; None on a primary."""
    counted_s: float | None = None
    """For how long its counters have counted, at least."""


class FileFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A SQLite file."""

    page_bytes: int
    pages: int
    free_pages: int
    journal_mode: str
    log_bytes: int
    """Of the write-ahead log beside it."""
    has_statistics: bool


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    engine: Engine
    catalog: Catalog
    tables: tuple[TableFacts, ...] = ()
    indexes: tuple[IndexFacts, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    unvalidated: tuple[UnvalidatedConstraint, ...] = ()
    keys: tuple[NumberedKey, ...] = ()
    server: ServerFacts | None = None
    """None on SQLite."""
    file: FileFacts | None = None
    """None on PostgreSQL."""

    def table(self, name: str) -> TableFacts:
        """The table of that name, or one of which nothing is known."""
        for table in self.tables:
            if table.name == name:
                return table
        return TableFacts(name=name, sql_name=name)
