"""How the server is doing, or the file: what will stop it soon, and what holds it up now."""

from __future__ import annotations

from collections.abc import Iterator

from vacancy.perf.indexes.facts import Facts, ReplicationSlot, ServerFacts
from vacancy.perf.indexes.finding import IndexFinding, Rule
from vacancy.perf.indexes.thresholds import Thresholds
from vacancy.perf.indexes.words import in_bytes, in_time

_LAST_TRANSACTION = 2**31


def serving_findings(facts: Facts, limits: Thresholds) -> Iterator[IndexFinding]:
    """All that is about no table."""
    if facts.file is not None:
        yield from long_log(facts, limits)
    if facts.server is not None:
        yield from transactions_near_end(facts.server, limits)
        yield from many_connections(facts.server, limits)
        yield from long_queries(facts.server, limits)
        yield from low_hit_rate(facts.server, limits)
        yield from slots_behind(facts.server, limits)
        yield from unbounded_log(facts.server)


def _finding(name: Rule, ok: bool, sentence: str, fix: str = "") -> IndexFinding:
    return IndexFinding(name=name, ok=ok, table="", sentence=sentence, fix=fix)


def transactions_near_end(server: ServerFacts, limits: Thresholds) -> Iterator[IndexFinding]:
    """Ids of transactions that no VACUUM has freed."""
    for what, age in (
        ("transaction", server.transaction_age),
        ("multixact", server.multixact_age),
    ):
        if age is not None and age >= limits.transactions_noted:
            yield _finding(
                "transaction_ids_near_end",
                age < limits.transactions_fail,
                f"The oldest {what} id is {age:,} old. At {_LAST_TRANSACTION:,} the server stops to"
                " write until VACUUM has run. Look for what holds it up: a transaction that stays"
                " open, a prepared one, a slot.",
                "VACUUM (FREEZE);",
            )


def many_connections(server: ServerFacts, limits: Thresholds) -> Iterator[IndexFinding]:
    """At the last one nobody else comes in."""
    used, most = server.connections, server.connections_max
    if used is None or not most or used < most * limits.connections_noted_share:
        return
    yield _finding(
        "connections_many",
        used < most * limits.connections_fail_share,
        f"{used:,} of {most:,} connections are in use. Use fewer for each process, or a pool"
        " before the server.",
    )


def long_queries(server: ServerFacts, limits: Thresholds) -> Iterator[IndexFinding]:
    """What runs, or holds its transaction open: VACUUM takes away nothing that it may still see."""
    for query in server.running or ():
        if query.running_s < limits.query_noted_s:
            continue
        what = "holds a transaction open and does nothing" if query.is_idle else "runs one query"
        end = "pg_terminate_backend" if query.is_idle else "pg_cancel_backend"
        yield _finding(
            "query_running_long",
            query.running_s < limits.query_fails_s,
            f"The connection {query.pid} {what}, for {in_time(query.running_s)} now.",
            f"SELECT {end}({query.pid});",
        )


def low_hit_rate(server: ServerFacts, limits: Thresholds) -> Iterator[IndexFinding]:
    """Only a note: what the server does not hold, the system's own cache may."""
    for what, hits, reads in (
        ("tables", server.table_hits, server.table_reads),
        ("indexes", server.index_hits, server.index_reads),
    ):
        if hits is None or reads is None or hits + reads < limits.hits_counted:
            continue
        share = hits / (hits + reads)
        if share < limits.hit_share:
            yield _finding(
                "cache_hit_rate_low",
                True,
                f"{share:.1%} of the blocks of {what} were found in memory, of"
                f" {hits + reads:,} asked for. Look for statements that scan, then at"
                " shared_buffers.",
            )


def slots_behind(server: ServerFacts, limits: Thresholds) -> Iterator[IndexFinding]:
    """Standbys and readers of changes that do not keep up: the log they need fills the disk."""
    for slot in server.slots or ():
        behind = slot.behind_bytes or 0
        if slot.is_lost:
            told, ok = "has lost the log that it needs, and can never go on", False
        elif behind >= limits.slot_noted_bytes:
            state = "" if slot.is_active else ", and nobody reads it"
            told = f"is {in_bytes(behind)} behind{state}"
            fails_bytes = (
                limits.slot_fails_bytes if slot.is_active else limits.idle_slot_fails_bytes
            )
            ok = behind < fails_bytes
        else:
            continue
        yield _finding(
            "replication_slot_behind",
            ok,
            f"The replication slot {slot.name} {told}.",
            "" if slot.is_active else _drop(slot),
        )
    if (server.replay_behind_s or 0) >= limits.standby_noted_s:
        yield _finding(
            "replication_slot_behind",
            True,
            f"This standby shows the state of {in_time(server.replay_behind_s or 0)} ago.",
        )


def _drop(slot: ReplicationSlot) -> str:
    name = slot.name.replace("'", "''")
    return f"SELECT pg_drop_replication_slot('{name}');"


def unbounded_log(server: ServerFacts) -> Iterator[IndexFinding]:
    """A slot that may keep the log of any length. Only a note: it is PostgreSQL's default."""
    if server.slots and server.slots_keep_all_log:
        yield _finding(
            "log_unbounded",
            True,
            f"Nothing limits the log that is kept for {len(server.slots)} replication slots: one"
            " that nobody reads fills the disk.",
            "ALTER SYSTEM SET max_slot_wal_keep_size = '10GB';\nSELECT pg_reload_conf();",
        )


def long_log(facts: Facts, limits: Thresholds) -> Iterator[IndexFinding]:
    """A write-ahead log of SQLite that no checkpoint has emptied."""
    file = facts.file
    if file is None or file.log_bytes < limits.log_noted_bytes:
        return
    yield _finding(
        "log_unbounded",
        file.log_bytes < limits.log_fails_bytes,
        f"The write-ahead log is {in_bytes(file.log_bytes)} long beside a file of"
        f" {in_bytes(file.pages * file.page_bytes)}. It begins anew only when no reader needs it:"
        " look for one that never ends.",
        "PRAGMA wal_checkpoint(TRUNCATE);",
    )
