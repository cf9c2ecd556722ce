"""What a look at the indexes has found, as values: the same for the command, its JSON and tests."""

from __future__ import annotations

from typing import Literal

import msgspec

from vacancy.db.statement import Engine

Rule = Literal[
    # Judged by the workload: each is tried on a copy, and every statement planned again.
    "index_missing",
    "index_invalid",
    "index_cannot_serve",
    "index_column_order",
    "index_unneeded",
    "table_scanned",
    "rows_sorted",
    "statement_refused",
    # Judged by what stands in the database.
    "index_duplicate",
    "index_prefix",
    "index_unused",
    "index_bloated",
    "table_bloated",
    "foreign_key_unindexed",
    "constraint_not_valid",
    "statistics_stale",
    "key_near_end",
    # How the server is doing.
    "transaction_ids_near_end",
    "connections_many",
    "query_running_long",
    "cache_hit_rate_low",
    "replication_slot_behind",
    "log_unbounded",
]


class PlanChange(msgspec.Struct, frozen=True, kw_only=True):
    """How the change alters one statement's plan."""

    statement: str
    before: str
    """The way to each table, in words, and what is sorted."""
    after: str


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What came of trying the change on a copy, with every statement planned again."""

    change: str
    """The change that was tried, as SQL."""
    statements: int
    """So many were planned, before and after."""
    changed: tuple[PlanChange, ...] = ()
    """Those whose plan is another one with the change; empty: none."""
    size_bytes: int | None = None
    """What the change gives back when positive, takes when negative; None where unknown."""


class IndexFinding(msgspec.Struct, frozen=True, kw_only=True):
    """One sentence about one table or index."""

    name: Rule
    ok: bool
    """False for what has to be mended: the command ends with 1. True for what is only worth
    knowing."""
    table: str
    index: str = ""
    sentence: str
    fix: str = ""
    """The exact SQL or command that mends it; empty where a person must decide."""
    proof: Proof | None = None


class IndexReport(msgspec.Struct, frozen=True, kw_only=True):
    """A whole look."""

    engine: Engine
    ok: bool
    """Whether nothing fails."""
    statements: int
    """The workload: so many statements were planned."""
    workload: str
    """Where the statements came from, in words; empty for none."""
    indexes: int
    findings: tuple[IndexFinding, ...]
